//! Why a TLS handshake failed, in words. rustls names what it refused as its own types do, lists of numbers included.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// webpki's words; rustls passes them on as another error's text. tests/tls_failures.rs holds webpki to them.
const CA_USED_AS_END_ENTITY: &str = "CaUsedAsEndEntity";
const UNSUPPORTED_CERT_VERSION: &str = "UnsupportedCertVersion";

/// Explains the failures that a person can mend. `None`: rustls's own words are clear, or only a bug explains it.
pub(crate) fn explain(error: &Error) -> Option<&'static str> {
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => Some(
            "the server's response is not TLS; if it speaks plain HTTP, the URL must begin with http:// instead of https://",
        ),
        Error::InvalidCertificate(why) => explain_certificate(why),
        Error::AlertReceived(AlertDescription::HandshakeFailure) => Some(
            "the server found no algorithm that both sides support (handshake_failure): this library speaks TLS 1.2 and 1.3 \
             with RSA, ECDSA on P-256 or P-384, or Ed25519 certificates, not with a P-521 key",
        ),
        Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            Some("the server speaks neither TLS 1.2 nor TLS 1.3 (protocol_version)")
        }
        _ => None,
    }
}

#[allow(deprecated, reason = "a verifier may still return the form without its context")]
fn explain_certificate(why: &CertificateError) -> Option<&'static str> {
    match why {
        CertificateError::UnsupportedSignatureAlgorithm
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => Some(
            "a certificate of the server or of its authority is signed in a way that this library does not support, such as \
             with a P-521 key or with ECDSA and SHA-512; supported are RSA with SHA-256, SHA-384 or SHA-512, ECDSA on P-256 \
             or P-384 with SHA-256 or SHA-384, and Ed25519",
        ),
        CertificateError::UnknownIssuer => Some(
            "the server's certificate is signed by an authority that is not trusted (UnknownIssuer); if it is your own, set \
             ca_bundle to a PEM file with the authority's certificate",
        ),
        CertificateError::BadSignature => Some(
            "a signature is not right (BadSignature): either the server's certificate is not signed with the key of the \
             trusted authority of the same name, so check whether the authority's certificate in ca_bundle is still the \
             right one, or the server's RSA key has fewer than 2,048 bits",
        ),
        CertificateError::Other(other) if other.to_string().contains(UNSUPPORTED_CERT_VERSION) => Some(
            "the server's certificate is of X.509 version 1, which names no host; issue one of version 3 with a \
             subjectAltName",
        ),
        CertificateError::Other(other) if other.to_string().contains(CA_USED_AS_END_ENTITY) => Some(
            "the server's certificate is that of an authority (CA:TRUE), as plain `openssl req -x509` makes it, and no \
             server may show such a one as its own; issue a certificate with basicConstraints=CA:FALSE for the server",
        ),
        _ => None,
    }
}
