"""How many instructions a warm call takes, counted by callgrind: unlike a time, the count does not drift."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Programs, environment

# A call with 128 bytes each way over http, with the library as `make` builds it, on x86_64. valgrind knows no SHA
# extensions: some 40,000 of these hash and sign. Renew the figure if a change needs fewer, or is worth more.
INSTRUCTIONS = 147_000
# Another C library or processor has other functions to copy and to allocate memory.
TOLERANCE = 0.05

VALGRIND = shutil.which("valgrind")
FEW, MANY = 50, 150

BODY = b'"' + b"a" * 126 + b'"'
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 128\r\nConnection: keep-alive\r\nx-amzn-RequestId: 0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0\r\n"
    b"X-Amzn-Trace-Id: root=1-5759e988-bd862e3fe1be46a994272793;sampled=0\r\n"
    b"X-Amz-Executed-Version: $LATEST\r\n\r\n" + BODY
)


class Handler(socketserver.BaseRequestHandler):
    """Responds to each request with the same bytes. A request is whole once its payload has come."""

    def handle(self) -> None:
        received = b""
        while chunk := self.request.recv(65_536):
            received += chunk
            if received.endswith(BODY):
                received = b""
                self.request.sendall(RESPONSE)


@pytest.fixture
def endpoint() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def instructions(program: Path, calls: int, endpoint: str, folder: Path) -> int:
    """Returns how many a process takes that makes these calls."""
    assert VALGRIND is not None, "CI must count instructions: install valgrind"
    out = folder / f"callgrind.{calls}"
    variables = {
        **environment(light=True),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    }
    command = [VALGRIND, "--tool=callgrind", f"--callgrind-out-file={out}", str(program), str(calls)]
    run = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    total = re.search(r"^(?:totals|summary): (\d+)$", out.read_text(), re.MULTILINE)
    assert total, out
    return int(total[1])


@pytest.mark.skipif(
    VALGRIND is None and os.environ.get("CI") != "true",
    reason="valgrind is not installed: the instructions of a call are not counted",
)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the figure is that of x86_64")
@pytest.mark.timeout(120)
def test_a_warm_call_takes_as_many_instructions_as_stated(programs: Programs, endpoint: str, tmp_path: Path) -> None:
    program = programs.build("warm")
    few, many = (instructions(program, calls, endpoint, tmp_path) for calls in (FEW, MANY))
    of_a_call = (many - few) / (MANY - FEW)
    assert of_a_call == pytest.approx(INSTRUCTIONS, rel=TOLERANCE), f"{of_a_call:,.0f} instructions a call"
