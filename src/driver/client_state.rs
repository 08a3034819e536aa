//! The state of a client in one process. Calls under way keep it alive.

use std::sync::Arc;

use crate::call::Shared;
use crate::config::settings::Settings;
use crate::config::tls::Tls;
use crate::credentials::source::Source;
use crate::driver::descriptors::{Descriptors, Lease};
use crate::driver::permits::Permits;
use crate::driver::pool::Pool;
use crate::driver::worker::{NoWorker, Worker};
use crate::http::reuse::ConnectionReuse;
use crate::http::transport::ConnectorSettings;
use crate::platform::native::Native;

/// The part of a client that must not cross a fork.
pub(crate) struct ClientState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) permits: Arc<Permits>,
    pub(crate) descriptors: Arc<Descriptors>,
    pool: Arc<Pool>,
    tls: rustls::ClientConfig,
    reuse: Arc<ConnectionReuse>,
}

impl ClientState {
    pub(crate) fn new(settings: &Arc<Settings>, source: &Arc<Source>, tls: &Tls) -> Self {
        let pool = Arc::new(Pool::default());
        let descriptors = Arc::clone(Descriptors::of_this_process());
        descriptors.register(&pool);
        Self {
            shared: Arc::new(Shared::new(Arc::clone(settings), Arc::clone(source))),
            permits: Permits::new(settings.max_connections.value),
            descriptors,
            pool,
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
    }

    fn new_worker(&self) -> Result<Worker, NoWorker> {
        let settings = &self.shared.settings;
        let timeout = settings.connect_timeout.value;
        let connector = ConnectorSettings {
            timeout,
            tls: self.tls.clone(),
            platform: Arc::new(Native),
            reuse: Arc::clone(&self.reuse),
        };
        Worker::new(connector, &settings.proxies)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::config::{Config, default};
    use crate::config::credentials::Credentials;
    use crate::config::setting::{Origin, Setting};
    use crate::config::tls::TrustedRoots;
    use crate::credentials::source::SourceKind;

    fn state() -> ClientState {
        let config = Config { endpoint_url: Some("http://localhost:1".to_owned()), ..Config::default() };
        let settings = Settings::of(&config, &[]).unwrap();
        let credentials = Credentials::new("AKID", "secret", None, None).unwrap();
        let kind = SourceKind::Static(Setting::new(credentials, Origin::Default));
        let source = Source { kind, inheritance: Arc::default() };
        let tls = Tls::new(TrustedRoots::none(&settings.trust).unwrap()).unwrap();
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
