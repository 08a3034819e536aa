"""Which library is loaded, and which is refused."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BINDING, ROOT
from lambda_invoke import _abi

FAKE = """
unsigned lambda_version_number(void) {{ return {number}; }}
"""


def compile_fake(library: Path, number: int) -> None:
    source = library.with_suffix(".c")
    source.write_text(FAKE.format(number=number))
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-shared", "-fPIC", "-o", library, source], check=True)


def import_with(library: str | None, folder: Path = BINDING) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    if library is not None:
        environment["LAMBDA_INVOKE_LIBRARY"] = library
    program = "from lambda_invoke import _abi; print(_abi.library._name)"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=os.sep, env=environment, capture_output=True, text=True)


def test_the_variable_goes_before_all(tmp_path: Path) -> None:
    copy = tmp_path / "other.so"
    shutil.copy(ROOT / "build" / "lib" / _abi.FILE_NAME, copy)
    assert import_with(str(copy)).stdout.strip() == str(copy)


def test_the_package_goes_before_the_repository(tmp_path: Path) -> None:
    package = tmp_path / "bindings" / "python" / "lambda_invoke"
    shutil.copytree(BINDING / "lambda_invoke", package, ignore=shutil.ignore_patterns("__pycache__"))
    built = tmp_path / "build" / "lib" / _abi.FILE_NAME
    built.parent.mkdir(parents=True)
    shutil.copy(ROOT / "build" / "lib" / _abi.FILE_NAME, built)
    assert import_with(None, package.parent).stdout.strip() == str(built)
    shutil.copy(built, package / _abi.FILE_NAME)
    assert import_with(None, package.parent).stdout.strip() == str(package / _abi.FILE_NAME)


def test_without_a_library_the_error_says_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(BINDING / "lambda_invoke", tmp_path / "a" / "b" / "lambda_invoke")
    error = import_with(None, tmp_path / "a" / "b").stderr
    assert "ImportError: liblambda_invoke.so.0 is neither" in error
    assert "set LAMBDA_INVOKE_LIBRARY" in error


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """The package, without a library and outside of its repository."""
    folder = tmp_path / "alone" / "a" / "b"
    shutil.copytree(BINDING / "lambda_invoke", folder / "lambda_invoke", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the dynamic loader looks, as in those of ldconfig."""
    folder = tmp_path / "system"
    folder.mkdir()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
    return folder / _abi.FILE_NAME


def test_the_dynamic_loader_finds_one_last(alone: Path, system: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "build" / "lib" / _abi.FILE_NAME, system)
    assert import_with(None, alone).stdout.strip() == _abi.FILE_NAME
    own = alone / "lambda_invoke" / _abi.FILE_NAME
    shutil.copy(system, own)
    assert import_with(None, alone).stdout.strip() == str(own)
    chosen = tmp_path / "chosen.so"
    shutil.copy(system, chosen)
    assert import_with(str(chosen), alone).stdout.strip() == str(chosen)


def test_one_that_the_dynamic_loader_finds_must_fit(alone: Path, system: Path) -> None:
    compile_fake(system, 999)
    assert "liblambda_invoke.so.0 (the dynamic loader found it: LD_LIBRARY_PATH, ldconfig -p) is version 0.0.999" in (
        import_with(None, alone).stderr
    )
    system.write_bytes(b"no library")
    error = import_with(None, alone).stderr.splitlines()[-1]
    assert f"ImportError: {_abi.FILE_NAME} is neither" in error
    assert str(system) in error


def test_a_library_that_is_not_there_is_named() -> None:
    error = import_with("/nowhere/liblambda_invoke.so").stderr
    assert "ImportError: cannot load /nowhere/liblambda_invoke.so (LAMBDA_INVOKE_LIBRARY names it)" in error


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (999, "is version 0.0.999; this package needs 0.1.0 or later of the same major version"),
        (1_000_000, "is version 1.0.0; this package needs 0.1.0 or later of the same major version"),
        (2_000, "is no usable liblambda_invoke"),
    ],
)
def test_a_library_that_does_not_fit_is_refused(number: int, problem: str, tmp_path: Path) -> None:
    library = tmp_path / "fake.so"
    compile_fake(library, number)
    error = import_with(str(library)).stderr
    assert "ImportError" in error
    assert problem in error
