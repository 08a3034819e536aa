//! The state of a client in one process. Calls under way keep it alive.

use std::sync::Arc;

use crate::call::Shared;
use crate::config::settings::Settings;
use crate::config::tls::Tls;
use crate::credentials::source::Source;
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
    pub(crate) pool: Pool,
    tls: rustls::ClientConfig,
    reuse: Arc<ConnectionReuse>,
}

impl ClientState {
    pub(crate) fn new(settings: &Arc<Settings>, source: &Arc<Source>, tls: &Tls) -> Self {
        Self {
            shared: Arc::new(Shared::new(Arc::clone(settings), Arc::clone(source))),
            permits: Permits::new(settings.max_connections.value),
            pool: Pool::default(),
            tls: tls.with_own_sessions(),
            reuse: Arc::default(),
        }
    }

    /// Returns an idle worker, or makes one.
    pub(crate) fn worker(&self) -> Result<Worker, NoWorker> {
        if let Some(idle) = self.pool.take() {
            return Ok(idle);
        }
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

    /// Keeps a worker for later calls.
    pub(crate) fn keep(&self, worker: Worker) {
        self.pool.keep(worker);
        self.permits.announce_release();
    }
}
