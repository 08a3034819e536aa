"""Where cargo puts the library: make takes it from there, and never installs one that an earlier build left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD_LIBRARY = ROOT / "packaging/build_library.py"
SOURCE = '#[unsafe(no_mangle)]\npub extern "C" fn {name}() {{}}\n'
STALE = "left behind by an earlier build"


def host() -> str:
    lines = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout.splitlines()
    return next(line.split()[1] for line in lines if line.startswith("host:"))


def environment(**more: str) -> dict[str, str]:
    """Nothing that leads cargo elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_TARGET", "CARGO_BUILD"))}
    return {**kept, **more}


class Crate:
    """A library of the same name that is built in a moment, with real cargo."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a crate"
        (self.folder / "src").mkdir(parents=True)
        (self.folder / "Cargo.toml").write_text(
            '[package]\nname = "lambda_invoke"\nversion = "0.1.0"\nedition = "2024"\n[workspace]\n', encoding="utf-8"
        )
        (self.folder / "Cargo.lock").write_text(
            'version = 4\n\n[[package]]\nname = "lambda_invoke"\nversion = "0.1.0"\n', encoding="utf-8"
        )
        self.write("first")
        # What a path that is fixed would find.
        for target in ("target", f"target/{host()}"):
            release = self.folder / target / "release"
            release.mkdir(parents=True)
            for name in ("liblambda_invoke.so", "liblambda_invoke.a"):
                (release / name).write_text(STALE, encoding="utf-8")

    def write(self, function: str) -> None:
        (self.folder / "src/lib.rs").write_text(SOURCE.format(name=function), encoding="utf-8")

    def build(self, crate_type: str, destination: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(BUILD_LIBRARY), crate_type, str(destination)]
        return subprocess.run(
            command, cwd=self.folder, env=environment(**variables), capture_output=True, text=True, check=False
        )


@pytest.fixture
def crate(tmp_path: Path) -> Crate:
    return Crate(tmp_path)


ELSEWHERE = {
    "nothing": ({}, ""),
    "CARGO_TARGET_DIR": ({"CARGO_TARGET_DIR": "{folder}/else where"}, ""),
    "relative CARGO_TARGET_DIR": ({"CARGO_TARGET_DIR": "else where"}, ""),
    "CARGO_BUILD_TARGET_DIR": ({"CARGO_BUILD_TARGET_DIR": "{folder}/else where"}, ""),
    "CARGO_BUILD_BUILD_DIR": ({"CARGO_BUILD_BUILD_DIR": "{folder}/else where"}, ""),
    "CARGO_BUILD_TARGET": ({"CARGO_BUILD_TARGET": "{host}"}, ""),
    "both": ({"CARGO_TARGET_DIR": "{folder}/else where", "CARGO_BUILD_TARGET": "{host}"}, ""),
    "target-dir in the user's config": ({}, '[build]\ntarget-dir = "{folder}/else where"\n'),
    "target in the user's config": ({}, '[build]\ntarget = "{host}"\n'),
    "targets in the user's config": ({}, '[build]\ntarget = ["{host}"]\n'),
    "config against variable": ({"CARGO_TARGET_DIR": "{folder}/else where"}, '[build]\ntarget-dir = "/nowhere"\n'),
    "colours and JSON": ({"CARGO_TERM_COLOR": "always", "CARGO_TERM_QUIET": "true"}, ""),
}


@pytest.mark.parametrize("crate_type", ["cdylib", "staticlib"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_file_is_taken_from_where_cargo_puts_it(crate: Crate, name: str, crate_type: str, tmp_path: Path) -> None:
    variables, config = ELSEWHERE[name]
    names = {"folder": tmp_path, "host": host()}
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    mine = tmp_path / "cargo-home"
    mine.mkdir()
    (mine / "config.toml").write_text(config.format(**names), encoding="utf-8")
    settings = {key: value.format(**names) for key, value in variables.items()}
    settings["CARGO_HOME"] = str(mine)
    # rustup's cargo finds its toolchain by its own home.
    settings.setdefault("RUSTUP_HOME", os.environ.get("RUSTUP_HOME", str(home.parent / ".rustup")))
    destination = tmp_path / "library"
    for function in ("first", "second"):
        crate.write(function)
        done = crate.build(crate_type, destination, **settings)
        assert done.returncode == 0, done.stderr
        built = destination.read_bytes()
        assert function.encode() in built and STALE.encode() not in built


def test_a_build_that_fails_changes_nothing(crate: Crate, tmp_path: Path) -> None:
    destination = tmp_path / "library"
    destination.write_text("as it was", encoding="utf-8")
    (crate.folder / "src/lib.rs").write_text("this is not Rust", encoding="utf-8")
    done = crate.build("cdylib", destination)
    assert done.returncode == 1
    assert "error:" in done.stderr and "rustc --locked" in done.stderr and "failed with exit status" in done.stderr
    assert destination.read_text(encoding="utf-8") == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a crate", "library"]


def test_several_targets_are_refused(tmp_path: Path) -> None:
    """Which of them is meant, nobody can tell; a cargo that has built both says so in its own form."""
    lines = [
        {"reason": "compiler-artifact", "target": {"name": "lambda_invoke"}, "filenames": [f"/{target}/lib.so"]}
        for target in ("one", "two")
    ]
    fake = tmp_path / "cargo"
    fake.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(map(json.dumps, lines)) + "\nEND\n", encoding="utf-8")
    fake.chmod(0o755)
    command = [sys.executable, str(BUILD_LIBRARY), "cdylib", str(tmp_path / "library"), str(fake)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "built 2 libraries (/one/lib.so, /two/lib.so), not one" in done.stderr


def test_no_cargo(tmp_path: Path) -> None:
    command = [sys.executable, str(BUILD_LIBRARY), "cdylib", str(tmp_path / "library"), "no-such-cargo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot run no-such-cargo" in done.stderr) == (1, True)


PROBE = """
probe:
	@env
"""


def make_environment(tmp_path: Path, **variables: str) -> dict[str, str]:
    """What recipes of the Makefile see."""
    probe = tmp_path / "probe.mk"
    probe.write_text(PROBE, encoding="utf-8")
    kept = {name: value for name, value in environment().items() if name not in ("MAKEFLAGS", "MFLAGS")}
    command = ["make", "-s", "-C", str(ROOT), "-f", "Makefile", "-f", str(probe), "probe"]
    done = subprocess.run(command, env={**kept, **variables}, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def test_what_is_set_for_other_projects_does_not_reach_the_recipes(tmp_path: Path) -> None:
    foreign = {
        **{f"PYTHON{name}": "junk" for name in ("HOME", "PATH", "IOENCODING", "HASHSEED", "STARTUP", "MALLOC", "NEW")},
        "GOWORK": "/nowhere/go.work",
        "GO111MODULE": "off",
    }
    seen = make_environment(tmp_path, **foreign, GOFLAGS="-mod=vendor -buildvcs=false", CGO_ENABLED="0")
    assert not foreign.keys() & seen.keys()
    assert (seen["GOFLAGS"], seen["CGO_ENABLED"]) == ("-buildvcs=false", "1")


def test_what_the_user_chooses_reaches_the_recipes(tmp_path: Path) -> None:
    chosen = {"PYTHON": "python3", "RUSTFLAGS": "-g", "CARGO_TARGET_DIR": "/x y", "AWS_PROFILE": "p", "GOPROXY": "off"}
    seen = make_environment(tmp_path, **chosen)
    assert {name: seen.get(name) for name in chosen} == chosen
