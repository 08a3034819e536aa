//! The C header, made from src/ffi into OUT_DIR (a test compares include/lambda_invoke.h with it), and the ABI's name.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

/// The files that hold what the header shows, in the order of the header.
const SOURCES: &[&str] = &[
    "status",
    "log",
    "user_data",
    "credentials",
    "string",
    "error",
    "config",
    "client",
    "request",
    "result",
    "invoke",
];

/// The number of the ABI: it changes only when the ABI breaks.
const SONAME: &str = "liblambda_invoke.so.0";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-changed=src/ffi");
    header()?;
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
        // Threads and fork handlers may still need the code after dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    Ok(())
}

fn header() -> Result<(), Box<dyn Error>> {
    let mut config = cbindgen::Config::from_file("cbindgen.toml").map_err(|error| format!("cbindgen.toml: {error}"))?;
    config.after_includes = Some(format!(
        "\n#define LAMBDA_VERSION_MAJOR {}\n#define LAMBDA_VERSION_MINOR {}\n#define LAMBDA_VERSION_PATCH {}\n\
         // major * 1000000 + minor * 1000 + patch; a program needs lambda_version_number() >= the number it was built \
         with.\n#define LAMBDA_VERSION_NUMBER (LAMBDA_VERSION_MAJOR * 1000000 + LAMBDA_VERSION_MINOR * 1000 + \
         LAMBDA_VERSION_PATCH)\n",
        env::var("CARGO_PKG_VERSION_MAJOR")?,
        env::var("CARGO_PKG_VERSION_MINOR")?,
        env::var("CARGO_PKG_VERSION_PATCH")?,
    ));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(format!("src/ffi/{source}.rs"));
    }
    let mut text = Vec::new();
    builder.generate()?.write(&mut text);
    let header = tidied(&String::from_utf8(text)?);
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("lambda_invoke.h"), header)?;
    Ok(())
}

/// Without the sections on safety: what Rust asks of a caller is what the header's conventions say once. And with one
/// blank line where cbindgen leaves two.
fn tidied(header: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut skipping = false;
    for line in header.lines() {
        let is_comment = line.trim_start().starts_with("//");
        if is_comment && line.contains("# Safety") {
            skipping = true;
            while kept.last().is_some_and(|line| line.trim() == "//") {
                kept.pop();
            }
        } else if !is_comment {
            skipping = false;
        }
        let is_second_blank = line.is_empty() && kept.last().is_some_and(|line| line.is_empty());
        if !skipping && !is_second_blank {
            kept.push(line.trim_end());
        }
    }
    kept.join("\n") + "\n"
}
