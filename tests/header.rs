//! include/lambda_invoke.h is what src/ffi says.

use std::{env, fs};

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let made = include_str!(concat!(env!("OUT_DIR"), "/lambda_invoke.h"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/include/lambda_invoke.h");
    if env::var_os("UPDATE_HEADER").is_some() {
        fs::write(path, made).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap();
    assert!(committed == made, "include/lambda_invoke.h is stale; renew it with: make header");
}
