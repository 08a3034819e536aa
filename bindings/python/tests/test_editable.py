"""pip install --editable: the package is that of the folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BINDING, ROOT, Endpoint
from lambda_invoke import _abi


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    ignored = shutil.ignore_patterns("tests", "__pycache__")
    shutil.copytree(BINDING, folder / "bindings" / "python", symlinks=True, ignore=ignored)
    shutil.copytree(ROOT / "local" / "lambda_local", folder / "local" / "lambda_local", ignore=ignored)
    for name in ("Cargo.toml", "include/lambda_invoke.h", f"build/lib/{_abi.FILE_NAME}"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def install(repository: Path, folder: Path, path: str = "/usr/bin:/bin") -> Path:
    """Installs it into an environment of its own, whose Python is returned."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    command = [*pip, "--editable", str(repository / "bindings" / "python")]
    subprocess.run(command, env={"PATH": path}, check=True)
    return python


def output(python: Path, *arguments: str, **environment: str) -> str:
    command = [str(python), *arguments]
    return subprocess.run(
        command, cwd=python.parent, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_it_sees_changed_sources(repository: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    python = install(repository, tmp_path / "venv")
    call = "import lambda_invoke; print(lambda_invoke.Client().invoke('echo', 1).json(), lambda_invoke.__version__)"
    assert output(python, "-c", call, **endpoint.environment) == "1 0.1.0\n"
    initial = repository / "bindings" / "python" / "lambda_invoke" / "__init__.py"
    initial.write_text(initial.read_text() + "\n__version__ = 'changed'\n")
    (repository / "local" / "lambda_local" / "notes.py").write_text("raise SystemExit('changed too')\n")
    assert output(python, "-c", call, **endpoint.environment) == "1 changed\n"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        output(python, "-m", "lambda_invoke.local")
    assert failed.value.stderr == "changed too\n"


def test_the_plugin_of_pytest_is_registered(repository: Path, tmp_path: Path) -> None:
    python = install(repository, tmp_path / "venv")
    program = "import importlib.metadata as m; print(m.distribution('lambda-invoke').entry_points[0].value)"
    assert output(python, "-c", program) == "_lambda_invoke_pytest\n"
    assert output(python, "-c", "import importlib.util as u; print(u.find_spec('_lambda_invoke_pytest').name)")


def test_cargo_builds_the_library_to_where_the_package_looks(repository: Path, tmp_path: Path) -> None:
    library = repository / "build" / "lib" / _abi.FILE_NAME
    built = library.rename(tmp_path / "liblambda_invoke.so")
    cargo = tmp_path / "bin" / "cargo"
    cargo.parent.mkdir()
    message = f'{{"reason": "compiler-artifact", "target": {{"name": "lambda_invoke"}}, "filenames": ["{built}"]}}'
    cargo.write_text(f"#!/bin/sh\necho '{message}'\n")
    cargo.chmod(0o755)
    python = install(repository, tmp_path / "venv", f"{cargo.parent}:/usr/bin:/bin")
    assert output(python, "-c", "from lambda_invoke import _abi; print(_abi.library._name)").strip() == str(library)
