//! ureq with the same signature.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

use peers::{Case, identity, signature};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

fn main() {
    let case = Case::from_arguments();
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent: Agent = Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_idle_connections(case.in_flight)
        .max_idle_connections_per_host(case.in_flight)
        .build()
        .into();
    peers::use_ring();
    case.block(|function| {
        let (agent, identity) = (agent.clone(), identity());
        let url = format!("{}{}", case.url, Case::path(function));
        let payload = &case.payload;
        move || {
            let mut request = agent.post(&url);
            for (name, value) in signature(&identity, &url, payload) {
                request = request.header(name, value);
            }
            let mut response = request.send(&payload[..]).unwrap();
            assert_eq!(response.status(), 200);
            let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
            assert_eq!(body.len(), payload.len());
        }
    });
}
