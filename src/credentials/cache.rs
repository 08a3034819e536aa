//! The keys of one client in one process: loaded once however many calls need them, again before they expire, and again
//! when a load failed.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_runtime_api::client::identity::Identity;
use tokio::sync::OwnedMutexGuard;

use crate::config::credentials::{Callback, Credentials};
use crate::config::settings::Settings;
use crate::credentials::source::Source;
use crate::error::Error;
use crate::http::transport::Transport;
use crate::log::{Log, target};
use crate::status::Status;

/// Keys are loaded anew this long before they expire, or when a quarter of their life is left.
const AHEAD: Duration = Duration::from_secs(300);
/// Keys with less than this left are as good as expired: a request takes time to arrive.
const MARGIN: Duration = Duration::from_secs(10);

/// A call waits no longer for keys that take the place of good ones.
const RENEWAL: Duration = Duration::from_secs(30);
/// After a renewal that failed the next one waits so long at least, or a tenth of what the old keys have left.
const PAUSE: Duration = Duration::from_secs(1);

/// Shared by all calls of a client.
#[derive(Default)]
pub(crate) struct CredentialsCache {
    /// Whoever has it loads; the others wait for it, each inside its own deadline.
    refresh: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<Keys>,
    /// How many loads have ended, and how the last one failed.
    loads: u64,
    failure: Option<Error>,
    /// After a load that failed while the old keys were still good.
    not_before: Option<Instant>,
    /// The thread that the host's callback runs on.
    asking: Option<ThreadId>,
}

struct Keys {
    identity: Identity,
    /// None: they do not expire.
    end: Option<End>,
}

#[derive(Clone, Copy)]
struct End {
    refresh_at: SystemTime,
    useless_at: SystemTime,
}

/// What a call gets that asks for keys.
pub(crate) enum CacheLookup {
    Found(Identity),
    /// The host's callback has to be asked, outside the runtime.
    AskCaller(CallbackTurn),
}

/// The right and the duty to ask the caller's callback. Dropped unused, the next call that waits gets it.
pub(crate) struct CallbackTurn {
    cache: Arc<CredentialsCache>,
    callback: Callback,
    log: Log,
    now: SystemTime,
    _refresh: OwnedMutexGuard<()>,
}

/// The host's callback runs, on this thread, while this lives.
struct Asking<'a>(&'a CredentialsCache);

impl<'a> Asking<'a> {
    fn begin(credentials_cache: &'a CredentialsCache) -> Self {
        credentials_cache.state().asking = Some(thread::current().id());
        Self(credentials_cache)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.state().asking = None;
    }
}

impl CallbackTurn {
    /// Runs the host's code.
    pub(crate) fn ask(self) -> Result<Identity, Error> {
        let began = Instant::now();
        let asking = Asking::begin(&self.cache);
        let answer = self.callback.call();
        drop(asking);
        let answer = answer.map_err(|message| {
            Error::new(Status::Credentials, format!("no credentials: the credentials callback: {message}"))
        });
        let loaded = answer.map(|keys| (keys, "the credentials callback".to_owned()));
        self.cache.end_load(loaded, began, self.now, &self.log)
    }
}

impl CredentialsCache {
    /// The keys for an attempt that begins `now`, of a call that ends at `deadline`. May wait, and use the network.
    pub(crate) async fn current(
        self: &Arc<Self>,
        settings: &Settings,
        source: &Source,
        log: &Log,
        transport: &Transport,
        now: SystemTime,
        deadline: Option<Instant>,
    ) -> Result<CacheLookup, Error> {
        if let Source::Static(keys) = source {
            return Ok(CacheLookup::Found(keys.value.identity()));
        }
        let mut refresh = None;
        // What a renewal may take that is not needed yet.
        let mut limit = None;
        let seen = {
            let state = self.state();
            if state.asking == Some(thread::current().id()) {
                return Err(Error::new(
                    Status::Credentials,
                    "no credentials: the credentials callback calls with its own client, which waits for it",
                ));
            }
            match state.keys.as_ref().map(|keys| (keys, keys.end)) {
                Some((keys, None)) => return Ok(CacheLookup::Found(keys.identity.clone())),
                Some((keys, Some(end))) if now < end.useless_at => {
                    let too_early = state.not_before.is_some_and(|not_before| Instant::now() < not_before);
                    // Still good: one call loads new ones, the others do not wait for it.
                    if now >= end.refresh_at && !too_early {
                        refresh = Arc::clone(&self.refresh).try_lock_owned().ok();
                    }
                    if refresh.is_none() {
                        return Ok(CacheLookup::Found(keys.identity.clone()));
                    }
                    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                    limit = Some(left.map_or(RENEWAL, |left| RENEWAL.min(left / 2)));
                }
                _ => {}
            }
            state.loads
        };
        let refresh = match refresh {
            Some(refresh) => refresh,
            None => Arc::clone(&self.refresh).lock_owned().await,
        };
        {
            let state = self.state();
            if state.loads != seen {
                // Somebody has loaded meanwhile; how it went holds for all who waited for it.
                match (&state.keys, &state.failure) {
                    (_, Some(failure)) => return Err(failure.clone()),
                    (Some(keys), None) => return Ok(CacheLookup::Found(keys.identity.clone())),
                    // The service has refused them already.
                    (None, None) => {}
                }
            }
        }
        let began = Instant::now();
        match source {
            Source::Static(keys) => Ok(CacheLookup::Found(keys.value.identity())),
            Source::Callback(callback) => Ok(CacheLookup::AskCaller(CallbackTurn {
                cache: Arc::clone(self),
                callback: callback.clone(),
                log: log.clone(),
                now,
                _refresh: refresh,
            })),
            Source::Chain(chain) => {
                let load = without_panic(chain.load(transport, &settings.proxies, log));
                let loaded = match limit {
                    None => load.await,
                    Some(limit) => tokio::time::timeout(limit, load).await.unwrap_or_else(|_| {
                        Err(Error::new(Status::Credentials, format!("it took more than {} ms", limit.as_millis())))
                    }),
                };
                self.end_load(loaded, began, now, log).map(CacheLookup::Found)
            }
        }
    }

    /// Forgets keys that the service took for expired.
    pub(crate) fn reject(&self, rejected: &Identity) {
        let mut state = self.state();
        if state.keys.as_ref().is_some_and(|keys| are_same(&keys.identity, rejected)) {
            state.keys = None;
        }
    }

    /// Takes down what a load came to: keys and what they came from.
    fn end_load(
        &self,
        loaded: Result<(Credentials, String), Error>,
        began: Instant,
        now: SystemTime,
        log: &Log,
    ) -> Result<Identity, Error> {
        let mut state = self.state();
        state.loads += 1;
        match loaded {
            Ok((keys, from)) => {
                let left = keys.expires().map(|expires| expires.duration_since(now).unwrap_or_default());
                let identity = keys.identity();
                state.keys = Some(Keys { identity: identity.clone(), end: keys.expires().map(|at| End::of(at, now)) });
                state.failure = None;
                state.not_before = None;
                drop(state);
                log.info(target::CREDENTIALS, || {
                    let end = match left {
                        Some(left) => format!("they expire in {} s", left.as_secs()),
                        None => "they do not expire".to_owned(),
                    };
                    format!("credentials from {from}, access key {}; {end}", keys.access_key_id())
                });
                Ok(identity)
            }
            Err(error) => {
                let old = state.keys.as_ref().filter(|keys| keys.end.is_none_or(|end| now < end.useless_at));
                let Some(identity) = old.map(|keys| keys.identity.clone()) else {
                    state.keys = None;
                    state.failure = Some(error.clone());
                    drop(state);
                    log.error(target::CREDENTIALS, || error.message().to_owned());
                    return Err(error);
                };
                // The old ones serve on. A source that is slow to fail is not asked by every call.
                state.failure = None;
                let left = state.keys.as_ref().and_then(|keys| keys.end);
                let left = left.map(|end| end.useless_at.duration_since(now).unwrap_or_default()).unwrap_or_default();
                state.not_before = Instant::now().checked_add((began.elapsed() * 10).max(PAUSE.min(left / 10)));
                drop(state);
                log.warn(target::CREDENTIALS, || {
                    format!("the credentials could not be renewed, the old ones are still good: {}", error.message())
                });
                Ok(identity)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl End {
    fn of(expires: SystemTime, now: SystemTime) -> Self {
        let life = expires.duration_since(now).unwrap_or_default();
        let before = |by: Duration| expires.checked_sub(by).unwrap_or(expires);
        Self { refresh_at: before(AHEAD.min(life / 4)), useless_at: before(MARGIN.min(life / 10)) }
    }
}

/// A panic in there is a failure to load: no byte of the call has left.
async fn without_panic<T>(load: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut load = pin!(load);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| load.as_mut().poll(context))).unwrap_or_else(|_| {
            let message = "a panic was caught while credentials were loaded; please report it";
            Poll::Ready(Err(Error::new(Status::Internal, message)))
        })
    })
    .await
}

/// Whether both are the same keys.
pub(crate) fn are_same(one: &Identity, other: &Identity) -> bool {
    let keys = |identity: &Identity| identity.data::<aws_credential_types::Credentials>().cloned();
    match (keys(one), keys(other)) {
        (Some(one), Some(other)) => {
            one.access_key_id() == other.access_key_id() && one.session_token() == other.session_token()
        }
        _ => false,
    }
}
