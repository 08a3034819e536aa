//! Sets the soname of the shared library, and how it is loaded.

use std::env;
use std::error::Error;

/// The soname; its number is the ABI's, which changes only when the ABI breaks.
const SONAME: &str = "liblambda_invoke.so.0";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
        // Threads and fork handlers may still run this code after dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    Ok(())
}
