"""Calls in a storm of signals, and of threads that are cancelled."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_faults import build, build_endpoint, call, serve

CALLS = 1500
TIMEOUT_S = 100


@pytest.mark.timeout(TIMEOUT_S + 60)
@pytest.mark.parametrize("storm", ["signals", "cancel"])
def test_every_call_succeeds_in_a_storm(storm: str, tmp_path: Path) -> None:
    program = build("storms", tmp_path)
    with serve(build_endpoint(), tmp_path) as endpoint:
        urls = [endpoint.url(port, host) for port in ("sound", "sound-tls") for host in ("localhost", "127.0.0.1")]
        done = call(program, storm, CALLS, endpoint.ca_file, *urls, timeout_s=TIMEOUT_S)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
