//! Tests the rules of ARCHITECTURE.md that the compiler does not check: which layer may use which, and where unsafe
//! code and C may occur.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The layers from top to bottom: each uses only those below it. A layer is a folder or a file of src.
const LAYERS: &[&str] = &[
    "fuzzing",
    "ffi",
    "client",
    "stream",
    "driver",
    "platform",
    "call",
    "retry",
    "credentials",
    "response",
    "http",
    "request",
    "config",
    "platform_api",
    "outcome",
    "deadline",
    "error",
    "status",
    "log",
    "server_text",
    "large_future",
    "lock",
];

/// The layers that may contain unsafe code, the system's types and conditions on the system.
const MAY_BE_UNSAFE: &[&str] = &["ffi", "driver", "platform"];

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns the text of every module without its unit tests, by its path (`http::transport`). The `mod.rs` of a folder
/// is the layer itself.
fn modules() -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    let mut folders = vec![source_folder()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(source_folder()).unwrap().with_extension("");
            let name = relative.to_str().unwrap().replace('/', "::");
            let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("\n#[cfg(test)]\n").next().unwrap().to_owned();
            modules.insert(name, text);
        }
    }
    assert!(modules.len() > 40, "too few modules were found");
    modules
}

fn layer(module: &str) -> &str {
    module.split("::").next().unwrap()
}

/// Returns a text without its comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns every path under `crate::` in a text. Paths in braces are returned one by one.
fn crate_paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for after in code(text).split("crate::").skip(1) {
        let end = after.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(after.len());
        let (head, rest) = after.split_at(end);
        match rest.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            Some((inside, _)) => found.extend(inside.split(',').map(|name| format!("{head}{}", name.trim()))),
            None => found.push(head.to_owned()),
        }
    }
    found
}

/// Returns the longest module that a path under `crate::` begins with.
fn module_of<'m>(path: &str, modules: &'m BTreeMap<String, String>) -> Option<&'m str> {
    let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
    (1..=parts.len()).rev().find_map(|n| modules.get_key_value(&parts[..n].join("::")).map(|(name, _)| name.as_str()))
}

/// Returns the modules that each module uses, except in its unit tests.
fn imports(modules: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut imports = BTreeMap::new();
    for (name, text) in modules.iter().filter(|(name, _)| *name != "lib") {
        let mut used: BTreeSet<&str> =
            crate_paths(text).iter().filter_map(|path| module_of(path, modules)).filter(|used| used != name).collect();
        // `use super::...` at the top of a file names modules of the same folder.
        for line in text.lines().filter(|line| line.starts_with("use super::")) {
            let names = line.trim_start_matches("use super::").trim_end_matches(';').trim_matches(['{', '}']);
            let parent = name.rsplit_once("::").map_or("", |(parent, _)| parent);
            used.extend(
                names
                    .split(", ")
                    .filter_map(|neighbour| module_of(&format!("{parent}::{neighbour}"), modules))
                    .filter(|used| used != name),
            );
        }
        imports.insert(name.as_str(), used);
    }
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 150, "too few imports were found");
    imports
}

#[test]
fn a_layer_uses_only_those_below_it() {
    let modules = modules();
    let rank = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    let mut wrong = Vec::new();
    for (name, used) in imports(&modules) {
        let Some(own) = rank(layer(name)) else {
            wrong.push(format!("{name} is not in a layer: add it to LAYERS and to ARCHITECTURE.md"));
            continue;
        };
        wrong.extend(
            used.iter()
                .filter(|used| rank(layer(used)).is_some_and(|other| other < own))
                .map(|used| format!("{name} uses {used}, which is above it")),
        );
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn imports_form_no_cycle() {
    let modules = modules();
    let mut left = imports(&modules);
    // The `mod.rs` of a folder only lists the modules in it.
    left.retain(|name, _| modules.keys().all(|other| !other.starts_with(&format!("{name}::"))));
    loop {
        let names: BTreeSet<&str> = left.keys().copied().collect();
        let before = left.len();
        left.retain(|_, used| used.iter().any(|used| names.contains(used)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "these modules are in an import cycle, or use one that is: {left:#?}");
}

#[test]
fn unsafe_code_and_the_systems_types_are_in_three_layers() {
    let words = ["unsafe ", "extern \"C\"", "c_char", "c_void", "c_int", "libc::", "target_os", "cfg(unix)"];
    let mut found = Vec::new();
    for (name, text) in modules() {
        if MAY_BE_UNSAFE.contains(&layer(&name)) || name == "lib" {
            continue;
        }
        let code = code(&text);
        found.extend(words.iter().filter(|word| code.contains(**word)).map(|word| format!("{name}: {word}")));
    }
    // reqwest offers this socket option only on some systems.
    assert_eq!(found, ["http::transport: target_os"]);
}

#[test]
fn only_ffi_uses_c() {
    for (name, text) in modules() {
        let code = code(&text);
        let is_c = ["no_mangle", "repr(C)", "c_char", "CString"].iter().find(|word| code.contains(**word));
        if let Some(word) = is_c {
            let takes_strings = ["platform::name_lookup", "platform::privilege"].contains(&name.as_str());
            assert!(layer(&name) == "ffi" || takes_strings, "{name}: {word}");
        }
    }
}

#[test]
fn only_the_transport_names_reqwest() {
    let naming: Vec<_> =
        modules().into_iter().filter(|(_, text)| code(text).contains("reqwest::")).map(|(name, _)| name).collect();
    assert_eq!(naming, ["http::transport"]);
}

#[test]
fn architecture_md_shows_every_module() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let words: BTreeSet<&str> = page
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .filter(|word| word.ends_with(".rs"))
        .collect();
    let modules = modules();
    let missing: Vec<_> = modules
        .keys()
        .filter(|name| layer(name) != "ffi" && modules.keys().all(|other| !other.starts_with(&format!("{name}::"))))
        .map(|name| format!("{}.rs", name.rsplit("::").next().unwrap()))
        .filter(|file| !words.contains(file.as_str()))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// Checks that the tests above find what they should find.
#[test]
fn imports_are_read_from_every_form() {
    let text = "use crate::http::transport::{Failure, Limit};\nuse crate::{lock, log::Log};\n// crate::ffi\n\
                fn f() { crate::config::endpoint::check(); }\n";
    let mut paths = crate_paths(text);
    paths.sort();
    let expected =
        ["config::endpoint::check", "http::transport::Failure", "http::transport::Limit", "lock", "log::Log"];
    assert_eq!(paths, expected);
}
