"""The Python package from its source distribution: pip and cargo build it, and it invokes functions.

Compiles the crate with link-time optimisation. With the dependencies that `make lib` has compiled, that is two minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALL = """
import lambda_invoke
print(lambda_invoke.Client().invoke("hello", {"name": "Ada"}).json()["greeting"])
"""


def pip(*arguments: str) -> None:
    # No package is downloaded; what cargo needs is.
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)


def invoke(python: Path) -> str:
    """Has a program call the endpoint of the installed package, without anything of the repository but the function."""
    functions = ROOT / "examples" / "functions"
    command = [str(python), "-m", "lambda_invoke.local", str(functions), "--", str(python), "-c", CALL]
    done = subprocess.run(command, cwd=python.parent, env={"PATH": os.defpath}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    program = f"import backend; print(backend.build_sdist({str(tmp_path)!r}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings" / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    return tmp_path / done.stdout.strip()


def test_the_sdist_builds_with_cargo_alone(sdist: Path, tmp_path: Path) -> None:
    pip("wheel", "--quiet", "--no-index", "--no-deps", "--wheel-dir", str(tmp_path / "wheels"), str(sdist))
    (wheel,) = (tmp_path / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        assert archive.getinfo("lambda_invoke/liblambda_invoke.so.0").file_size > 1_000_000
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    pip("--python", str(python), "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    assert invoke(python) == "Hello, Ada!\n"
