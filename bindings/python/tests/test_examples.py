"""The Python programs of examples run, each where what it needs is installed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from conftest import BINDING, ROOT

EXAMPLES = ROOT / "examples" / "python"
LOCAL = [sys.executable, str(ROOT / "local" / "lambda-local"), str(ROOT / "examples" / "functions"), "--"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(BINDING)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Runs a server beside the local endpoint, in a group of its own, which is ended as a whole."""
    process = subprocess.Popen(
        [*LOCAL, *command],
        env=ENVIRONMENT,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


def get(url: str, server: subprocess.Popen[str]) -> bytes:
    """Asks until the server is there."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                answer: bytes = response.read()
                return answer
        except ConnectionError:
            pass
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        assert server.poll() is None, server.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_many() -> None:
    command = [*LOCAL, sys.executable, str(EXAMPLES / "many.py")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-5:] == [
        "Hello, Ada!",
        "Hello, Grace!",
        "Hello, Edsger!",
        "Hello, Barbara!",
        "greeted 100 more",
    ]


def test_aiohttp() -> None:
    pytest.importorskip("aiohttp")
    port = str(free_port())
    with serving(sys.executable, str(EXAMPLES / "web_aiohttp.py"), port) as server:
        assert get(f"http://127.0.0.1:{port}/hello/Ada", server) == b'{"greeting": "Hello, Ada!"}'


def test_gunicorn() -> None:
    pytest.importorskip("gunicorn")
    address = f"127.0.0.1:{free_port()}"
    options = ["--preload", "--workers", "2", "--threads", "4", "--bind", address, "--chdir", str(EXAMPLES)]
    with serving(sys.executable, "-m", "gunicorn", *options, "web_gunicorn:app") as server:
        for _ in range(8):
            assert get(f"http://{address}/Ada,Grace", server) == b"Hello, Ada!\nHello, Grace!\n"


STREAM_FASTAPI = """
import sys

sys.path.insert(0, sys.argv[1])

from fastapi.testclient import TestClient
from stream_fastapi import app

with TestClient(app) as browser:
    response = browser.get("/count/3")
    assert response.headers["content-type"].startswith("text/plain"), response.headers
    assert (response.status_code, response.text) == (200, "0\\n1\\n2\\n"), response
    assert browser.get("/count/many").status_code == 422
"""


def test_fastapi() -> None:
    pytest.importorskip("fastapi", reason="FastAPI is not installed: its example is not run")
    pytest.importorskip("httpx", reason="httpx, which FastAPI's test client needs, is not installed")
    command = [*LOCAL, sys.executable, "-c", STREAM_FASTAPI, str(ROOT / "examples")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
