"""The C programs of tests/c, and the table of tests/conformance through C and C++, with each library of `make dist`.

A program for another processor runs under qemu's emulation of Linux, which differs from Linux: see EMULATED.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

import debian_roots  # noqa: E402
import dist  # noqa: E402

ZIG = f"{dist.TOOLS / 'python'} -m ziglang"
# zig adds the undefined-behaviour sanitizer of clang, whose library it does not link.
ZIG_FLAGS = "-fno-sanitize=all"
QEMU = "qemu-aarch64-static"


@dataclass(frozen=True)
class Setup:
    """A way to build and run programs for a target."""

    name: str
    target: str
    cc: str
    cxx: str
    emulator: str = ""
    # Finds the folder that the emulated program has for /, for its loader and libraries.
    root: Callable[[], Path] | None = None
    # What must exist beside the first word of each command.
    files: list[Path] = field(default_factory=list)
    least_stack_kib: int = 16

    def missing(self) -> str | None:
        """Returns what this machine lacks."""
        for command in (self.cc, self.cxx, self.emulator):
            if command and shutil.which(command.split()[0]) is None:
                return f"{command.split()[0]} is not installed"
        lacking = [str(path) for path in self.files if not path.exists()]
        if lacking:
            return f"{lacking[0]} does not exist"
        try:
            self.emulator_command()
        except dist.NotAvailable as problem:
            return str(problem)
        return None

    def emulator_command(self) -> str:
        """Returns the words before a program's name; raises dist.NotAvailable if there is no root folder for it."""
        return f"{self.emulator} -L {shlex.quote(str(self.root()))}" if self.root else self.emulator

    @property
    def library(self) -> Path:
        return dist.DIST / self.target / "lib"


def zig(language: str, target: str, *flags: str) -> str:
    return " ".join([ZIG, language, "-target", target, ZIG_FLAGS, *flags])


SETUPS = [
    Setup("x86_64-glibc", "x86_64-unknown-linux-gnu", "gcc", "g++"),
    Setup(
        "x86_64-musl",
        "x86_64-unknown-linux-musl",
        "musl-gcc",
        zig("c++", "x86_64-linux-musl", "-dynamic"),
        files=[Path("/lib/ld-musl-x86_64.so.1")],
    ),
    Setup(
        "x86_64-musl-static",
        "x86_64-unknown-linux-musl",
        "musl-gcc -static",
        zig("c++", "x86_64-linux-musl", "-static"),
    ),
    Setup(
        "aarch64-glibc",
        "aarch64-unknown-linux-gnu",
        "aarch64-linux-gnu-gcc",
        "aarch64-linux-gnu-g++",
        f"{QEMU} -L /usr/aarch64-linux-gnu",
        least_stack_kib=128,
    ),
    Setup(
        "aarch64-musl",
        "aarch64-unknown-linux-musl",
        zig("cc", "aarch64-linux-musl", "-dynamic"),
        zig("c++", "aarch64-linux-musl", "-dynamic"),
        QEMU,
        root=debian_roots.musl,
    ),
    Setup(
        "aarch64-musl-static",
        "aarch64-unknown-linux-musl",
        zig("cc", "aarch64-linux-musl", "-static"),
        zig("c++", "aarch64-linux-musl", "-static"),
        QEMU,
    ),
]

# The programs that show nothing under emulation, and why. Everything here runs natively with the libraries for x86_64.
COUNTS_THREADS = "qemu has a thread of its own"
TIMES = "it measures times, of which emulation takes a multiple"
EMULATED = {
    "late": COUNTS_THREADS,
    "queue": COUNTS_THREADS,
    "threads": COUNTS_THREADS,
    "deadlines": TIMES,
    "descriptors": TIMES,
    "interrupt": TIMES,
    "slow_files": TIMES,
    "stream_stopped": TIMES,
    "memory": "qemu does not limit the address space of the emulated process",
}
# glibc for aarch64 gives each thread 128 KiB at least, musl less.
STACKS = ["stack", "test_the_headers_figure"]

# As tests/c/conftest.py and tests/conformance/conformance_runners.py have it.
OPTIMISATION = ["-O1", "-g"]

CONFORMANCE = ["tests/conformance", "-k", "[c- or [cpp-"]


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
@pytest.mark.parametrize("tests", ["c", "conformance"])
def test_with_the_library(setup: Setup, tests: str, tmp_path: Path) -> None:
    if not (setup.library / "liblambda_invoke.so").exists():
        pytest.skip(f"dist/{setup.target} was not built")
    if (lacking := setup.missing()) is not None:
        pytest.skip(lacking)
    left_out = [
        "valgrind",
        "leak",
        *(EMULATED if setup.emulator else ()),
        *(STACKS if setup.least_stack_kib > 96 else ()),
    ]
    arguments = {
        "c": ["tests/c/test_c.py", "tests/c/test_stack.py", "-k", " and ".join(f"not {name}" for name in left_out)],
        "conformance": CONFORMANCE,
    }[tests]
    for compiler, language in ((setup.cc, "c"), (setup.cxx, "c++")):
        if compiler.startswith(ZIG):
            # It compiles the libraries of a target when it first links a program, once for each degree of optimisation,
            # which no test's time should contain. With -o /dev/null it links nothing.
            command = [*shlex.split(compiler), *OPTIMISATION, "-x", language, "-", "-o", str(tmp_path / "empty")]
            subprocess.run(command, input="int main(void) {}", text=True, check=True, capture_output=True)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "CI"},
        "CC": setup.cc,
        "CXX": setup.cxx,
        "TEST_LIBRARY": str(setup.library),
        "TEST_EMULATOR": setup.emulator_command(),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "120", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert " passed" in done.stdout, done.stdout
