//! What a caller holds: settled settings, and in each process the engines and what its calls share.

use crate::core::budget::Budget;
use crate::core::call::Shared;
use crate::core::clock::Clock;
use crate::core::config::{Config, Settings};
use crate::core::error::Error;
use crate::core::invocation::Invocation;
use crate::core::outcome::Outcome;
use crate::core::tls::Tls;
use crate::engine::{Gate, Interrupt, PerProcess, Pool, invoke};

/// Invokes functions. Shared by any number of threads; costs no thread, and no descriptor until the first call.
pub struct Client {
    settings: Settings,
    tls: Tls,
    process: PerProcess<Process>,
}

/// A client's half that must not cross a fork.
struct Process {
    pool: Pool,
    budget: Budget,
    clock: Clock,
    tls: rustls::ClientConfig,
}

impl Client {
    /// Settles the settings. Reads the environment, once, and the system's certificates; never uses the network.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Gate::guarded(|| {
            let settings = Settings::settle(config, |name| std::env::var_os(name))?;
            let speaks_tls = settings.endpoint.as_ref().is_none_or(|endpoint| endpoint.is_https());
            let tls = if speaks_tls { Tls::from_system()? } else { Tls::unused()? };
            let client = Self { settings, tls, process: PerProcess::new() };
            client.process();
            Ok(client)
        })
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
        let shared = Shared { settings: &self.settings, budget: &process.budget, clock: &process.clock };
        invoke(&process.pool, &process.tls, shared, invocation, interrupt)
    }

    fn process(&self) -> &Process {
        self.process.get_or(|| Process {
            pool: Pool::new(self.settings.max_connections),
            budget: Budget::default(),
            clock: Clock::default(),
            tls: self.tls.with_own_sessions(),
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}
