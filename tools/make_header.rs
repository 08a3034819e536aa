//! Writes include/lambda_invoke.h from src/ffi (`make header`); tests/header.rs compares the two.
//!
//! This is an example and not a build script, so that programs that use the crate do not compile cbindgen.

use std::error::Error;
use std::fs;
use std::path::Path;

/// The files with the public items, in the order of the header.
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
    "queue",
    "stream",
];

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The path of the header, relative to the root of the repository.
pub const HEADER: &str = "include/lambda_invoke.h";

/// The line length in cbindgen.toml.
const LINE_LENGTH: usize = 120;

fn main() -> Result<(), Box<dyn Error>> {
    Ok(fs::write(Path::new(ROOT).join(HEADER), generate()?)?)
}

/// Returns the text of the header, from src/ffi, cbindgen.toml and the version of the crate.
pub fn generate() -> Result<String, Box<dyn Error>> {
    let root = Path::new(ROOT);
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))
        .map_err(|error| format!("cannot read cbindgen.toml: {error}"))?;
    config.after_includes = Some(versions());
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(root.join(format!("src/ffi/{source}.rs")));
    }
    let mut text = Vec::new();
    builder.generate()?.write(&mut text);
    Ok(tidy(&String::from_utf8(text)?))
}

fn versions() -> String {
    let macros = [
        ("MAJOR", "The major version of this header.", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", "The minor version of this header.", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", "The patch version of this header.", env!("CARGO_PKG_VERSION_PATCH")),
        (
            "NUMBER",
            "The version of this header as major * 1000000 + minor * 1000 + patch. A program needs a library whose\n \
             * lambda_version_number() is at least this.",
            "(LAMBDA_VERSION_MAJOR * 1000000 + LAMBDA_VERSION_MINOR * 1000 + LAMBDA_VERSION_PATCH)",
        ),
    ];
    let mut text = String::new();
    for (name, comment, value) in macros {
        text += &format!("\n/**\n * {comment}\n */\n#define LAMBDA_VERSION_{name} {value}\n");
    }
    text + MUST_USE
}

/// The attribute for a function whose result the caller must not drop: the `must_use` of cbindgen.toml.
const MUST_USE: &str = "
/**
 * Has the compiler warn where a program drops the result of a function, which the program owns.
 */
#if defined(__GNUC__)
#define LAMBDA_MUST_USE __attribute__((warn_unused_result))
#else
#define LAMBDA_MUST_USE
#endif
";

/// Removes the `# Safety` sections, since the conventions at the top of the header state once what Rust requires of a
/// caller, and the second of two blank lines. Puts a comment that fits on one line there.
fn tidy(header: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut in_safety = false;
    for line in header.lines() {
        let is_comment = line.trim_start().starts_with("* ") || line.trim() == "*";
        if is_comment && line.contains("# Safety") {
            in_safety = true;
            while kept.last().is_some_and(|line| line.trim() == "*") {
                kept.pop();
            }
        } else if !is_comment || line.contains("* # ") {
            in_safety = false;
        }
        let is_second_blank = line.is_empty() && kept.last().is_some_and(|line| line.is_empty());
        if !in_safety && !is_second_blank {
            kept.push(line.trim_end());
        }
    }
    // C90 has no other comments, even behind a directive.
    with_short_comments(&kept)
        .replace("// __cplusplus", "/* __cplusplus */")
        .replace("// extern \"C\"", "/* extern \"C\" */")
}

fn with_short_comments(lines: &[&str]) -> String {
    let mut text = String::new();
    let mut rest = lines;
    while let [line, after @ ..] = rest {
        let short = match rest {
            [start, only, end, ..] if start.trim() == "/**" && end.trim() == "*/" => {
                only.trim_start().strip_prefix("* ").map(|words| format!("{start} {words} */"))
            }
            _ => None,
        };
        match short.filter(|short| short.len() <= LINE_LENGTH) {
            Some(short) => {
                text += &short;
                rest = &rest[3..];
            }
            None => {
                text += line;
                rest = after;
            }
        }
        text.push('\n');
    }
    text
}
