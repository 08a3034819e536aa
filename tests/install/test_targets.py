"""The make targets where CARGO_TARGET_DIR and CARGO_BUILD_TARGET say where, and for what system, cargo builds.

cargo is replaced by a program that puts an archive, compiled before, where cargo would, and says so as cargo does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT / "build/rust.a"
OTHER = "aarch64-unknown-linux-musl"
FAKE_CARGO = """#!{python}
import json, os, pathlib, shutil, sys
if sys.argv[1] != "rustc":
    sys.exit("this cargo only builds")
if os.environ.get("CARGO_BUILD_TARGET") == "{other}":
    sys.exit("this cargo has no {other}")
folder = pathlib.Path(os.environ["CARGO_TARGET_DIR"], os.environ.get("CARGO_BUILD_TARGET", ""), "release")
file = folder / "liblambda_invoke.a"
file.parent.mkdir(parents=True)
shutil.copyfile("{archive}", file)
target = {{"name": "lambda_invoke"}}
print(json.dumps({{"reason": "compiler-artifact", "target": target, "filenames": [str(file)]}}))
"""


def host() -> str:
    lines = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout.splitlines()
    return next(line.split()[1] for line in lines if line.startswith("host:"))


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CARGO_TARGET", "CARGO_BUILD", "MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", "-C", str(ROOT), *arguments], env={**kept, **variables}, capture_output=True, text=True, check=False
    )


def help_targets() -> list[str]:
    return re.findall(r"^make ([a-z-]+)", make("-s", "help").stdout, re.MULTILINE)


def test_the_list_of_targets_is_read() -> None:
    assert {"lib", "demo", "test", "lint", "install", "dist", "msrv"} <= set(help_targets())


@pytest.mark.parametrize("target", sorted(set(help_targets()) - {"clean"}))
def test_no_recipe_names_the_folder_that_cargo_has_by_default(target: str) -> None:
    """Nothing is run. With -B every recipe is shown; what a test asks cargo for is in the tests of the tests."""
    shown = make("-n", "-B", target, CARGO_TARGET_DIR="/else where", CARGO_BUILD_TARGET=host())
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout, "there is no recipe"
    assert not re.findall(r"(?<![\w-])target/.*", shown.stdout)


class Build:
    """make, with folders of its own for all that it writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        cargo = folder / "cargo"
        cargo.write_text(FAKE_CARGO.format(python=sys.executable, other=OTHER, archive=ARCHIVE), encoding="utf-8")
        cargo.chmod(0o755)
        self.installed = folder / "root/usr/local"

    def make(self, *targets: str, **variables: str) -> subprocess.CompletedProcess[str]:
        folders = {"BUILD": "build", "CARGO": "cargo", "DESTDIR": "root"}
        settings = (f"{name}={self.folder / path}" for name, path in folders.items())
        return make(*settings, *targets, **variables)

    def files(self) -> dict[str, bytes]:
        found = {path for path in self.installed.rglob("*") if path.is_file()}
        return {path.relative_to(self.installed).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def build(tmp_path: Path) -> Build:
    if not ARCHIVE.exists():
        pytest.skip(f"{ARCHIVE} does not exist: make lib")
    return Build(tmp_path)


def test_wherever_cargo_builds_the_same_is_installed(build: Build, tmp_path: Path) -> None:
    results = []
    for name, variables in {"plain": {}, "for a system": {"CARGO_BUILD_TARGET": host()}}.items():
        variables["CARGO_TARGET_DIR"] = f"{tmp_path}/{name}"
        done = build.make("-B", "lib", f"{build.folder}/build/demo", "install", **variables)
        assert done.returncode == 0, done.stderr
        assert (build.folder / "build/demo").exists()
        results.append(build.files())
        assert build.make("uninstall").returncode == 0
        assert not build.files()
    assert results[0] == results[1]
    assert {"lib/liblambda_invoke.a", "lib/liblambda_invoke.so", "include/lambda_invoke.h"} <= results[0].keys()


def test_a_library_for_another_system_is_never_installed(build: Build, tmp_path: Path) -> None:
    assert build.make("lib", CARGO_TARGET_DIR=f"{tmp_path}/first").returncode == 0
    before = (build.folder / "build/lib/liblambda_invoke.so").read_bytes()
    done = build.make("install", CARGO_TARGET_DIR=f"{tmp_path}/second", CARGO_BUILD_TARGET=OTHER)
    assert done.returncode != 0 and f"this cargo has no {OTHER}" in done.stderr, done.stderr
    assert not build.files()
    # What was there is this machine's, and still serves it, once it is asked for.
    done = build.make("install", CARGO_TARGET_DIR=f"{tmp_path}/third")
    assert done.returncode == 0, done.stderr
    assert build.files()["lib/liblambda_invoke.so"] == before
