//! The credentials of one client: loaded once however many calls need them, refreshed before they expire, and loaded again
//! after a load that failed. A forked child takes over what its parent had loaded.

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_runtime_api::client::identity::Identity;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use crate::config::credentials::{Callback, Credentials};
use crate::config::settings::Settings;
use crate::credentials::loaded::{Inheritance, Loaded};
use crate::credentials::source::{Source, SourceKind};
use crate::error::Error;
use crate::http::transport::Transport;
use crate::large_future::on_heap;
use crate::lock::lock;
use crate::log::{Log, target};
use crate::status::Status;

/// A call waits no longer for a refresh while the present credentials are good.
const REFRESH_LIMIT: Duration = Duration::from_secs(30);
/// A call that waited does not begin a load with less left: calls of one deadline would begin one after the other.
const TOO_LITTLE: Duration = Duration::from_millis(10);
/// After a refresh that failed, the next one waits this long at least, or a tenth of what the credentials have left.
const PAUSE: Duration = Duration::from_secs(1);

/// Shared by all calls of a client in one process.
pub(crate) struct CredentialsCache {
    /// Whoever has it loads; the others wait for it, each inside its own deadline.
    refresh: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
    inheritance: Arc<Inheritance>,
}

#[derive(Default)]
struct State {
    loaded: Option<Loaded>,
    /// How many loads have ended, and how the last one failed.
    loads: u64,
    failure: Option<Error>,
    /// After a refresh that failed while the present credentials were still good.
    not_before: Option<Instant>,
    /// The thread that the application's callback runs on.
    callback_thread: Option<ThreadId>,
}

/// What a call gets that needs credentials.
pub(crate) enum CacheLookup {
    Found(Identity),
    /// The application's callback has to run, outside the runtime.
    RunCallback(CallbackLoad),
}

/// The right and the duty to run the application's callback. If it is dropped unused, the next waiting call gets it.
pub(crate) struct CallbackLoad {
    cache: Arc<CredentialsCache>,
    callback: Callback,
    log: Log,
    time: Time,
    _refresh: OwnedMutexGuard<()>,
}

/// The client's time, which goes on while a load runs.
#[derive(Clone, Copy)]
struct Time {
    then: SystemTime,
    since: Instant,
}

impl Time {
    fn now(self) -> SystemTime {
        self.then.checked_add(self.since.elapsed()).unwrap_or(self.then)
    }
}

/// The application's callback runs, on this thread, while this lives.
struct CallbackRuns<'a>(&'a CredentialsCache);

impl<'a> CallbackRuns<'a> {
    fn begin(cache: &'a CredentialsCache) -> Self {
        cache.state().callback_thread = Some(thread::current().id());
        Self(cache)
    }
}

impl Drop for CallbackRuns<'_> {
    fn drop(&mut self) {
        self.0.state().callback_thread = None;
    }
}

impl CallbackLoad {
    /// Runs the callback and ends the load.
    pub(crate) fn run(self) -> Result<Identity, Error> {
        let began = Instant::now();
        let runs = CallbackRuns::begin(&self.cache);
        let result = self.callback.call();
        drop(runs);
        let result = result.map_err(|message| no_credentials(&format!("the credentials callback: {message}")));
        let loaded = result.map(|credentials| (credentials, "the credentials callback".to_owned()));
        self.cache.end_load(loaded, began, self.time.now(), &self.log)
    }
}

/// What the cache has for a call.
enum Present {
    Good(Identity),
    /// A load is needed. `loads`: how many there were so far; `refresh`: the lock, if the present credentials are still good.
    Needed {
        loads: u64,
        refresh: Option<OwnedMutexGuard<()>>,
    },
}

impl CredentialsCache {
    /// Begins with what the parent process has loaded, if this one was forked.
    pub(crate) fn new(source: &Source) -> Self {
        let state = State { loaded: source.inheritance.take_over(), ..State::default() };
        Self { refresh: Arc::default(), state: Mutex::new(state), inheritance: Arc::clone(&source.inheritance) }
    }

    /// Decides whether the present credentials serve, or whether a load is needed.
    fn present(&self, now: SystemTime) -> Present {
        let state = self.state();
        let mut refresh = None;
        if let Some(loaded) = state.loaded.as_ref().filter(|loaded| loaded.are_good(now)) {
            let is_too_early = state.not_before.is_some_and(|not_before| Instant::now() < not_before);
            // One call refreshes them; the others do not wait for it.
            if loaded.need_refresh(now) && !is_too_early {
                refresh = Arc::clone(&self.refresh).try_lock_owned().ok();
            }
            if refresh.is_none() {
                return Present::Good(loaded.identity.clone());
            }
        }
        Present::Needed { loads: state.loads, refresh }
    }

    /// Refuses a call that the application's callback makes with its own client: the callback would wait for itself, or for
    /// the permit of the call that it serves. Called on the thread that makes the call, before it waits for anything.
    pub(crate) fn refuse_inside_callback(&self) -> Result<(), Error> {
        // The thread may be at its end, where it has no number any more.
        match self.state().callback_thread.is_some_and(|thread| thread == thread::current().id()) {
            true => Err(no_credentials("the credentials callback calls with its own client, which waits for it")),
            false => Ok(()),
        }
    }

    /// Returns the credentials for an attempt that begins `now`, of a call that ends at `deadline`. May wait, and use the
    /// network.
    pub(crate) async fn current(
        self: &Arc<Self>,
        settings: &Settings,
        source: &Source,
        log: &Log,
        transport: &Transport,
        now: SystemTime,
        deadline: Option<Instant>,
    ) -> Result<CacheLookup, Error> {
        let time = Time { then: now, since: Instant::now() };
        if let SourceKind::Static(credentials) = &source.kind {
            let credentials = &credentials.value;
            return match expired(credentials, now) {
                Some(how) => Err(no_credentials(&format!("the environment holds {how}"))),
                None => Ok(CacheLookup::Found(credentials.identity())),
            };
        }
        let (seen, refresh) = match self.present(now) {
            Present::Good(identity) => return Ok(CacheLookup::Found(identity)),
            Present::Needed { loads, refresh } => (loads, refresh),
        };
        let is_refresh = refresh.is_some();
        let refresh = match refresh {
            Some(refresh) => refresh,
            None => Arc::clone(&self.refresh).lock_owned().await,
        };
        if let Some(shared) = self.result_since(seen) {
            return shared.map(CacheLookup::Found);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if time.since.elapsed() > TOO_LITTLE && left.is_some_and(|left| left < TOO_LITTLE) {
            // It waited for a load whose call gave up, and is about to give up itself.
            pending::<()>().await;
        }
        let began = Instant::now();
        match &source.kind {
            SourceKind::Static(credentials) => Ok(CacheLookup::Found(credentials.value.identity())),
            SourceKind::Callback(callback) => Ok(CacheLookup::RunCallback(CallbackLoad {
                cache: Arc::clone(self),
                callback: callback.clone(),
                log: log.clone(),
                time,
                _refresh: refresh,
            })),
            SourceKind::Chain(chain) => {
                let mut load = on_heap(|| without_panic(chain.load(transport, &settings.proxies, log, time.now())));
                let limit = left.map_or(REFRESH_LIMIT, |left| REFRESH_LIMIT.min(left / 2));
                let loaded = match is_refresh {
                    false => load.await,
                    true => match timeout(limit, load.as_mut()).await {
                        Ok(loaded) => loaded,
                        Err(_) if self.has_good(time.now()) => {
                            Err(no_credentials(&format!("it took more than {} ms", limit.as_millis())))
                        }
                        // Meanwhile the present ones have expired.
                        Err(_) => load.await,
                    },
                };
                // A callback may do so: it is asked again by the next call.
                let loaded = loaded.and_then(|(credentials, from)| match expired(&credentials, time.now()) {
                    Some(how) => Err(no_credentials(&format!("{from} returned {how}"))),
                    None => Ok((credentials, from)),
                });
                self.end_load(loaded, began, time.now(), log).map(CacheLookup::Found)
            }
        }
    }

    /// What came of a load that ended while this call waited to begin one: it holds for all who waited.
    fn result_since(&self, seen: u64) -> Option<Result<Identity, Error>> {
        let state = self.state();
        match (&state.loaded, &state.failure) {
            _ if state.loads == seen => None,
            (_, Some(failure)) => Some(Err(failure.clone())),
            (Some(loaded), None) => Some(Ok(loaded.identity.clone())),
            // The service has refused them already.
            (None, None) => None,
        }
    }

    fn has_good(&self, now: SystemTime) -> bool {
        self.state().loaded.as_ref().is_some_and(|loaded| loaded.are_good(now))
    }

    /// Forgets credentials that the service took for expired.
    pub(crate) fn reject(&self, rejected: &Identity) {
        let mut state = self.state();
        if state.loaded.as_ref().is_some_and(|loaded| are_same(&loaded.identity, rejected)) {
            state.loaded = None;
            self.inheritance.leave(None);
        }
    }

    /// Keeps what a load came to: credentials and what they came from. `now` is the time after it.
    fn end_load(
        &self,
        loaded: Result<(Credentials, String), Error>,
        began: Instant,
        now: SystemTime,
        log: &Log,
    ) -> Result<Identity, Error> {
        let mut state = self.state();
        state.loads += 1;
        state.failure = None;
        let error = match loaded {
            Ok((credentials, from)) => {
                let loaded = Loaded::new(&credentials, now);
                let identity = loaded.identity.clone();
                self.inheritance.leave(Some(loaded.clone()));
                state.loaded = Some(loaded);
                state.not_before = None;
                drop(state);
                log.info(target::CREDENTIALS, || {
                    let end = match credentials.expires().map(|at| at.duration_since(now).unwrap_or_default()) {
                        Some(left) => format!("they expire in {} s", left.as_secs()),
                        None => "they do not expire".to_owned(),
                    };
                    format!("credentials from {from}, access key {}; {end}", credentials.access_key_id())
                });
                return Ok(identity);
            }
            Err(error) => error,
        };
        // Judged by the time after the load, which may have taken long.
        let Some(present) = state.loaded.clone().filter(|present| present.are_good(now)) else {
            state.loaded = None;
            self.inheritance.leave(None);
            state.failure = Some(error.clone());
            drop(state);
            match error.is_for_lack_of_descriptors() {
                // The call waits for some, and loads again.
                true => log.warn(target::CREDENTIALS, || error.message().to_owned()),
                false => log.error(target::CREDENTIALS, || error.message().to_owned()),
            }
            return Err(error);
        };
        // A source that is slow to fail is not asked by every call.
        let pause = PAUSE.min(present.left(now).unwrap_or_default() / 10);
        state.not_before = Instant::now().checked_add((began.elapsed() * 10).max(pause));
        drop(state);
        log.warn(target::CREDENTIALS, || {
            format!("the credentials could not be refreshed, the present ones are still good: {}", error.message())
        });
        Ok(present.identity)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn no_credentials(why: &str) -> Error {
    Error::new(Status::Credentials, format!("no credentials: {why}"))
}

/// That credentials have expired, in words.
fn expired(credentials: &Credentials, now: SystemTime) -> Option<String> {
    let ago = now.duration_since(credentials.expires()?).ok()?;
    Some(format!("credentials that expired {} s ago", ago.as_secs()))
}

/// A panic in a provider is a failure to load: no byte of the call has left. None is known.
async fn without_panic<T>(load: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut load = pin!(load);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| load.as_mut().poll(context))).unwrap_or_else(|_| {
            let why = "a provider of credentials panicked on what a server or a file said; please report it";
            Poll::Ready(Err(no_credentials(why)))
        })
    })
    .await
}

/// Whether both are the same credentials.
pub(crate) fn are_same(one: &Identity, other: &Identity) -> bool {
    match (one.data::<Credentials>(), other.data::<Credentials>()) {
        (Some(Credentials { inner: one, .. }), Some(Credentials { inner: other, .. })) => {
            one.access_key_id() == other.access_key_id() && one.session_token() == other.session_token()
        }
        _ => false,
    }
}
