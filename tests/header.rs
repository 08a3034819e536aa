//! Checks that include/lambda_invoke.h is up to date with src/ffi.

#[allow(dead_code, reason = "main is for `make header`")]
#[path = "../tools/make_header.rs"]
mod make_header;

use std::fs;
use std::path::Path;

#[test]
fn the_committed_header_is_up_to_date() {
    let generated = make_header::generate().unwrap();
    let committed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(make_header::HEADER)).unwrap();
    assert!(committed == generated, "{} is stale; renew it with: make header", make_header::HEADER);
}

#[test]
fn the_safety_sections_for_rust_are_not_in_the_header() {
    assert!(!make_header::generate().unwrap().contains("# Safety"));
}
