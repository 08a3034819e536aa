//! Misuse of the C ABI's objects does not compile: each program of tests/compile_fail fails with the error in its first
//! line, and the control program compiles.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail")
}

/// Returns the compiler's errors for a program; `None` if it compiles.
fn errors(program: &Path) -> Option<String> {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler)
        .args(["--edition", "2024", "--emit", "metadata", "--out-dir", env!("CARGO_TARGET_TMPDIR")])
        .arg(program)
        .output()
        .unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_control_compiles() {
    assert_eq!(errors(&folder().join("control.rs")), None);
}

#[test]
fn misuse_does_not_compile() {
    let mut seen = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let program = entry.unwrap().path();
        let text = fs::read_to_string(&program).unwrap();
        let Some(expected) = text.lines().next().unwrap().strip_prefix("// error") else { continue };
        let errors = errors(&program).unwrap_or_default();
        assert!(errors.contains(&format!("error{expected}")), "{}: {errors}", program.display());
        seen += 1;
    }
    assert_eq!(seen, 5);
}
