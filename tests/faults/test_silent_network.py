"""A network that becomes silent while a call connects, sends, waits, reads, and between two calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_faults import HERE, build, environment


@pytest.mark.timeout(200)
def test_calls_end_at_their_deadline_and_the_next_one_succeeds(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have unshare and iproute2")
        pytest.skip("no unshare, or no iproute2")
    probe = "ip link add v0 type veth peer name v1 && ip rule add pref 10 blackhole iif v0 ipproto tcp sport 1"
    probed = subprocess.run(["unshare", "-rn", "sh", "-c", probe], stderr=subprocess.PIPE, text=True, check=False)
    if probed.returncode != 0:
        pytest.skip(f"no network namespaces with veth devices and routing rules: {probed.stderr.strip()}")
    command = ["unshare", "-rn", sys.executable, str(HERE / "silent_network.py"), str(build("silent", tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=180)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
