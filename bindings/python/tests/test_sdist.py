"""The source distribution, and what can be said of it without minutes of compiling (make test-packages does that)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import BINDING, ROOT, package_files
from packaging.metadata import Metadata

NAME = "lambda_invoke-0.1.0"


def build_sdist(source: Path, to: Path) -> Path:
    """Calls the backend as frontends do."""
    program = f"import backend; print(backend.build_sdist({str(to)!r}))"
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], cwd=source, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return to / done.stdout.strip()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sdist(BINDING, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)
    return folder / NAME


def test_contents(sdist: Path, unpacked: Path) -> None:
    assert sdist.name == f"{NAME}.tar.gz"
    assert list(unpacked.parent.iterdir()) == [unpacked]
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert not any(path.is_symlink() for path in unpacked.rglob("*"))
    own = {"PKG-INFO", "README.md", "backend.py", "pyproject.toml", "LICENSE-APACHE", "LICENSE-MIT"}
    assert {name for name in files if not name.startswith("crate/")} == own | package_files()
    sources = {f"crate/{path.relative_to(ROOT)}" for path in (ROOT / "src").rglob("*.rs")}
    assert sources | {"crate/Cargo.lock", "crate/Cargo.toml", "crate/build.rs"} <= files
    metadata = Metadata.from_email((unpacked / "PKG-INFO").read_bytes(), validate=True)
    assert (metadata.name, str(metadata.version)) == ("lambda-invoke", "0.1.0")
    assert set(metadata.license_files or []) <= files


def test_cargo_finds_all_that_the_manifest_names(unpacked: Path) -> None:
    # Fails for a lock file that does not fit.
    command = ["cargo", "metadata", "--offline", "--locked", "--format-version", "1"]
    done = subprocess.run(command, cwd=unpacked / "crate", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    metadata = json.loads(done.stdout)
    (crate,) = (package for package in metadata["packages"] if package["id"] == metadata["resolve"]["root"])
    missing = [target["src_path"] for target in crate["targets"] if not Path(target["src_path"]).exists()]
    assert missing == []


def test_it_is_reproducible_even_from_itself(sdist: Path, unpacked: Path, tmp_path: Path) -> None:
    assert build_sdist(BINDING, tmp_path).read_bytes() == sdist.read_bytes()
    with tarfile.open(build_sdist(unpacked, tmp_path)) as again, tarfile.open(sdist) as first:
        assert again.getnames() == first.getnames()


def test_no_file_tells_who_built_it(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        assert {(entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime) for entry in archive} == {
            (0, 0, "", "", 0)
        }
