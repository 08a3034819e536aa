"""What compilers and other tools of this machine can be asked for, by their versions."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Sequence

import pytest

# What compilers called a standard before it was published.
DRAFTS = {"c++20": "c++2a", "c++23": "c++2b", "c17": "c18"}


def standard_option(compiler: Sequence[str], standard: str) -> str:
    """The option that chooses a standard, by the name that this compiler knows it by. Skips the test where there is
    none: a compiler may be older than a standard."""
    for name in (standard, DRAFTS.get(standard)):
        if name is not None and _knows(tuple(compiler), name):
            return f"-std={name}"
    pytest.skip(f"{compiler[0]} does not know {standard}")


@functools.cache
def _knows(compiler: tuple[str, ...], standard: str) -> bool:
    if shutil.which(compiler[0]) is None:
        return False
    language = "c++" if standard.startswith("c++") else "c"
    command = [*compiler, f"-std={standard}", "-x", language, "-fsyntax-only", "-"]
    return subprocess.run(command, input="", capture_output=True, text=True, check=False).returncode == 0


def require(tool: str, oldest: str) -> None:
    """Skips the test where a tool is missing, or is older than a version such as 3.16."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(?:\.\d+)+", done.stdout)
    if done.returncode != 0 or found is None:
        pytest.skip(f"{tool} does not tell its version")
    if _numbers(found[0]) < _numbers(oldest):
        pytest.skip(f"{tool} has version {found[0]}, and {oldest} is needed")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
