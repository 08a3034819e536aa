//! Whom to trust. TLS 1.2 or later, certificates always verified.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};

use super::error::Error;

/// Sessions kept for resumption by one process's connections.
const SESSIONS: usize = 64;

/// The TLS settings that all connections of a client share.
#[derive(Debug)]
pub(crate) struct Tls(ClientConfig);

impl Tls {
    /// Trusts what the system trusts (SSL_CERT_FILE and SSL_CERT_DIR replace that). Reads files.
    pub(crate) fn from_system() -> Result<Self, Error> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return Err(Error::config(format!(
                "no trusted certificates were found on this system{}{why}; install its CA certificates or set \
                 SSL_CERT_FILE",
                if why.is_empty() { "" } else { ": " }
            )));
        }
        Self::with_roots(roots)
    }

    /// For clients that never speak TLS: trusts nobody, reads nothing.
    pub(crate) fn unused() -> Result<Self, Error> {
        Self::with_roots(RootCertStore::empty())
    }

    fn with_roots(roots: RootCertStore) -> Result<Self, Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::config(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(config))
    }

    /// The same trust with a session cache of its own: a cache must not cross a fork, its lock may be held there.
    pub(crate) fn with_own_sessions(&self) -> ClientConfig {
        let mut config = self.0.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config
    }
}
