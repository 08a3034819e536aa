//! How the selected profile says that keys are to be had: where the first ones come from, and which roles they assume.
//! Source of keys and their order: the AWS SDKs and Tools Reference Guide, and what the AWS CLI does.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::config::profile::Profiles;
use crate::config::setting::{Origin, Setting};

/// The way to the keys of a profile.
pub(crate) struct ProfileChain {
    /// The selected profile, and the one that has the first keys.
    selected: String,
    base_profile: String,
    /// Of the key that says so.
    pub(crate) origin: Origin,
    pub(crate) base: BaseSource,
    /// To be assumed one after the other.
    pub(crate) roles: Vec<Role>,
}

/// Where the first keys come from.
pub(crate) enum BaseSource {
    Keys(Credentials),
    Environment,
    Container,
    InstanceMetadata,
    WebIdentity { role: Role, token_file: PathBuf },
    Sso { session: Option<String>, start_url: String, region: String, account_id: String, role_name: String },
    Login { session: String },
    Process { command: String },
}

/// A role, and how to assume it.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) profile: String,
    pub(crate) arn: String,
    pub(crate) session_name: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) duration: Option<Duration>,
    /// Whose STS to ask.
    pub(crate) region: Option<String>,
}

/// Why a profile leads to no keys.
#[derive(Debug)]
pub(crate) enum NoProfileChain {
    /// It says nothing about keys: the search goes on.
    NotConfigured(String),
    /// It says something that cannot be done: the search ends.
    Invalid(String),
}

impl ProfileChain {
    /// For the selected profile. `expand` puts the home in the place of `~`.
    pub(crate) fn of(profiles: &Profiles, expand: &dyn Fn(PathBuf) -> PathBuf) -> Result<Self, NoProfileChain> {
        let selected = profiles.name.value.as_str();
        if !profiles.exists(selected) {
            return Err(NoProfileChain::NotConfigured(profiles.no_such(selected)));
        }
        let mut roles = Vec::new();
        let mut visited: Vec<String> = Vec::new();
        let mut name = selected.to_owned();
        let base = loop {
            let profile = Profile { name: &name, profiles, expand };
            if !profiles.exists(&name) {
                let from = visited.last().map(String::as_str).unwrap_or_default();
                return Err(NoProfileChain::Invalid(format!(
                    "profile {from}: its source_profile is missing; {}",
                    profiles.no_such(&name)
                )));
            }
            if let Some(fault) = profiles.fault(&name) {
                return Err(NoProfileChain::Invalid(format!("profile {name}: {fault}")));
            }
            if visited.contains(&name) {
                visited.push(name);
                return Err(NoProfileChain::Invalid(format!(
                    "profile {selected}: its source_profiles run in a circle: {}",
                    visited.join(" -> ")
                )));
            }
            // A source profile's own keys go before a role that it could assume.
            if !visited.is_empty()
                && let Some(keys) = profile.keys()?
            {
                break BaseSource::Keys(keys);
            }
            let Some(role) = profile.role()? else { break profile.source(&roles)? };
            roles.push(role);
            match (profile.get("source_profile"), profile.get("credential_source")) {
                (Some(_), Some(_)) => {
                    return Err(profile.broken("has both source_profile and credential_source; only one can count"));
                }
                (None, None) => {
                    return Err(profile.broken("has role_arn, but neither source_profile nor credential_source"));
                }
                // What such a profile has beside the role is the source.
                (None, Some(_)) => break profile.source(&roles)?,
                (Some(source), None) if source == name => break profile.source(&roles)?,
                (Some(source), None) => {
                    visited.push(name);
                    name = source;
                }
            }
        };
        roles.reverse();
        let keys = ["role_arn", "credential_source", "web_identity_token_file", "sso_account_id", "login_session"];
        let keys = keys.iter().chain(&["credential_process", "aws_access_key_id"]);
        let origin = keys.filter_map(|key| profiles.selected(key)).map(|setting| setting.origin).next();
        let origin = origin.unwrap_or(Origin::Default);
        Ok(Self { origin, selected: selected.to_owned(), base_profile: name, base, roles })
    }

    /// For `describe` and the log.
    pub(crate) fn summary(&self) -> String {
        let base = match &self.base {
            BaseSource::Keys(_) => "access key".to_owned(),
            BaseSource::Environment => "credential_source Environment".to_owned(),
            BaseSource::Container => "credential_source EcsContainer".to_owned(),
            BaseSource::InstanceMetadata => "credential_source Ec2InstanceMetadata".to_owned(),
            BaseSource::WebIdentity { role, .. } => format!("web identity for {}", role.arn),
            BaseSource::Sso { role_name, account_id, .. } => format!("SSO role {role_name} in account {account_id}"),
            BaseSource::Login { .. } => "login session".to_owned(),
            // The command may hold secrets.
            BaseSource::Process { .. } => "credential_process".to_owned(),
        };
        let from = match self.base_profile == self.selected {
            true => String::new(),
            false => format!(" of profile {}", self.base_profile),
        };
        let roles = self.roles.iter().map(|role| format!(", then role {}", role.arn)).collect::<String>();
        format!("profile {}: {base}{from}{roles}", self.selected)
    }
}

/// Without the command, which may hold secrets.
impl fmt::Debug for ProfileChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

/// One profile on the way.
struct Profile<'a> {
    name: &'a str,
    profiles: &'a Profiles,
    expand: &'a dyn Fn(PathBuf) -> PathBuf,
}

impl Profile<'_> {
    fn find(&self, key: &str) -> Option<Setting<String>> {
        self.profiles.get(self.name, key)
    }

    fn get(&self, key: &str) -> Option<String> {
        self.find(key).map(|setting| setting.value)
    }

    fn broken(&self, why: impl std::fmt::Display) -> NoProfileChain {
        NoProfileChain::Invalid(format!("profile {}: {why}", self.name))
    }

    fn needs(&self, key: &str, because: &str) -> Result<String, NoProfileChain> {
        self.get(key).ok_or_else(|| self.broken(format!("has {because}, but no {key}")))
    }

    /// The role that keys from elsewhere are to assume. A web identity is no such role: it needs no keys.
    fn role(&self) -> Result<Option<Role>, NoProfileChain> {
        match self.get("role_arn") {
            Some(arn) if self.get("web_identity_token_file").is_none() => {
                if self.get("mfa_serial").is_some() {
                    return Err(self.broken(
                        "mfa_serial asks for a code, which nobody can be asked for here; use credential_process or a \
                         session that was made before",
                    ));
                }
                self.with_arn(arn).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn with_arn(&self, arn: String) -> Result<Role, NoProfileChain> {
        let duration = match self.find("duration_seconds") {
            None => None,
            Some(setting) => match setting.value.parse::<u32>() {
                Ok(seconds) => Some(Duration::from_secs(seconds.into())),
                Err(_) => return Err(self.broken("duration_seconds is no number of seconds")),
            },
        };
        Ok(Role {
            profile: self.name.to_owned(),
            arn,
            session_name: self.get("role_session_name"),
            external_id: self.get("external_id"),
            duration,
            region: self.get("region"),
        })
    }

    /// The base, which must be there if roles are to be assumed from it: their keys are nobody else's.
    fn source(&self, roles: &[Role]) -> Result<BaseSource, NoProfileChain> {
        self.base().map_err(|reason| match (reason, roles.last()) {
            (NoProfileChain::NotConfigured(why), Some(role)) => {
                NoProfileChain::Invalid(format!("profile {}: no keys to assume {} with: {why}", role.profile, role.arn))
            }
            (reason, _) => reason,
        })
    }

    fn base(&self) -> Result<BaseSource, NoProfileChain> {
        if let Some(source) = self.get("credential_source") {
            // In any case of letters, as the AWS tools have it.
            return match source.to_ascii_lowercase().as_str() {
                "environment" => Ok(BaseSource::Environment),
                "ecscontainer" => Ok(BaseSource::Container),
                "ec2instancemetadata" => Ok(BaseSource::InstanceMetadata),
                _ => Err(self.broken("credential_source is none of Environment, EcsContainer and Ec2InstanceMetadata")),
            };
        }
        if let Some(token_file) = self.get("web_identity_token_file") {
            let role = self.with_arn(self.needs("role_arn", "web_identity_token_file")?)?;
            return Ok(BaseSource::WebIdentity { role, token_file: (self.expand)(token_file.into()) });
        }
        if let Some(sso) = self.sso()? {
            return Ok(sso);
        }
        let keys = self.keys()?;
        let id = self.find("aws_access_key_id");
        let are_in_credentials_file = id.is_some_and(|id| self.profiles.credentials.holds(&id.origin));
        match (keys, self.get("login_session"), self.get("credential_process")) {
            // The credentials file is for keys, so they go first; in the config file they go last.
            (Some(keys), ..) if are_in_credentials_file => return Ok(BaseSource::Keys(keys)),
            (_, Some(session), _) => return Ok(BaseSource::Login { session }),
            // A value may go on in lines below it; a shell would take them for commands of their own.
            (_, None, Some(command)) => return Ok(BaseSource::Process { command: command.replace('\n', " ") }),
            (Some(keys), None, None) => return Ok(BaseSource::Keys(keys)),
            (None, None, None) => {}
        }
        let what = match self.get("sso_session") {
            Some(_) => "has sso_session, but neither sso_account_id nor sso_role_name, which say whose credentials,",
            None => "says nothing about credentials",
        };
        Err(NoProfileChain::NotConfigured(format!(
            "profile {}: {what} in {} or {}",
            self.name,
            self.profiles.config.place(),
            self.profiles.credentials.place()
        )))
    }

    fn sso(&self) -> Result<Option<BaseSource>, NoProfileChain> {
        let (account_id, role_name) = match (self.get("sso_account_id"), self.get("sso_role_name")) {
            (Some(account_id), Some(role_name)) => (account_id, role_name),
            (Some(_), None) => return Err(self.broken("has sso_account_id, but no sso_role_name")),
            (None, Some(_)) => return Err(self.broken("has sso_role_name, but no sso_account_id")),
            // Without these, SSO is for tokens of services that take them, not for keys.
            (None, None) => return Ok(None),
        };
        let session = self.get("sso_session");
        let find = |key: &str| match &session {
            None => self.needs(key, "sso_account_id"),
            Some(session) => self
                .profiles
                .sso_session(session, key)
                .ok_or_else(|| self.broken(format!("sso_session {session} is missing or has no {key}"))),
        };
        let (start_url, region) = (find("sso_start_url")?, find("sso_region")?);
        Ok(Some(BaseSource::Sso { session, start_url, region, account_id, role_name }))
    }

    fn keys(&self) -> Result<Option<Credentials>, NoProfileChain> {
        let (id, secret) = match (self.get("aws_access_key_id"), self.get("aws_secret_access_key")) {
            (Some(id), Some(secret)) => (id, Zeroizing::new(secret)),
            (Some(_), None) => return Err(self.broken("has aws_access_key_id, but no aws_secret_access_key")),
            (None, Some(_)) => return Err(self.broken("has aws_secret_access_key, but no aws_access_key_id")),
            (None, None) => return Ok(None),
        };
        let token = self.get("aws_session_token").or_else(|| self.get("aws_security_token")).map(Zeroizing::new);
        Credentials::new(&id, &secret, token.as_deref().map(String::as_str), None)
            .map(Some)
            .map_err(|error| self.broken(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::config::environment::Environment;

    /// The plan for profile `p` of these files.
    fn plan(config: &str, credentials: &str) -> Result<ProfileChain, String> {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let folder = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("lambda_invoke-plan-{}-{folder}", std::process::id()));
        let files = home.join(".aws");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(files.join("config"), config).unwrap();
        std::fs::write(files.join("credentials"), credentials).unwrap();
        let variable = |name: &str| (name == "AWS_PROFILE").then(|| "p".into());
        let profiles = Profiles::read(None, &Environment { variable: &variable, home: Some(home.clone()) });
        std::fs::remove_dir_all(home).unwrap();
        ProfileChain::of(&profiles.unwrap(), &|path| path).map_err(|reason| match reason {
            NoProfileChain::NotConfigured(why) => format!("silent: {why}"),
            NoProfileChain::Invalid(why) => format!("broken: {why}"),
        })
    }

    const KEYS: &str = "aws_access_key_id = A\naws_secret_access_key = s\n";

    #[test]
    fn roles_are_assumed_from_the_source_on() {
        let config = "[profile p]\nrole_arn = r1\nsource_profile = q\nexternal_id = x\nduration_seconds = 900\n\
                      [profile q]\nrole_arn = r2\nsource_profile = k\nregion = eu-west-1\n";
        let plan = plan(config, &format!("[k]\n{KEYS}")).unwrap();
        assert_eq!(plan.summary(), "profile p: access key of profile k, then role r2, then role r1");
        assert_eq!(plan.roles[0].region.as_deref(), Some("eu-west-1"));
        assert_eq!(plan.roles[1].external_id.as_deref(), Some("x"));
        assert_eq!(plan.roles[1].duration, Some(Duration::from_secs(900)));
    }

    #[test]
    fn what_a_profile_holds_beside_its_own_role_is_the_source() {
        for (config, summary) in [
            (format!("[profile p]\nrole_arn = r\nsource_profile = p\n{KEYS}"), "profile p: access key, then role r"),
            (
                "[profile p]\nrole_arn = r\ncredential_source = EC2instanceMetadata\n".to_owned(),
                "profile p: credential_source Ec2InstanceMetadata, then role r",
            ),
            (
                "[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]\ncredential_process = x\n".to_owned(),
                "profile p: credential_process of profile q, then role r",
            ),
            (
                "[profile p]\nrole_arn = r\nweb_identity_token_file = /t\nsource_profile = q\n".to_owned(),
                "profile p: web identity for r",
            ),
            (
                "[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = n\n[sso-session s]\nsso_region = \
                 x\nsso_start_url = u\n"
                    .to_owned(),
                "profile p: SSO role n in account 1",
            ),
            (format!("[profile p]\ncredential_process: x=y\n{KEYS}"), "profile p: credential_process"),
        ] {
            assert_eq!(plan(&config, "").unwrap().summary(), summary, "{config}");
        }
    }

    #[test]
    fn what_cannot_be_followed_says_where_it_breaks() {
        for (config, part) in [
            ("[profile other]\n", "silent: profile p: no such profile in "),
            ("[profile p]\nregion = x\n", "silent: profile p: says nothing"),
            (
                "[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]\nregion = x\n",
                "broken: profile p: no keys to assume r",
            ),
            ("[profile p]\nrole_arn = r\n", "neither source_profile nor credential_source"),
            ("[profile p]\nrole_arn = r\nsource_profile = q\ncredential_source = Environment\n", "both"),
            ("[profile p]\nrole_arn = r\nsource_profile = q\n", "broken: profile p: its source_profile is missing"),
            (
                "[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]\nrole_arn = r\nsource_profile = p\n",
                "in a circle: p -> q -> p",
            ),
            ("[profile p]\nrole_arn = r\ncredential_source = Magic\n", "credential_source is none of"),
            ("[profile p]\nrole_arn = r\nsource_profile = p\nmfa_serial = m\n", "mfa_serial"),
            ("[profile p]\naws_access_key_id = A\n", "but no aws_secret_access_key"),
            ("[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = n\n", "sso_session s is missing"),
            ("[profile p]\nsso_account_id = 1\n", "but no sso_role_name"),
            ("[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]\nnonsense\n", "line 5: expected"),
        ] {
            let why = plan(config, "").unwrap_err();
            assert!(why.contains(part), "{config}: {why}");
        }
    }

    #[test]
    fn names_may_hold_what_the_aws_cli_takes() {
        let config =
            format!("[profile p]\nrole_arn = r\nsource_profile = my pr\u{f6}d\n[profile 'my pr\u{f6}d']\n{KEYS}");
        let plan = plan(&config, "[p!]\nx = y\n").unwrap();
        assert_eq!(plan.summary(), "profile p: access key of profile my pr\u{f6}d, then role r");
    }

    #[test]
    fn the_credentials_file_goes_before_the_config_file() {
        let config = "[profile p]\naws_access_key_id = CONFIG\naws_secret_access_key = s\ncredential_process = x\n";
        let BaseSource::Keys(keys) = plan(config, &format!("[p]\n{KEYS}")).unwrap().base else { panic!("no keys") };
        assert_eq!(keys.access_key_id(), "A");
    }
}
