//! The client that a caller holds: the resolved settings, and in each process the state that its calls share.

use std::sync::Arc;

use crate::config::config::Config;
use crate::config::describe::describe;
use crate::config::environment::Environment;
use crate::config::lookup::Lookup;
use crate::config::profile::Profiles;
use crate::config::settings::{Settings, Surroundings};
use crate::config::tls::{Tls, TrustedRoots};
use crate::credentials::source::Source;
use crate::driver::blocking::invoke;
use crate::driver::caller::run_log_callback;
use crate::driver::client_state::ClientState;
use crate::driver::fork_barrier::ForkBarrier;
use crate::driver::interrupt::Interrupt;
use crate::driver::queue::Queue;
use crate::error::Error;
use crate::log::{Sink, target};
use crate::outcome::Outcome;
use crate::platform::limits;
use crate::platform::per_process::PerProcess;
use crate::platform::privilege;
use crate::platform::stderr::stderr;
use crate::request::invocation::Invocation;
use crate::stream::ResponseStream;

/// Invokes functions. Any number of threads may share a client. It needs no thread, and no descriptor until the first
/// call.
pub struct Client {
    settings: Arc<Settings>,
    source: Arc<Source>,
    tls: Tls,
    /// The trusted roots are those compiled in, not the system's.
    trusts_built_in: bool,
    /// The part that must not cross a fork.
    state: PerProcess<Arc<ClientState>>,
}

/// Lets the compiler check that threads may share a client.
const fn is_shared_by_threads<T: Send + Sync>() {}
const _: () = is_shared_by_threads::<Client>();

impl Client {
    /// Makes a client and resolves its settings. Reads the environment, the shared AWS files and the trusted
    /// certificates once; never uses the network.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let client = Self::resolved(config)?;
        let log = &client.settings.log;
        if client.trusts_built_in {
            log.warn(target::CONFIG, || {
                "no trust store was found on this machine: the compiled-in Mozilla roots are trusted".to_owned()
            });
        }
        for warning in &client.settings.warnings {
            log.warn(target::CONFIG, || warning.clone());
        }
        log.debug(target::CONFIG, || client.describe());
        Ok(client)
    }

    fn resolved(config: &Config) -> Result<Self, Error> {
        // Both take locks of the standard and the C library, which must not be held at the time of a fork.
        let variable = |name: &str| ForkBarrier::guarded(|| privilege::variable(name));
        let home = ForkBarrier::guarded(privilege::home);
        let home_of = |user: &str| ForkBarrier::guarded(|| privilege::home_of(user));
        let environment =
            Environment { variable: &variable, home, home_of: &home_of, out_of_descriptors: limits::explained };
        let profiles = Profiles::read(config.profile.as_deref(), &environment)?;
        let lookup = Lookup { environment: &environment, profiles: &profiles };
        let (stderr, max_connections) = (stderr(), limits::default_max_connections());
        let surroundings = Surroundings { stderr, callers_sink: through_run_log_callback, max_connections };
        let settings = Settings::resolve(config, &lookup, surroundings)?;
        let source = Source::resolve(config, &lookup, &settings)?;
        let roots = match settings.speaks_tls() || source.speaks_tls() {
            true => TrustedRoots::load(&settings.trust, limits::explained)?,
            false => TrustedRoots::none(&settings.trust, limits::explained)?,
        };
        let trusts_built_in = roots.are_built_in;
        let (settings, source) = (Arc::new(settings), Arc::new(source));
        // Dependencies initialise themselves here, once per process. A fork waits for that, but never for the files
        // above.
        ForkBarrier::guarded(|| {
            let client = Self { settings, source, tls: Tls::new(roots)?, trusts_built_in, state: PerProcess::new() };
            client.state();
            Ok(client)
        })
    }

    /// Describes the settings in force and where each came from: a JSON object with one member per setting, each an
    /// object with `value` and `source`. Never shows a secret. Does not use the network.
    pub fn describe(&self) -> String {
        describe(&self.settings, &self.source.summary(), self.trusts_built_in)
    }

    /// Closes the idle connections now. Connections in use stay open, and later calls open new ones. Useful after a burst
    /// of calls, before a long pause. Does not block.
    pub fn release_idle(&self) {
        self.state().release_idle();
    }

    /// Invokes a function and blocks until there is a response or the deadline passes. Every failure is an outcome.
    ///
    /// Takes a request (its payload is moved), a reference to one (its payload is copied) or an [`Invocation`], which
    /// also holds the settings of one call.
    ///
    /// Blocks the thread, so call it in tokio through `spawn_blocking`. On a thread that belongs to a tokio runtime, the call
    /// and its callbacks run on another thread, which is started for it: some 50 µs more. A [`Queue`] needs no such thread.
    pub fn invoke(&self, invocation: impl Into<Invocation>) -> Outcome {
        self.call(&invocation.into(), None)
    }

    /// Invokes a function as [`Client::invoke`] does, and polls `interrupt` on this thread before the call begins and
    /// then at least every 100 ms. `true` ends the call.
    pub fn invoke_interruptible(
        &self,
        invocation: impl Into<Invocation>,
        interrupt: &mut dyn FnMut() -> bool,
    ) -> Outcome {
        self.call(&invocation.into(), Some(interrupt))
    }

    /// Submits a call to a queue, and does not wait for it. Once this returns `Ok`, exactly one completion with this tag
    /// comes. A request that cannot be sent is accepted too: its completion says why. An error means that there is no memory
    /// for another call.
    ///
    /// The call's timeout begins now. Calls beyond the client's `max_connections` wait for their turn inside it.
    pub fn submit(&self, queue: &Queue, invocation: impl Into<Invocation>, tag: u64) -> Result<(), Error> {
        self.submit_call(queue, &invocation.into(), tag)
    }

    pub(crate) fn submit_call(&self, queue: &Queue, invocation: &Invocation, tag: u64) -> Result<(), Error> {
        queue.state().submit(Arc::clone(self.state()), invocation, tag)
    }

    /// Submits a call that is refused before it begins.
    pub(crate) fn submit_refused(
        &self,
        queue: &Queue,
        invocation: &Invocation,
        error: &Error,
        tag: u64,
    ) -> Result<(), Error> {
        queue.state().complete_at_once(self.refuse(invocation, error), tag)
    }

    /// Invokes a function whose response is read as it is made (InvokeWithResponseStream). Does not block: the first
    /// [`ResponseStream::next`] sends the request. An `Event` and a durable execution name are refused.
    pub fn invoke_stream(&self, invocation: impl Into<Invocation>) -> ResponseStream {
        self.stream(&invocation.into())
    }

    pub(crate) fn stream(&self, invocation: &Invocation) -> ResponseStream {
        ResponseStream::new(self.state(), invocation)
    }

    pub(crate) fn call(&self, invocation: &Invocation, interrupt: Option<Interrupt<'_>>) -> Outcome {
        // The call keeps the state alive if the client is freed meanwhile.
        let state = Arc::clone(self.state());
        invoke(&state, invocation, interrupt)
    }

    /// Makes the outcome of a call that is refused before it begins.
    pub(crate) fn refuse(&self, invocation: &Invocation, error: &Error) -> Outcome {
        self.state().shared.refuse(invocation, error)
    }

    fn state(&self) -> &Arc<ClientState> {
        self.state.get_or(|| Arc::new(ClientState::new(&self.settings, &self.source, &self.tls)))
    }
}

fn through_run_log_callback(sink: Sink) -> Sink {
    Arc::new(move |level, target, message| run_log_callback(|| sink(level, target, message)))
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}
