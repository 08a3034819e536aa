"""Forks while threads call: 500 times from C, and as Python's multiprocessing and gunicorn do."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_faults import build, build_endpoint, call, serve

FORKS = 500


@pytest.mark.timeout(180)
def test_calls_in_parent_and_children_while_a_process_forks(tmp_path: Path) -> None:
    program = build("forks", tmp_path)
    with serve(build_endpoint(), tmp_path) as endpoint:
        urls = [endpoint.url(port, host) for port in ("sound", "sound-tls") for host in ("localhost", "127.0.0.1")]
        done = call(program, FORKS, endpoint.ca_file, *urls, timeout_s=150)
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
