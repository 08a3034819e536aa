//! What a caller holds: settled settings, and in each process the engines and what its calls share.

use crate::core::budget::Budget;
use crate::core::call::Shared;
use crate::core::clock::Clock;
use crate::core::config::Config;
use crate::core::describe::describe;
use crate::core::environment::Environment;
use crate::core::error::Error;
use crate::core::invocation::Invocation;
use crate::core::keyring::Keyring;
use crate::core::log::target;
use crate::core::outcome::Outcome;
use crate::core::settings::Settings;
use crate::core::tls::{Found, Tls};
use crate::engine::{Gate, Interrupt, PerProcess, Pool, invoke, stderr};

/// Invokes functions. Shared by any number of threads; costs no thread, and no descriptor until the first call.
pub struct Client {
    settings: Settings,
    tls: Tls,
    /// The roots are not the system's but those compiled in.
    trusts_built_in: bool,
    process: PerProcess<Process>,
}

/// A client's half that must not cross a fork.
struct Process {
    pool: Pool,
    budget: Budget,
    clock: Clock,
    keyring: Keyring,
    tls: rustls::ClientConfig,
}

impl Client {
    /// Settles the settings. Reads the environment, once, the shared AWS files and the trusted certificates; never uses
    /// the network.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let client = Gate::guarded(|| Self::settled(config))?;
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

    fn settled(config: &Config) -> Result<Self, Error> {
        let environment = Environment { variable: &|name| std::env::var_os(name), home: std::env::home_dir() };
        let settings = Settings::settle(config, &environment, stderr())?;
        let (tls, trusts_built_in) = match settings.speaks_tls() {
            true => {
                let Found { tls, is_built_in } = Tls::load(&settings.trust)?;
                (tls, is_built_in)
            }
            false => (Tls::unused()?, false),
        };
        let client = Self { settings, tls, trusts_built_in, process: PerProcess::new() };
        client.process();
        Ok(client)
    }

    /// The settings in force and where each came from: a JSON object with one member a setting, each an object with
    /// `value` and `source`. Secrets are never shown. Does not use the network.
    pub fn describe(&self) -> String {
        describe(&self.settings, self.trusts_built_in)
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
            budget: &process.budget,
            clock: &process.clock,
            keyring: &process.keyring,
        };
        invoke(&process.pool, &process.tls, shared, invocation, interrupt)
    }

    fn process(&self) -> &Process {
        self.process.get_or(|| Process {
            pool: Pool::new(self.settings.max_connections.as_ref().map(|connections| connections.value)),
            budget: Budget::default(),
            clock: Clock::default(),
            keyring: Keyring::default(),
            tls: self.tls.with_own_sessions(),
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}
