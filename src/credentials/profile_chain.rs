//! What the selected profile says about credentials: the base source that gives the first ones, and the roles that are
//! assumed from there. Source of the properties and their order: the AWS SDKs and Tools Reference Guide, and the AWS CLI.
//!
//! If a profile names a source, an error in it ends the search, so that no other credentials sign by accident.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::config::profile::{File, Profiles};
use crate::config::setting::{Origin, Setting};
use crate::credentials::sso::Sso;

/// The halves of an access key.
const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

/// A profile's base source and its roles.
pub(crate) struct ProfileChain {
    /// The selected profile, and the one that names the base source.
    selected: String,
    base_profile: String,
    /// Of the property that decided.
    pub(crate) origin: Origin,
    pub(crate) base: BaseSource,
    /// Assumed one after the other.
    pub(crate) roles: Vec<Role>,
}

/// Where the first credentials come from.
pub(crate) enum BaseSource {
    Static(Credentials),
    Environment,
    Container,
    InstanceMetadata,
    WebIdentity { role: Role, token_file: PathBuf },
    Sso(Sso),
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
    /// Of the STS that is asked.
    pub(crate) region: Option<String>,
}

/// Why a profile has no base source.
#[derive(Debug)]
pub(crate) enum NoProfileChain {
    /// It says nothing about credentials: the search goes on.
    NotConfigured(String),
    /// What it says is wrong or incomplete: the search ends.
    Invalid(String),
}

impl ProfileChain {
    /// Reads the selected profile. `expand` replaces a leading `~` by the home directory.
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
            // What a source profile holds itself goes before a role that it could assume.
            if !visited.is_empty() && profile.has_static() {
                break profile.own()?;
            }
            let Some(role) = profile.role()? else { break profile.source(&roles)? };
            roles.push(role);
            match (profile.get("source_profile"), profile.get("credential_source")) {
                (Some(_), Some(_)) => {
                    return Err(profile.invalid("has both source_profile and credential_source; remove one of them"));
                }
                (None, None) => {
                    return Err(profile.invalid("has role_arn, but neither source_profile nor credential_source"));
                }
                // What such a profile holds beside the role is the base source.
                (None, Some(_)) => break profile.source(&roles)?,
                (Some(source), None) if source == name => break profile.source(&roles)?,
                (Some(source), None) => {
                    visited.push(name);
                    name = source;
                }
            }
        };
        roles.reverse();
        let names = ["role_arn", "credential_source", "web_identity_token_file", "sso_account_id", "login_session"];
        let names = names.iter().chain(&["credential_process", "aws_access_key_id"]);
        let origin = names.filter_map(|name| profiles.selected(name)).map(|setting| setting.origin).next();
        let origin = origin.unwrap_or(Origin::Default);
        Ok(Self { origin, selected: selected.to_owned(), base_profile: name, base, roles })
    }

    /// Describes the chain in short and without secrets, for `describe` and the log.
    pub(crate) fn summary(&self) -> String {
        let base = match &self.base {
            BaseSource::Static(_) => "access key".to_owned(),
            BaseSource::Environment => "credential_source Environment".to_owned(),
            BaseSource::Container => "credential_source EcsContainer".to_owned(),
            BaseSource::InstanceMetadata => "credential_source Ec2InstanceMetadata".to_owned(),
            BaseSource::WebIdentity { role, .. } => format!("web identity for {}", role.arn),
            BaseSource::Sso(sso) => format!("SSO role {} in account {}", sso.role_name, sso.account_id),
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
    fn find(&self, property: &str) -> Option<Setting<String>> {
        self.profiles.get(self.name, property)
    }

    /// Returns the value without the blanks around it.
    fn get(&self, property: &str) -> Option<String> {
        let value = self.find(property)?.value.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    fn invalid(&self, why: impl fmt::Display) -> NoProfileChain {
        NoProfileChain::Invalid(format!("profile {}: {why}", self.name))
    }

    /// The role that is assumed with credentials from elsewhere. A web identity is not such a role: it needs none.
    fn role(&self) -> Result<Option<Role>, NoProfileChain> {
        match self.get("role_arn") {
            Some(arn) if self.get("web_identity_token_file").is_none() => {
                if self.get("mfa_serial").is_some() {
                    return Err(self.invalid(
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
        let duration = match self.get("duration_seconds") {
            None => None,
            Some(text) => match text.parse::<u32>() {
                Ok(seconds) => Some(Duration::from_secs(seconds.into())),
                Err(_) => return Err(self.invalid("duration_seconds is not a number of seconds")),
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

    /// The base source. A profile whose role is to be assumed must have one.
    fn source(&self, roles: &[Role]) -> Result<BaseSource, NoProfileChain> {
        self.base().map_err(|reason| match (reason, roles.last()) {
            (NoProfileChain::NotConfigured(why), Some(role)) => NoProfileChain::Invalid(format!(
                "profile {}: no credentials to assume {} with: {why}",
                role.profile, role.arn
            )),
            (reason, _) => reason,
        })
    }

    fn base(&self) -> Result<BaseSource, NoProfileChain> {
        let source = match self.get("web_identity_token_file") {
            Some(_) => None,
            None => self.get("credential_source"),
        };
        let Some(source) = source else { return self.own() };
        // In any case of letters, as the AWS tools have it.
        match source.to_ascii_lowercase().as_str() {
            "environment" => Ok(BaseSource::Environment),
            "ecscontainer" => Ok(BaseSource::Container),
            "ec2instancemetadata" => Ok(BaseSource::InstanceMetadata),
            _ => Err(self.invalid("credential_source is none of Environment, EcsContainer and Ec2InstanceMetadata")),
        }
    }

    /// What the profile holds itself, in the order of the AWS CLI: the credentials file is made for access keys, so they
    /// go first there; in the config file they go last.
    fn own(&self) -> Result<BaseSource, NoProfileChain> {
        if let Some(token_file) = self.get("web_identity_token_file") {
            let arn =
                self.get("role_arn").ok_or_else(|| self.invalid("has web_identity_token_file, but no role_arn"))?;
            return Ok(BaseSource::WebIdentity {
                role: self.with_arn(arn)?,
                token_file: (self.expand)(token_file.into()),
            });
        }
        if let Some(sso) = self.sso()? {
            return Ok(BaseSource::Sso(sso));
        }
        if let Some(credentials) = self.static_in(&self.profiles.credentials)? {
            return Ok(BaseSource::Static(credentials));
        }
        if let Some(session) = self.get("login_session") {
            return Ok(BaseSource::Login { session });
        }
        if let Some(command) = self.get("credential_process") {
            // A value may go on in lines below it; a shell would take them for commands of their own.
            return Ok(BaseSource::Process { command: command.replace('\n', " ") });
        }
        if let Some(credentials) = self.static_in(&self.profiles.config)? {
            return Ok(BaseSource::Static(credentials));
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

    fn sso(&self) -> Result<Option<Sso>, NoProfileChain> {
        const SESSION: [&str; 2] = ["sso_start_url", "sso_region"];
        const PROFILE: [&str; 2] = ["sso_account_id", "sso_role_name"];
        let session = self.get("sso_session");
        let in_session = |property: &str| -> Option<String> {
            let value = self.profiles.sso_session(session.as_ref()?, property)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        // A session that is named must be there and whole, though tokens alone are wanted from it. What it lacks may stand in
        // the profile.
        if let Some(session) = &session {
            let is_missing = |property: &&str| in_session(property).or_else(|| self.get(property)).is_none();
            let missing: Vec<&str> = SESSION.into_iter().filter(is_missing).collect();
            let why = match self.profiles.has_sso_session(session) {
                false => "does not exist".to_owned(),
                true if missing.is_empty() => String::new(),
                true => format!("has no {}", missing.join(" and no ")),
            };
            if !why.is_empty() {
                let place = self.profiles.config.place();
                return Err(self.invalid(format!(
                    "sso_session = {session}: the section [sso-session {session}] in {place} {why}"
                )));
            }
        }
        for property in SESSION.into_iter().chain(PROFILE) {
            if let (Some(own), Some(other), Some(session)) = (self.get(property), in_session(property), &session)
                && own != other
            {
                return Err(self.invalid(format!(
                    "{property} differs from that of [sso-session {session}]: remove it from one of them"
                )));
            }
        }
        if PROFILE.iter().all(|property| self.get(property).is_none()) {
            // Without these, SSO gives tokens to services that take them, not credentials.
            return Ok(None);
        }
        let needed = |property: &str| {
            self.get(property)
                .or_else(|| in_session(property))
                .ok_or_else(|| self.invalid(format!("is configured for SSO, but has no {property}")))
        };
        Ok(Some(Sso {
            start_url: needed("sso_start_url")?,
            region: needed("sso_region")?,
            account_id: needed("sso_account_id")?,
            role_name: needed("sso_role_name")?,
            session,
        }))
    }

    /// Whether either file has at least one half of an access key.
    fn has_static(&self) -> bool {
        [ID, SECRET].iter().any(|property| self.get(property).is_some())
    }

    /// The access key of one file. Its halves belong together: one is never completed from the other file.
    fn static_in(&self, file: &File) -> Result<Option<Credentials>, NoProfileChain> {
        let get = |property: &str| file.get(self.name, property).map(Zeroizing::new);
        let half = |one: &str, other: &str| {
            Err(self.invalid(format!("has {one}, but no {other} in the same file, {}", file.place())))
        };
        let (id, secret) = match (get(ID), get(SECRET)) {
            (Some(id), Some(secret)) => (id, secret),
            (Some(_), None) => return half(ID, SECRET),
            (None, Some(_)) => return half(SECRET, ID),
            (None, None) => return Ok(None),
        };
        let token = get("aws_session_token").or_else(|| get("aws_security_token"));
        Credentials::new(&id, &secret, token.as_deref().map(String::as_str), None)
            .map(Some)
            .map_err(|error| self.invalid(format!("{} ({})", error.message(), file.place())))
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
        let profiles = Profiles::read(
            None,
            &Environment {
                variable: &variable,
                home: Some(home.clone()),
                home_of: &|_| None,
                out_of_descriptors: |_| None,
            },
        );
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
                "[profile p]\nrole_arn = r\nweb_identity_token_file = /t\ncredential_source = Environment\n".to_owned(),
                "profile p: web identity for r",
            ),
            (
                "[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = n\nsso_start_url = u\n\
                 [sso-session s]\nsso_region = x\n"
                    .to_owned(),
                "profile p: SSO role n in account 1",
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
                "broken: profile p: no credentials to assume r",
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
            ("[profile p]\naws_access_key_id = A\n", "has aws_access_key_id, but no aws_secret_access_key"),
            ("[profile p]\naws_secret_access_key = A\n", "has aws_secret_access_key, but no aws_access_key_id"),
            ("[profile p]\nsso_account_id = 1\n", "but has no sso_start_url"),
            ("[profile p]\nsso_start_url = u\nsso_region = x\nsso_account_id = 1\n", "but has no sso_role_name"),
            ("[profile p]\nsso_start_url = u\nsso_region = x\nsso_role_name = 1\n", "but has no sso_account_id"),
            ("[profile p]\nrole_arn = r\nsource_profile = p\nduration_seconds = 1h\n", "duration_seconds is not a"),
            ("[profile p]\nweb_identity_token_file = /t\n", "but no role_arn"),
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
        let BaseSource::Static(keys) = plan(config, &format!("[p]\n{KEYS}")).unwrap().base else { panic!("no keys") };
        assert_eq!(keys.access_key_id(), "A");
    }

    #[test]
    fn an_sso_session_must_be_there_whole_and_the_same_as_in_the_profile() {
        const WHOSE: &str = "sso_account_id = 1\nsso_role_name = n\n";
        const SESSION: &str = "[sso-session s]\nsso_region = x\nsso_start_url = u\n";
        for whose in ["", WHOSE] {
            for (profile, sections, part) in [
                ("sso_session = oops\n", SESSION, "[sso-session oops]"),
                ("sso_session = s\n", "[sso-session s]\nsso_start_url = u\n", "no sso_region"),
                ("sso_session = s\n", "[sso-session s]\nsso_region = x\n", "no sso_start_url"),
                ("sso_session = s\nsso_start_url = v\n", SESSION, "sso_start_url differs"),
                ("sso_session = s\nsso_region = y\n", SESSION, "sso_region differs"),
            ] {
                let why = plan(&format!("[profile p]\n{profile}{whose}{sections}"), "").unwrap_err();
                assert!(why.starts_with("broken: profile p: ") && why.contains(part), "{profile}: {why}");
            }
        }
        let same = format!("[profile p]\nsso_session = s\nsso_region = x\n{WHOSE}{SESSION}");
        assert_eq!(plan(&same, "").unwrap().summary(), "profile p: SSO role n in account 1");
        assert!(plan(&format!("[profile p]\nsso_session = s\n{SESSION}"), "").unwrap_err().starts_with("silent: "));
    }

    #[test]
    fn an_access_key_is_taken_from_one_file() {
        let (id, secret, token) = ("aws_access_key_id = A\n", "aws_secret_access_key = s\n", "aws_session_token = t\n");
        for (config, credentials) in [(id, secret), (secret, id), ("", secret), (KEYS, id), (KEYS, secret)] {
            let why = plan(&format!("[profile p]\n{config}"), &format!("[p]\n{credentials}")).unwrap_err();
            assert!(why.contains("in the same file"), "{config}{credentials}: {why}");
        }
        for (config, credentials, has_token) in [
            (KEYS.to_owned(), token.to_owned(), false),
            (token.to_owned(), KEYS.to_owned(), false),
            (id.to_owned(), KEYS.to_owned(), false),
            (format!("{KEYS}{token}"), "aws_session_token = u\n".to_owned(), true),
        ] {
            let plan = plan(&format!("[profile p]\n{config}"), &format!("[p]\n{credentials}")).unwrap();
            let BaseSource::Static(found) = plan.base else { panic!("no access key") };
            assert_eq!(found.inner.session_token().is_some(), has_token, "{config}{credentials}");
        }
    }

    #[test]
    fn blanks_around_values_are_not_part_of_them() {
        let config = "[profile p]\nrole_arn = r \nsource_profile = k\t\nduration_seconds =  900 \n[profile k]\n\
                      credential_source =  Environment \n";
        let plan = plan(config, "").unwrap();
        assert_eq!(plan.summary(), "profile p: credential_source Environment of profile k, then role r");
        assert_eq!(plan.roles[0].duration, Some(Duration::from_secs(900)));
    }
}
