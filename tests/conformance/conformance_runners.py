"""The programs that speak README.md's protocol, one for each language."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from conformance_server import ROOT, environment
from conformance_table import ANSWERED, BYTES, HERE, NUMBERS

sys.path.insert(0, str(ROOT / "tests"))

from tested_library import EMULATOR, LIBRARY  # noqa: E402

SOURCES = {
    "c": HERE / "runner.c",
    "cpp": HERE / "runner.cpp",
    "python": ROOT / "bindings" / "python" / "conformance_runner.py",
    "go": ROOT / "bindings" / "go" / "conformance",
}
WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Wconversion", "-Werror"]
# A client that could not be made has no more to say than this.
OF_A_CLIENT = ("status", "execution", "error_message")

ANSWER_S = 60.0
END_S = 10.0


class RunnerError(Exception):
    """The runner does not keep to the protocol, or ended."""


def missing(language: str) -> str | None:
    """What there is not, and without which the language cannot be tested."""
    source = SOURCES[language]
    if not source.exists():
        return f"there is no runner: {source.relative_to(ROOT)}"
    if language == "go" and shutil.which("go") is None:
        return "there is no go on the PATH"
    return None


def build(language: str, folder: Path) -> list[str]:
    """The command that starts the runner."""
    source, program = SOURCES[language], folder / f"runner-{language}"
    if language == "python":
        return [sys.executable, str(source)]
    if language == "go":
        bindings = source.parent
        run([str(bindings / "with-library"), "go", "build", "-o", str(program), f"./{source.name}"])
    else:
        variable, default, standard = {
            "c": ("CC", "cc", ["-std=c11", "-D_POSIX_C_SOURCE=200809L"]),
            "cpp": ("CXX", "c++", ["-std=c++17"]),
        }[language]
        compiler = shlex.split(os.environ.get(variable, default))
        paths = [f"-I{ROOT / 'include'}", f"-L{LIBRARY}", f"-Wl,-rpath,{LIBRARY}"]
        run([*compiler, *standard, "-O1", "-g", *WARNINGS, *paths, str(source), "-llambda_invoke", "-o", str(program)])
        return [*EMULATOR, str(program)]
    return [str(program)]


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RunnerError(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")


class Runner:
    """One process, for as many calls as it lives."""

    def __init__(self, language: str, command: list[str]) -> None:
        self._language = language
        variables = {"LAMBDA_INVOKE_LIBRARY": str(LIBRARY / "liblambda_invoke.so"), "LD_LIBRARY_PATH": str(LIBRARY)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**environment(), **variables}
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def call(self, settings: Iterable[tuple[str, bytes]], operation: str = "invoke") -> dict[str, Any]:
        """Returns every field of the answer: a word, a number, bytes or None."""
        lines = [f"{name} {value.hex()}\n" for name, value in settings]
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("".join([*lines, f"{operation}\n"]).encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        return parse_answer(self._read_answer())

    def _read_answer(self) -> dict[str, str]:
        answer: dict[str, str] = {}
        while True:
            try:
                line = self._lines.get(timeout=ANSWER_S)
            except queue.Empty:
                self.kill()
                raise RunnerError(f"{self._language}: no answer within {ANSWER_S} s, only {answer}") from None
            if not line:
                raise self._ended()
            name, _, value = line.decode("ascii").rstrip("\n").partition(" ")
            if name == ".":
                return answer
            if name in answer:
                raise RunnerError(f"{self._language}: {name} comes twice")
            answer[name] = value

    def _ended(self) -> RunnerError:
        return RunnerError(f"{self._language}: the runner ended, exit status {self._process.wait(END_S)}")

    def end(self) -> int:
        """Ends the input, and gives the exit status."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            return self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RunnerError(f"{self._language}: the runner goes on after the end of its input") from None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def parse_answer(answer: Mapping[str, str]) -> dict[str, Any]:
    if tuple(answer) not in (ANSWERED, OF_A_CLIENT):
        raise RunnerError(
            f"expected the lines {ANSWERED}, or {OF_A_CLIENT} of a client, in this order: {tuple(answer)}"
        )
    fields: dict[str, Any] = {name: 0 if name in NUMBERS else None for name in ANSWERED}
    fields["payload"] = b""
    for name, value in answer.items():
        if name in NUMBERS:
            fields[name] = int(value)
        elif name in BYTES:
            fields[name] = None if value == "-" else bytes.fromhex(value)
        else:
            fields[name] = value
    return fields
