//! Runs one of the crate's fuzz targets (src/fuzzing) under libFuzzer: `make fuzz`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: std::sync::LazyLock<lambda_invoke::fuzzing::Target> = std::sync::LazyLock::new(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let known = lambda_invoke::fuzzing::TARGETS.iter().find(|(known, _)| *known == name);
        known.unwrap_or_else(|| panic!("FUZZ_TARGET: {name:?} is not a target")).1
    });
    TARGET(data);
});

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("this was built without a fuzzer: use `make fuzz`");
    std::process::exit(1);
}
