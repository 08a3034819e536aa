"""Allocations that fail, in a C program that replaces the allocator."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from run_faults import build, build_endpoint, call, serve

# Beyond what the header excepts: small allocations, and a connection's read buffer.
LARGE = 512 * 1024
# The objects that a program makes first.
FIRST = ("lambda_request_new", "lambda_config_new", "lambda_request_set_payload")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="replaces glibc's allocator")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("size", [LARGE, 0])
def test_an_allocation_that_fails_ends_as_the_header_promises(size: int, tmp_path: Path) -> None:
    program = build("no_memory", tmp_path)
    with serve(build_endpoint(), tmp_path) as endpoint:
        done = call(program, size, endpoint.ca_file, endpoint.url("sound", "127.0.0.1"), timeout_s=100)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    aborted = {name for name, numbers in (line.split(":") for line in done.stdout.splitlines()) if numbers[1] != "("}
    assert not aborted & set(FIRST)
    assert not aborted or size == 0
