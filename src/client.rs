//! What a caller holds: resolved settings, and in each process the workers and what its calls share.

use crate::call::Shared;
use crate::config::config::Config;
use crate::config::describe::describe;
use crate::config::environment::Environment;
use crate::config::lookup::Lookup;
use crate::config::profile::Profiles;
use crate::config::settings::Settings;
use crate::config::tls::{Found, Tls};
use crate::credentials::cache::CredentialsCache;
use crate::credentials::source::Source;
use crate::driver::blocking::invoke;
use crate::driver::deadline::Interrupt;
use crate::driver::fork_barrier::ForkBarrier;
use crate::driver::pool::Pool;
use crate::error::Error;
use crate::log::target;
use crate::outcome::Outcome;
use crate::platform::per_process::PerProcess;
use crate::platform::stderr::stderr;
use crate::request::invocation::Invocation;
use crate::retry::clock::Clock;
use crate::retry::quota::RetryQuota;

/// Invokes functions. Shared by any number of threads; costs no thread, and no descriptor until the first call.
pub struct Client {
    settings: Settings,
    source: Source,
    tls: Tls,
    /// The roots are not the system's but those compiled in.
    trusts_built_in: bool,
    process: PerProcess<Process>,
}

/// A client's half that must not cross a fork.
struct Process {
    pool: Pool,
    retry_quota: RetryQuota,
    clock: Clock,
    credentials_cache: CredentialsCache,
    tls: rustls::ClientConfig,
}

impl Client {
    /// Settles the settings. Reads the environment, once, the shared AWS files and the trusted certificates; never uses
    /// the network.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let client = ForkBarrier::guarded(|| Self::resolved(config))?;
        let log = &client.settings.log;
        if client.trusts_built_in {
            log.warn(target::CONFIG, || {
                "no trust store was found on this machine: the Mozilla roots that are compiled in are trusted"
                    .to_owned()
            });
        }
        log.debug(target::CONFIG, || client.describe());
        Ok(client)
    }

    fn resolved(config: &Config) -> Result<Self, Error> {
        let environment = Environment { variable: &|name| std::env::var_os(name), home: std::env::home_dir() };
        let profiles = Profiles::read(config.profile.as_deref(), &environment)?;
        let lookup = Lookup { environment: &environment, profiles: &profiles };
        let settings = Settings::resolve(config, &lookup, stderr())?;
        let source = Source::resolve(config, &lookup, &settings)?;
        let (tls, trusts_built_in) = match settings.speaks_tls() || source.speaks_tls() {
            true => {
                let Found { tls, is_built_in } = Tls::load(&settings.trust)?;
                (tls, is_built_in)
            }
            false => (Tls::unused()?, false),
        };
        let client = Self { settings, source, tls, trusts_built_in, process: PerProcess::new() };
        client.process();
        Ok(client)
    }

    /// The settings in force and where each came from: a JSON object with one member a setting, each an object with
    /// `value` and `source`. Secrets are never shown. Does not use the network.
    pub fn describe(&self) -> String {
        describe(&self.settings, &self.source.summary(), self.trusts_built_in)
    }

    /// Invokes a function and waits: for the answer, or until the deadline. Every failure is an outcome.
    ///
    /// Takes a request (its payload is moved), a reference to one (its payload is copied) or an [`Invocation`], which
    /// also holds the settings of one call. Blocks; not to be called from inside an asynchronous runtime.
    pub fn invoke(&self, invocation: impl Into<Invocation>) -> Outcome {
        self.call(&invocation.into(), None)
    }

    /// The same, asking `interrupt` before it begins and then at least every 100 ms, on this thread; `true` ends the
    /// call.
    pub fn invoke_interruptible(
        &self,
        invocation: impl Into<Invocation>,
        interrupt: &mut dyn FnMut() -> bool,
    ) -> Outcome {
        self.call(&invocation.into(), Some(interrupt))
    }

    pub(crate) fn call(&self, invocation: &Invocation, interrupt: Option<Interrupt<'_>>) -> Outcome {
        let process = self.process();
        let shared = Shared {
            settings: &self.settings,
            source: &self.source,
            retry_quota: &process.retry_quota,
            clock: &process.clock,
            credentials_cache: &process.credentials_cache,
        };
        invoke(&process.pool, &process.tls, shared, invocation, interrupt)
    }

    fn process(&self) -> &Process {
        self.process.get_or(|| Process {
            pool: Pool::new(self.settings.max_connections.as_ref().map(|connections| connections.value)),
            retry_quota: RetryQuota::default(),
            clock: Clock::default(),
            credentials_cache: CredentialsCache::default(),
            tls: self.tls.with_own_sessions(),
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}
