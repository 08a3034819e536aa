"""Calls under faults with AddressSanitizer and UndefinedBehaviorSanitizer in the C program. They also watch what the
library allocates. ThreadSanitizer needs a library that is instrumented too, since it does not see Rust's locks:
`make sanitize`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from run_faults import build, build_endpoint, call, run

FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
CALLS = 1000
TIMEOUT_S = 200


def build_sanitized(name: str, folder: Path) -> Path:
    try:
        return build(name, folder, FLAGS)
    except subprocess.CalledProcessError:
        pytest.skip("the C compiler has no sanitizers")


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("sound", ""),
        ("freed", "heap-use-after-free"),
        ("leak", "LeakSanitizer"),
        ("overflow", "signed integer overflow"),
    ],
)
def test_the_sanitizers_are_on(fault: str, found: str, tmp_path: Path) -> None:
    done = call(build_sanitized("sanitized", tmp_path), fault, timeout_s=TIMEOUT_S)
    assert found in done.stderr
    assert (done.returncode == 0) == (fault == "sound")


@pytest.mark.timeout(TIMEOUT_S + 60)
def test_calls_under_faults(tmp_path: Path) -> None:
    caller = build_sanitized("caller", tmp_path)
    done = run(build_endpoint(), caller, tmp_path, 2, range(CALLS), 16, "all", TIMEOUT_S)
    assert (done.caller.returncode, done.caller.stderr) == (0, "")
    assert not done.verdict.broken
