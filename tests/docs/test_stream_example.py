"""examples/stream.c is compiled as strictly as the other programs, and prints a response while the function runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "build/lib"
LOCAL = [sys.executable, str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--"]
COMPILE = [*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror"]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> str:
    program = tmp_path_factory.mktemp("example") / "stream"
    library = [f"-I{ROOT / 'include'}", f"-L{LIBRARY}", "-llambda_invoke", f"-Wl,-rpath,{LIBRARY}"]
    command = [*COMPILE, str(ROOT / "examples/stream.c"), *library, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(program)


def run(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LOCAL, "env", *(f"{name}={value}" for name, value in variables.items()), program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_prints_the_response(example: str) -> None:
    done = run(example, "counting", "3")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n1\n2\n", "")


def test_it_prints_what_has_arrived(example: str) -> None:
    # The function would take ten minutes.
    with subprocess.Popen([*LOCAL, example, "counting", "6000"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        process.terminate()


@pytest.mark.parametrize(
    ("function", "named"),
    [("failing", "LAMBDA_FUNCTION_ERROR: no order 42"), ("missing", "LAMBDA_E_SERVICE: "), ("", "function_name")],
)
def test_a_failure_is_told_on_stderr(example: str, function: str, named: str) -> None:
    done = run(example, function, "{}")
    assert (done.returncode, done.stdout) == (1, "")
    assert named in done.stderr


def test_a_client_that_cannot_be_made(example: str) -> None:
    done = run(example, AWS_REGION="not a region")
    assert (done.returncode, done.stdout) == (1, "")
    assert "AWS_REGION" in done.stderr
