//! The walls between the rooms of ARCHITECTURE.md that the compiler does not keep.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

use std::path::{Path, PathBuf};
use std::{env, fs};

fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    assert!(files.len() > 5, "{room} has hardly any files");
    files
}

fn names(room: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(room) {
        found
            .extend(words.iter().filter(|word| text.contains(*word)).map(|word| format!("{}: {word}", path.display())));
    }
    found
}

#[test]
fn the_core_knows_nothing_of_c_nor_of_who_drives_it() {
    let words = ["extern \"C\"", "c_char", "c_void", "crate::ffi", "crate::engine", "libc::"];
    assert_eq!(names("core", &words), [""; 0]);
}

#[test]
fn nothing_above_the_transport_names_reqwest() {
    let mut found = names("core", &["reqwest::"]);
    found.retain(|place| !place.contains("transport.rs"));
    found.extend(names("engine", &["reqwest::"]));
    found.extend(names("ffi", &["reqwest::"]));
    assert_eq!(found, [""; 0]);
}

#[test]
fn architecture_md_shows_every_file_of_the_core_and_the_engine() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    for (path, _) in sources("core").into_iter().chain(sources("engine")) {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let evident = ["mod.rs", "error.rs", "outcome.rs", "invocation.rs", "lock.rs"];
        assert!(evident.contains(&file.as_str()) || page.contains(&file), "{file} is missing");
    }
}
