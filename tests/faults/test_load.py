"""256 threads call with one client, in as many descriptors as a process usually has, and in fewer than threads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from run_faults import build, build_endpoint, call, serve

MANY = [(descriptors, 256, 2000, port) for descriptors in (1024, 200) for port in ("sound", "sound-tls")]
# `make test-faults-long`: enough to see memory grow.
LONG = [(1024, 16, int(os.environ["LOAD_CALLS"]), "sound")] if "LOAD_CALLS" in os.environ else []
TIMEOUT_S = 100 + sum(calls for _, _, calls, _ in LONG) / 200


@pytest.mark.timeout(TIMEOUT_S + 60)
@pytest.mark.parametrize(("descriptors", "threads", "calls", "port"), MANY + LONG)
def test_every_call_succeeds_and_nothing_grows(
    descriptors: int, threads: int, calls: int, port: str, tmp_path: Path
) -> None:
    program = build("load", tmp_path)
    with serve(build_endpoint(), tmp_path) as endpoint:
        arguments = (descriptors, threads, calls, endpoint.ca_file, endpoint.url(port))
        done = call(program, *arguments, timeout_s=TIMEOUT_S)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
