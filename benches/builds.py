"""Builds the programs of the benchmark. What cannot be had on this machine is named, and its programs are skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cases import BUILT, ROOT, VENV

BENCHES = ROOT / "benches"
LIBRARY = ROOT / "build" / "lib"


def run(*command: str, folder: Path = ROOT, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def compile_c(name: str, *options: str) -> None:
    compiler = os.environ.get("CC") or "cc"
    source, program = str(BENCHES / "programs" / f"{name}.c"), str(BUILT / name)
    run(
        *compiler.split(),
        "-O2",
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
        source,
        *options,
        "-o",
        program,
    )


def c() -> None:
    compile_c("lambda_invoke", f"-I{ROOT / 'include'}", f"-L{LIBRARY}", "-llambda_invoke", f"-Wl,-rpath,{LIBRARY}")


def curl() -> None:
    # CURLOPT_AWS_SIGV4 came with libcurl 7.75.
    run("pkg-config", "--atleast-version=7.75", "libcurl")
    compile_c("curl", *run("pkg-config", "--cflags", "--libs", "libcurl").split())


def rust() -> None:
    cargo = os.environ.get("CARGO") or "cargo"
    run(cargo, "build", "--release", "--locked", folder=BENCHES / "peers", CARGO_TARGET_DIR=str(BUILT / "target"))


def go() -> None:
    for name in ("lambdainvoke", "awssdk", "nethttp"):
        with_library = str(ROOT / "bindings/go/with-library")
        folder = str(BENCHES / "go")
        run(with_library, "go", "build", "-C", folder, "-ldflags=-s -w", "-o", str(BUILT / name), f"./{name}")


def python() -> None:
    wanted = (BENCHES / "requirements.txt").read_text(encoding="utf-8")
    ready = VENV / "ready"
    if ready.exists() and ready.read_text(encoding="utf-8") == wanted:
        return
    run(sys.executable, "-m", "venv", str(VENV))
    run(str(VENV / "bin/pip"), "install", "--quiet", "--requirement", str(BENCHES / "requirements.txt"))
    ready.write_text(wanted, encoding="utf-8")


NEEDS: dict[str, tuple[Callable[[], None], str]] = {
    "c": (c, "a C compiler"),
    "curl": (curl, "pkg-config and libcurl 7.75 with its header (libcurl4-openssl-dev)"),
    "rust": (rust, "crates of crates.io"),
    "go": (go, "Go 1.24 and modules of its proxy"),
    "python": (python, "packages of PyPI"),
}


def build(kinds: Sequence[str]) -> dict[str, str]:
    """Builds what makes the programs. Returns what failed, each with what it needs."""
    BUILT.mkdir(parents=True, exist_ok=True)
    failed = {}
    for kind in kinds:
        make, needed = NEEDS[kind]
        try:
            make()
        except (OSError, subprocess.CalledProcessError) as error:
            failed[kind] = f"{needed} ({error})"
    return failed


def files_of(package: str) -> list[Path]:
    """The files of a Python package and of all that it needs, without compiled copies."""
    listing = """
import importlib.metadata as metadata, re, sys
seen, left = set(), [sys.argv[1]]
while left:
    name = left.pop().lower().replace("_", "-")
    if name in seen:
        continue
    seen.add(name)
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        continue
    left += [re.match(r"[\\w.-]+", need)[0] for need in found.requires or [] if "extra ==" not in need]
    for file in found.files or []:
        if file.suffix != ".pyc":
            print(file.locate())
"""
    return [Path(line) for line in run(str(VENV / "bin/python"), "-c", listing, package).splitlines()]


def shared_objects(program: Path) -> list[Path]:
    """The shared objects that a program needs, without those of the C library."""
    lines = [line.split() for line in run("ldd", str(program)).splitlines()]
    found = [Path(words[2]) for words in lines if len(words) > 2 and words[1] == "=>"]
    of_the_system = ("libc.", "libm.", "libpthread.", "libdl.", "librt.", "libresolv.", "libgcc_s.")
    return [path.resolve() for path in found if not path.name.startswith(of_the_system)]


def shipped(programs: Sequence[str]) -> dict[str, float]:
    """How many MB must be shipped beside an application, by program; of Rust and Go with the application itself."""
    library = [LIBRARY / "liblambda_invoke.so.0"]
    binding = [path for path in (ROOT / "bindings/python/lambda_invoke").rglob("*.py") if "local" not in path.parts]
    files: dict[str, Callable[[], list[Path]]] = {
        "c": lambda: library,
        "curl": lambda: shared_objects(BUILT / "curl"),
        "floor": lambda: [BUILT / "target/release/floor"],
        "reqwest": lambda: [BUILT / "target/release/reqwest_blocking"],
        "ureq": lambda: [BUILT / "target/release/ureq_blocking"],
        "sdk": lambda: [BUILT / "target/release/aws_sdk"],
        "py": lambda: library + binding,
        "boto3": lambda: files_of("boto3"),
        "aiobotocore": lambda: files_of("aiobotocore"),
        "awscrt": lambda: files_of("awscrt"),
        "go": lambda: [*library, BUILT / "lambdainvoke"],
        "go_sdk": lambda: [BUILT / "awssdk"],
        "go_net": lambda: [BUILT / "nethttp"],
    }
    sizes = {}
    for name in programs:
        if name in files and (name != "curl" or shutil.which("ldd")):
            sizes[name] = round(sum(path.stat().st_size for path in files[name]() if path.is_file()) / 1e6, 1)
    return sizes


def versions(failed: dict[str, str]) -> dict[str, str]:
    """The versions of what the library is compared with."""
    found = {}
    lock = (BENCHES / "peers/Cargo.lock").read_text(encoding="utf-8").split("[[package]]\n")
    for name in ("aws-sdk-lambda", "aws-sigv4", "reqwest", "ureq"):
        package = next(lines for lines in lock if lines.startswith(f'name = "{name}"\n'))
        found[name] = package.split('version = "', 1)[1].split('"', 1)[0]
    if "curl" not in failed:
        found["libcurl"] = run("pkg-config", "--modversion", "libcurl")
    for line in (BENCHES / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if "==" in line:
            name, version = line.split("==")
            found[name] = version
    for line in (BENCHES / "go/go.mod").read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("github.com/aws/aws-sdk-go-v2/service/lambda "):
            found["aws-sdk-go-v2/service/lambda"] = line.split()[1].lstrip("v")
    if "go" not in failed:
        found["Go"] = run("go", "env", "GOVERSION").removeprefix("go")
    return found
