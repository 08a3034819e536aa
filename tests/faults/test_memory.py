"""Allocations that fail, in a C program that replaces the allocator."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest
from run_faults import build, build_endpoint, call, serve

# More than the reserve serves: only payloads and responses are as large.
LARGE = 512 * 1024 + 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="replaces glibc's allocator")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("which", ["once", "lasting"])
@pytest.mark.parametrize("size", [LARGE, 0])
def test_an_allocation_that_fails_ends_as_the_header_promises(size: int, which: str, tmp_path: Path) -> None:
    program = build("no_memory", tmp_path)
    with serve(build_endpoint(), tmp_path) as endpoint:
        url = endpoint.url("sound", "127.0.0.1")
        done = call(program, size, which, endpoint.ca_file, url, timeout_s=150)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    failed = {name: int(count) for name, count in re.findall(r"(\w+): (\d+) allocations failed", done.stdout)}
    assert failed["lambda_request_set_payload"] == 1
    assert size == LARGE or failed["lambda_invoke"] > 100, "the allocations of a call did not fail"
