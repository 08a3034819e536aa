"""Runs the fuzz targets under libFuzzer, each from its kept inputs.

    run.py SECONDS [TARGET...]   new inputs go to build/fuzz/TARGET, those that fail to build/fuzz/failed-TARGET-*
    run.py --keep [TARGET...]    adds some of the new inputs that reach new code to the kept ones

It needs nothing but cargo and a C++ compiler: libFuzzer comes with the crate libfuzzer-sys, and rustc instruments the
code.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests/fuzz/corpus"
FOUND = ROOT / "build/fuzz"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").absolute() / "fuzz"
# As cargo-fuzz passes them.
COVERAGE = [
    "-Cpasses=sancov-module",
    *(
        f"-Cllvm-args=-sanitizer-coverage-{option}"
        for option in ("level=4", "inline-8bit-counters", "pc-table", "trace-compares")
    ),
]
# An input that takes longer is a hang, also on a busy machine.
TIMEOUT_S = 30
# Longer inputs are tried less often than they cost.
MAX_LENGTH = 1024
# At most as many are added to a target at once.
KEPT_INPUTS = 24


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def build() -> Path:
    """Compiles the fuzzer; with AddressSanitizer, if the compiler comes with its runtime, as rustup's do on Linux."""
    compiler = shlex.split(os.environ.get("CXX") or "c++")[0]
    if shutil.which(compiler) is None:
        sys.exit(f"fuzz: {compiler} is not installed: a C++ compiler is needed for libFuzzer (CXX names another one)")
    target = next(line.split()[1] for line in output_of("rustc", "-vV").splitlines() if line.startswith("host:"))
    libraries = Path(output_of("rustc", "--print", "target-libdir"))
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    flags = ["--cfg", "fuzzing"]
    if any(libraries.glob("librustc-*_rt.asan.a")):
        flags.append("-Zsanitizer=address")
        # A stable compiler takes the option too.
        environment["RUSTC_BOOTSTRAP"] = "1"
    else:
        print("fuzz: without AddressSanitizer, whose runtime the compiler lacks", flush=True)
    environment["RUSTFLAGS"] = " ".join([*flags, *COVERAGE])
    # With a target, build scripts and macros are compiled without these flags.
    command = ["build", "--locked", "--profile", "fuzz", "--example", "fuzz", "--target", target]
    subprocess.run([os.environ.get("CARGO", "cargo"), *command], check=True, cwd=ROOT, env=environment)
    return TARGET / target / "fuzz/examples/fuzz"


def fuzz(program: Path, target: str, *arguments: object) -> bool:
    """Returns whether nothing was found."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            done = subprocess.run(
                [program, *map(str, arguments), f"-timeout={TIMEOUT_S}", f"-max_len={MAX_LENGTH}"],
                env={**os.environ, "FUZZ_TARGET": target, "RUST_BACKTRACE": "0"},
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        lines = log.read_text(errors="replace").splitlines()
        summary = [line for line in lines if line.startswith(("Done ", "MERGE-OUTER: "))]
        print(f"fuzz: {target}: {summary[-1] if done.returncode == 0 and summary else 'FAILED'}", flush=True)
        if done.returncode != 0:
            # Without what libFuzzer tells of its progress.
            print("\n".join(line for line in lines if not line.startswith(("#", "INFO: ", "\tNEW"))), flush=True)
    return done.returncode == 0


def keep(program: Path, target: str) -> bool:
    """Adds to the kept inputs of a target."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = shutil.copytree(CORPUS / target, Path(folder, target))
        if not fuzz(program, target, "-merge=1", chosen, FOUND / target):
            return False
        known = {path.name for path in (CORPUS / target).iterdir()}
        added = sorted(
            (path for path in chosen.iterdir() if path.name not in known), key=lambda path: path.stat().st_size
        )
        # Of all sizes: the short ones reach what many reach, the long ones what few do.
        for path in added[:: len(added) // KEPT_INPUTS + 1]:
            shutil.copy(path, CORPUS / target / path.name[:12])
    return True


def main(arguments: list[str]) -> int:
    seconds, *targets = arguments
    targets = targets or sorted(path.name for path in CORPUS.iterdir())
    began = time.monotonic()
    program = build()
    built = time.monotonic()
    print(f"fuzz: built in {built - began:.0f} s", flush=True)
    failed = []
    for target in targets:
        (FOUND / target).mkdir(parents=True, exist_ok=True)
        if seconds == "--keep":
            ok = keep(program, target)
        else:
            artifacts = f"-artifact_prefix={FOUND}/failed-{target}-"
            ok = fuzz(program, target, f"-max_total_time={seconds}", artifacts, FOUND / target, CORPUS / target)
        failed += [] if ok else [target]
    print(
        f"fuzz: {len(targets)} targets in {time.monotonic() - built:.0f} s, built in {built - began:.0f} s", flush=True
    )
    if failed:
        print(f"fuzz: FAILED: {' '.join(failed)}; the inputs are in {FOUND}", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
