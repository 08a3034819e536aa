"""What is in the wheel, and the ways to build it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from conftest import BINDING, ROOT, package_files
from packaging.metadata import Metadata

LIBRARY = "liblambda_invoke.so.0"


def test_contents(wheel: Path) -> None:
    platform = re.sub("[-.]", "_", sysconfig.get_platform())
    assert wheel.name == f"lambda_invoke-0.1.0-py3-none-{platform}.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert package_files() == {name for name in names if name.endswith((".py", "py.typed"))}
        assert archive.read(f"lambda_invoke/{LIBRARY}") == (ROOT / "build" / "lib" / LIBRARY).read_bytes()
        assert stat.S_IMODE(archive.getinfo(f"lambda_invoke/{LIBRARY}").external_attr >> 16) == 0o755
        metadata = archive.read("lambda_invoke-0.1.0.dist-info/METADATA").decode()
        licenses = {Path(name).name for name in names if "/licenses/" in name}
    checked = Metadata.from_email(metadata, validate=True)
    assert (checked.name, str(checked.version), str(checked.requires_python)) == ("lambda-invoke", "0.1.0", ">=3.9")
    assert checked.requires_dist is None
    assert licenses == set(checked.license_files or []) == {"LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-NOTICES"}


def test_the_local_endpoint_is_that_of_the_repository(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for path in (ROOT / "local" / "lambda_local").glob("*.py"):
            assert archive.read(f"lambda_invoke/local/{path.name}") == path.read_bytes()


def test_the_version_is_that_of_the_crate() -> None:
    assert '\nversion = "0.1.0"\n' in (ROOT / "Cargo.toml").read_text()


def build(source: Path, to: Path, folder: Path, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    """Calls the backend as pip does, in a folder and with a PATH of our choice."""
    program = f"import backend; print(backend.build_wheel({str(to)!r}))"
    environment = {"PATH": path, "PYTHONPATH": str(source), "PWD": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-c", program], cwd=source, env=environment, capture_output=True, text=True)


def copy_binding(to: Path) -> Path:
    """Copies as old versions of pip did, which kept symbolic links."""
    shutil.copytree(BINDING, to, symlinks=True, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    return to


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One in which nothing has been built."""
    copy_binding(tmp_path / "repository" / "bindings" / "python")
    for name in ("Cargo.toml", "include/lambda_invoke.h", "LICENSE-MIT"):
        target = tmp_path / "repository" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
    shutil.copytree(ROOT / "local" / "lambda_local", tmp_path / "repository" / "local" / "lambda_local")
    return tmp_path / "repository"


def test_the_same_files_give_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    assert build(BINDING, tmp_path, ROOT).stdout.strip() == wheel.name
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_in_a_copy_of_the_folder(tmp_path: Path) -> None:
    copy = copy_binding(tmp_path / "copy")
    assert build(copy, tmp_path, ROOT).stdout.startswith("lambda_invoke-0.1.0")
    lost = build(copy, tmp_path, tmp_path)
    assert f"the repository of liblambda_invoke is not around {copy} nor around {tmp_path}" in lost.stderr


def test_cargo_builds_what_is_not_there(repository: Path, tmp_path: Path) -> None:
    built = tmp_path / "elsewhere" / "liblambda_invoke.so"
    built.parent.mkdir()
    built.write_bytes(b"a library")
    messages = [
        {"reason": "compiler-artifact", "target": {"name": "libc"}, "filenames": ["liblibc.so"]},
        {"reason": "compiler-artifact", "target": {"name": "lambda_invoke"}, "filenames": [str(built)]},
        {"reason": "build-finished", "success": True},
    ]
    cargo = tmp_path / "bin" / "cargo"
    cargo.parent.mkdir()
    output = "\n".join(map(json.dumps, messages))
    cargo.write_text(
        f"#!/bin/sh\npwd >{tmp_path}/where\necho \"$@\" >{tmp_path}/arguments\ncat <<'END'\n{output}\nEND\n"
    )
    cargo.chmod(0o755)
    done = build(repository / "bindings" / "python", tmp_path, tmp_path, f"{cargo.parent}:/usr/bin:/bin")
    with zipfile.ZipFile(tmp_path / done.stdout.strip()) as archive:
        assert archive.read(f"lambda_invoke/{LIBRARY}") == b"a library"
    assert (tmp_path / "where").read_text().strip() == str(repository)
    assert "rustc --locked --release --lib --crate-type cdylib" in (tmp_path / "arguments").read_text()


@pytest.mark.parametrize(
    ("cargo", "problem"),
    [
        (None, "there is no cargo on the PATH: install Rust"),
        ("exit 3", "cargo rustc --locked --release --lib --crate-type cdylib failed with exit status 3"),
        ("exit 0", "built no shared library"),
    ],
)
def test_a_build_that_fails_says_why(repository: Path, tmp_path: Path, cargo: str | None, problem: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    if cargo is not None:
        (folder / "cargo").write_text(f"#!/bin/sh\n{cargo}\n")
        (folder / "cargo").chmod(0o755)
    failed = build(repository / "bindings" / "python", tmp_path, tmp_path, str(folder))
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].endswith(problem) or problem in failed.stderr.splitlines()[-1]
