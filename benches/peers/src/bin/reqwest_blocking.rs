//! reqwest::blocking with the same signature.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

use bytes::Bytes;
use peers::{Case, identity, signature};

fn main() {
    let case = Case::from_arguments();
    peers::use_ring();
    let client = reqwest::blocking::Client::builder().http1_only().no_proxy().build().unwrap();
    let payload = Bytes::from(case.payload.clone());
    case.block(|function| {
        let (client, identity, payload) = (client.clone(), identity(), payload.clone());
        let url = format!("{}{}", case.url, Case::path(function));
        move || {
            let mut request = client.post(&url).body(payload.clone());
            for (name, value) in signature(&identity, &url, &payload) {
                request = request.header(name, value);
            }
            let response = request.send().unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.bytes().unwrap().len(), payload.len());
        }
    });
}
