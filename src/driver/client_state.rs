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
            None => self.new_worker()?,
        };
        Ok(lease.set_worker(&self.pool, worker))
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
