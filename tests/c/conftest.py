"""Compiles a program against the header and the shared library, and runs it on the local endpoint."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from tested_library import EMULATOR, LIBRARY  # noqa: E402

FUNCTIONS = ROOT / "tests" / "functions"
LOCAL = ROOT / "local" / "lambda-local"

COMPILE = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O1", "-g", "-pthread"]
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]


@dataclass
class Run:
    """What became of a program."""

    status: int
    stdout: str
    stderr: str
    # Of the endpoint itself, such as a function's file that does not work.
    endpoint: str
    # What the endpoint was sent, in the order of arrival.
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"exit status {self.status}\n{self.stdout}{self.stderr}{self.endpoint}"


class Programs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[str, Path] = {}

    def build(self, name: str) -> Path:
        if name not in self._built:
            program = self._folder / name
            compiler = shlex.split(os.environ.get("CC", "cc"))
            command = [
                *compiler,
                *COMPILE,
                *WARNINGS,
                f"-I{ROOT / 'include'}",
                str(HERE / f"{name}.c"),
                f"-L{LIBRARY}",
                "-llambda_invoke",
                f"-Wl,-rpath,{LIBRARY}",
                "-o",
                str(program),
            ]
            compiled = subprocess.run(command, capture_output=True, text=True)
            assert compiled.returncode == 0, compiled.stderr
            self._built[name] = program
        return self._built[name]

    def run(self, name: str, folder: Path, wrapper: Sequence[str] = (), light: bool = False) -> Run:
        """Runs it with its output in files of its own: what the library writes must not hide among other output."""
        program = self.build(name)
        log, stdout, stderr = folder / "requests.jsonl", folder / "stdout", folder / "stderr"
        redirect = 'out=$1 err=$2; shift 2; exec "$@" >"$out" 2>"$err"'
        command = [
            *(sys.executable, str(LOCAL), "--log-requests", str(log), str(FUNCTIONS), "--"),
            *("sh", "-c", redirect, "sh", str(stdout), str(stderr)),
            *wrapper,
            *EMULATOR,
            str(program),
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(light))
        requests = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return Run(done.returncode, read(stdout), read(stderr), done.stdout + done.stderr, requests)


def read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def environment(light: bool) -> dict[str, str]:
    """None of the settings of whoever runs the tests, nor of the machine that they run on."""
    result = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CHECK_"))}
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        result[name] = os.devnull
    result["AWS_EC2_METADATA_DISABLED"] = "true"
    if light:
        result["CHECK_LIGHT"] = "1"
    return result


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if shutil.which("valgrind") is None:
        terminalreporter.write_line("valgrind is not installed: the memory of the C programs was not checked")
