//! The state of a client in one process. Calls under way keep it alive.

use std::ptr;
use std::sync::{Arc, Mutex, Weak};

use crate::call::Shared;
use crate::config::setting::Origin;
use crate::config::settings::Settings;
use crate::config::tls::Tls;
use crate::credentials::source::Source;
use crate::driver::connection::Connection;
use crate::driver::descriptors::{Descriptors, Lease};
use crate::driver::permits::{self, CallKind, Permit, Permits};
use crate::driver::pool::{IdleConnections, Owner, Pool};
use crate::driver::shared_runtime::SharedRuntime;
use crate::driver::worker::{NoWorker, Worker};
use crate::error::Error;
use crate::http::reuse::ConnectionReuse;
use crate::http::transport::{ConnectorSettings, Transport};
use crate::lock::lock;
use crate::log::{Log, target};
use crate::platform::limits;
use crate::platform::native::Native;

/// The part of a client that must not cross a fork.
pub(crate) struct ClientState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) permits: Arc<Permits>,
    pub(crate) descriptors: Arc<Descriptors>,
    pool: Arc<Pool<Box<Worker>>>,
    /// Drives the blocking calls that are under way beside others.
    pub(crate) shared_runtime: Arc<SharedRuntime>,
    /// The pools of the queues that this client's calls were submitted to, each with the hub that it belongs to.
    pools_of_hubs: Mutex<Vec<PoolOfHub>>,
    tls: rustls::ClientConfig,
    reuse: Arc<ConnectionReuse>,
}

type PoolOfHub = (Weak<()>, Arc<Pool<Connection>>);

impl ClientState {
    pub(crate) fn new(settings: &Arc<Settings>, source: &Arc<Source>, tls: &Tls) -> Self {
        let max = &settings.max_connections;
        let permits = match max.origin {
            Origin::System => Permits::by_descriptors(max.value, limits::DESCRIPTORS_PER_CALL),
            _ => Permits::for_calls(max.value),
        };
        let pool = Arc::<Pool<Box<Worker>>>::default();
        let descriptors = Arc::clone(Descriptors::of_this_process());
        let registered: Weak<Pool<Box<Worker>>> = Arc::downgrade(&pool);
        descriptors.register(registered);
        let shared_runtime = Arc::new(SharedRuntime::new(limits::processors(), permits.max(CallKind::Blocking)));
        let registered: Weak<SharedRuntime> = Arc::downgrade(&shared_runtime);
        descriptors.register(registered);
        Self {
            shared: Arc::new(Shared::new(Arc::clone(settings), Arc::clone(source))),
            permits,
            descriptors,
            pool,
            shared_runtime,
            pools_of_hubs: Mutex::default(),
            tls: tls.with_own_sessions(),
            reuse: Arc::default(),
        }
    }

    /// Gives a lease a worker of this client: the one that came with the lease, an idle one, or a new one.
    pub(crate) fn equip<'l>(&self, lease: &'l mut Lease) -> Result<&'l mut Worker, NoWorker> {
        let worker = match lease.take_worker_of(&self.pool).or_else(|| self.pool.take()) {
            Some(worker) => worker,
            None => Box::new(self.new_worker()?),
        };
        Ok(lease.set_worker(&self.pool, worker))
    }

    /// Closes the connections that no call uses.
    pub(crate) fn release_idle(&self) {
        self.pool.close_all();
        self.shared_runtime.close_idle();
        let pools: Vec<_> = lock(&self.pools_of_hubs).iter().map(|(_, pool)| Arc::clone(pool)).collect();
        pools.iter().for_each(|pool| pool.close_all());
    }

    /// Returns the connections that this client has with a hub.
    pub(crate) fn pool_of(&self, owner: &Owner) -> Arc<Pool<Connection>> {
        let mut pools = lock(&self.pools_of_hubs);
        if let Some((_, pool)) = pools.iter().find(|(known, _)| ptr::eq(known.as_ptr(), Arc::as_ptr(owner))) {
            return Arc::clone(pool);
        }
        pools.retain(|(owner, _)| owner.strong_count() > 0);
        let pool = Arc::<Pool<Connection>>::default();
        let registered: Weak<Pool<Connection>> = Arc::downgrade(&pool);
        self.descriptors.register(registered);
        pools.push((Arc::downgrade(owner), Arc::clone(&pool)));
        pool
    }

    /// Makes the means to open one connection after the other in the runtime that uses it.
    pub(crate) fn new_transport(&self) -> Result<Transport, Error> {
        self.make_room();
        Transport::new(self.connector(), &self.shared.settings.proxies)
    }

    /// Closes an idle connection if a new one would be one too many: those of one pool are of no use to the calls of another.
    fn make_room(&self) {
        let of_hubs = lock(&self.pools_of_hubs).iter().map(|(_, pool)| Arc::clone(pool)).collect::<Vec<_>>();
        let of_hubs = of_hubs.iter().map(|pool| &**pool as &dyn IdleConnections);
        let pools = of_hubs.chain([&*self.pool as &dyn IdleConnections, &*self.shared_runtime]).collect::<Vec<_>>();
        if self.permits.are_exceeded_with(pools.iter().map(|pool| pool.count()).sum()) {
            let oldest = pools.iter().filter_map(|pool| Some((pool.oldest()?, pool))).min_by_key(|(since, _)| *since);
            if let Some((_, pool)) = oldest {
                pool.close_oldest();
            }
        }
    }

    fn new_worker(&self) -> Result<Worker, NoWorker> {
        self.make_room();
        Worker::new(self.connector(), &self.shared.settings.proxies)
    }

    /// Returns a permit, or the wait for one, which is logged from time to time.
    pub(crate) fn permit(&self, kind: CallKind, log: &Log) -> Result<Permit, permits::Acquire> {
        self.permits.try_acquire(kind).ok_or_else(|| {
            self.log_if_calls_wait(kind, log);
            self.permits.acquire(kind)
        })
    }

    fn log_if_calls_wait(&self, kind: CallKind, log: &Log) {
        if self.permits.begins_to_wait(kind) {
            log.warn(target::CALL, || {
                format!(
                    "calls wait, since {} calls of this client are under way, which is its max_connections. To allow more, \
                     set it; unless it is set, it is what half of the limit of open files (ulimit -n) allows",
                    self.permits.max(kind)
                )
            });
        }
    }

    fn connector(&self) -> ConnectorSettings {
        ConnectorSettings {
            timeout: self.shared.settings.connect_timeout.value,
            tls: self.tls.clone(),
            platform: Arc::new(Native),
            reuse: Arc::clone(&self.reuse),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::config::{Config, default};
    use crate::config::credentials::Credentials;
    use crate::config::setting::Setting;
    use crate::config::tls::TrustedRoots;
    use crate::credentials::source::SourceKind;
    use crate::driver::pool::Reusable;

    fn state() -> ClientState {
        let config = Config { endpoint_url: Some("http://localhost:1".to_owned()), ..Config::default() };
        let settings = Settings::of(&config, &[]).unwrap();
        let credentials = Credentials::new("AKID", "secret", None, None).unwrap();
        let kind = SourceKind::Static(Setting::new(credentials, Origin::Default));
        let source = Source { kind, inheritance: Arc::default() };
        let tls = Tls::new(TrustedRoots::none(&settings.trust, |_| None).unwrap()).unwrap();
        ClientState::new(&Arc::new(settings), &Arc::new(source), &tls)
    }

    fn idle_worker(state: &ClientState, idle_for: Duration) -> Box<Worker> {
        let Ok(mut worker) = state.new_worker() else { panic!("no worker") };
        worker.end_call(Instant::now().checked_sub(idle_for).unwrap());
        Box::new(worker)
    }

    #[test]
    fn the_next_call_closes_what_has_been_idle_for_too_long() {
        let state = state();
        let long = default::IDLE_TIMEOUT;
        for idle_for in [long * 2, long, long / 2, Duration::ZERO] {
            state.pool.keep(idle_worker(&state, idle_for));
        }
        let taken = state.pool.take().unwrap();
        assert!(taken.idle_since().unwrap().elapsed() < long / 2, "the last one used is used next");
        assert!(state.pool.take().is_some());
        assert!(state.pool.take().is_none(), "the other two are closed");
    }

    #[test]
    fn as_many_are_kept_as_were_in_use() {
        let state = state();
        (0..40).for_each(|_| state.pool.keep(idle_worker(&state, Duration::ZERO)));
        let taken: Vec<_> = std::iter::from_fn(|| state.pool.take()).collect();
        assert_eq!(taken.len(), 40);
        taken.into_iter().for_each(|worker| state.pool.keep(worker));
        state.release_idle();
        assert!(state.pool.take().is_none());
    }
}
