//! A server with TLS and certificates of our own.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use crate::support::{Connection, Server, response};

pub type Authority = CertifiedIssuer<'static, KeyPair>;

/// What a server sends once it has a request.
pub type Script = fn(&mut dyn std::io::Write);

pub fn authority() -> Authority {
    authority_named("ours")
}

/// Makes an authority whose own certificate would also do for localhost, were it not an authority's.
pub fn authority_named(name: &str) -> Authority {
    let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// Makes a certificate for `name`, signed by an authority.
pub fn certificate(authority: &Authority, name: &str) -> (CertificateDer<'static>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate.der().clone(), key)
}

/// Makes the settings of a server with these versions of TLS.
pub fn server_config(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    // Not checked here: it is the client that may refuse it.
    let signing_key = any_supported_type(&PrivateKeyDer::Pkcs8(key.serialize_der().into())).unwrap();
    let certified = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], signing_key));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certified));
    Arc::new(config)
}

/// Sends 200.
pub fn respond(stream: &mut dyn std::io::Write) {
    stream.write_all(response("200 OK", "", "secret").as_bytes()).unwrap();
}

/// Responds to the request of every connection with a script, in TLS.
pub fn server(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    version: &'static SupportedProtocolVersion,
    script: Script,
) -> Server {
    let config = server_config(certificate, key, &[version]);
    Server::start(move |_, connection: Connection| {
        let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(tls, connection.0);
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n{}") {
            let mut byte = [0];
            match std::io::Read::read(&mut stream, &mut byte) {
                Ok(1) => seen.push(byte[0]),
                // The client does not trust this server.
                _ => return,
            }
        }
        script(&mut stream);
    })
}
