//! The trusted certificates. TLS 1.2 or later; certificates are always verified.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::ErrorKind;

use crate::config::environment::Environment;
use crate::config::profile::Profiles;
use crate::config::setting::{Origin, Setting};
use crate::error::Error;
use crate::platform_api::OutOfDescriptors;

/// The number of sessions that one process keeps for resumption.
const SESSIONS: usize = 64;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The TLS settings that all connections of a client share.
#[derive(Debug)]
pub(crate) struct Tls(ClientConfig);

/// Where trusted certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A PEM file that replaces the system's trust store.
    File(PathBuf),
    /// The system's trust store, which SSL_CERT_FILE and SSL_CERT_DIR replace.
    System,
}

impl Trust {
    pub(crate) fn resolve(
        set: Option<&str>,
        environment: &Environment<'_>,
        profiles: &Profiles,
    ) -> Result<Setting<Self>, Error> {
        let file = |path: PathBuf, origin| Ok(Setting::new(Self::File(path), origin));
        if let Some(path) = set {
            return file(path.into(), Origin::Setter("ca_bundle"));
        }
        if let Some(path) = environment.path("AWS_CA_BUNDLE") {
            return file(path, Origin::Variable("AWS_CA_BUNDLE"));
        }
        if let Some(found) = profiles.selected("ca_bundle") {
            return file(environment.expand(found.value.into()), found.origin);
        }
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            if environment.path(name).is_some() {
                return Ok(Setting::new(Self::System, Origin::Variable(name)));
            }
        }
        Ok(Setting::new(Self::System, Origin::System))
    }
}

/// The certificates that a client trusts.
pub(crate) struct TrustedRoots {
    roots: RootCertStore,
    /// The system trusts nobody: Mozilla's roots, which are part of this library, take the place of its own.
    pub(crate) are_built_in: bool,
}

impl TrustedRoots {
    /// Reads the certificates from files.
    pub(crate) fn load(trust: &Setting<Trust>, out_of_descriptors: OutOfDescriptors) -> Result<Self, Error> {
        let roots = match (&trust.value, &trust.origin) {
            (Trust::File(path), origin) => of_file(path, &origin.field(), out_of_descriptors)?,
            (Trust::System, Origin::Variable(name)) => of_system(Some(name), out_of_descriptors)?,
            (Trust::System, _) => of_system(None, out_of_descriptors)?,
        };
        let are_built_in = roots.is_empty();
        let roots = if are_built_in { webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect() } else { roots };
        Ok(Self { roots, are_built_in })
    }

    /// For clients that never use TLS: trusts nobody. A file that was named must nevertheless be readable and begin with a
    /// certificate, since a wrong name must not show only on the day when the file is needed.
    pub(crate) fn none(trust: &Setting<Trust>, out_of_descriptors: OutOfDescriptors) -> Result<Self, Error> {
        if let Trust::File(path) = &trust.value {
            let field = trust.origin.field();
            let text = read(path, &field, out_of_descriptors)?;
            match CertificateDer::pem_slice_iter(&text).next() {
                Some(first) => first.map(drop).map_err(|error| unusable(path, &field, &error.to_string()))?,
                None => return Err(unusable(path, &field, NO_CERTIFICATE)),
            }
        }
        Ok(Self { roots: RootCertStore::empty(), are_built_in: false })
    }
}

impl Tls {
    pub(crate) fn new(roots: TrustedRoots) -> Result<Self, Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::config(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(roots.roots)
            .with_no_client_auth();
        Ok(Self(config))
    }

    /// Copies the settings with a session cache of their own: a cache must not cross a fork, since its lock may be held.
    pub(crate) fn with_own_sessions(&self) -> ClientConfig {
        let mut config = self.0.clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config
    }
}

const NO_CERTIFICATE: &str = "contains no certificate";

fn unusable(path: &Path, field: &str, why: &str) -> Error {
    Error::config(format!("{field}: {}: {why}; expected a file of certificates in PEM form", path.display()))
}

/// Reads a PEM file before it is parsed: PEM's own error says "io error" and not which.
fn read(path: &Path, field: &str, out_of_descriptors: OutOfDescriptors) -> Result<Vec<u8>, Error> {
    let why = |error: io::Error| out_of_descriptors(&error).unwrap_or_else(|| error.to_string());
    let mut text = std::fs::read(path).map_err(|error| unusable(path, field, &why(error)))?;
    // Editors put a byte order mark there, and PEM's reader passes over the line that it stands on.
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(text)
}

/// Reads the certificates of a PEM file.
fn of_file(path: &Path, field: &str, out_of_descriptors: OutOfDescriptors) -> Result<RootCertStore, Error> {
    let text = read(path, field, out_of_descriptors)?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let mut roots = RootCertStore::empty();
    // As in the system's trust store: one that cannot be parsed among many is passed over.
    roots.add_parsable_certificates(certificates.map_err(|error| unusable(path, field, &error.to_string()))?);
    if roots.is_empty() { Err(unusable(path, field, NO_CERTIFICATE)) } else { Ok(roots) }
}

/// Reads the system's trust store. `variable` names the environment variable that says where it is, if one does: then there
/// must be certificates.
fn of_system(variable: Option<&str>, out_of_descriptors: OutOfDescriptors) -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    // A part of it is not what the system trusts, and without any the compiled-in roots would take its place.
    let unread = found.errors.iter().find_map(|error| match &error.kind {
        ErrorKind::Io { inner, path } => Some((path, out_of_descriptors(inner)?)),
        _ => None,
    });
    if let Some((path, why)) = unread {
        return Err(Error::config(format!("{}: {}: {why}", variable.unwrap_or("trust store"), path.display())));
    }
    let mut roots = RootCertStore::empty();
    // Trust stores hold old certificates that cannot be parsed; the others are enough.
    roots.add_parsable_certificates(found.certs);
    match variable {
        Some(variable) if roots.is_empty() => {
            let why = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let why = if why.is_empty() { NO_CERTIFICATE } else { &why };
            Err(Error::config(format!("{variable}: {why}; expected certificates in PEM form")))
        }
        _ => Ok(roots),
    }
}
