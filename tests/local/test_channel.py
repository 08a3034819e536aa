"""Functions that write to their worker's channel: no invocation gets the response of another one."""

from __future__ import annotations

import json
import selectors
import time

import pytest
from conftest import PATIENCE, Endpoint, Starter

# The event says what to write to each socket of the process, and whether before or after the response.
WRITES = """
import json
import os
import stat
import struct
import sys
import threading


def sockets():
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                yield int(name)
        except OSError:
            continue


def frame(nonce, header, body):
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return nonce + struct.pack("!II", len(encoded), len(body)) + encoded + body


def nonce_of_this_invocation():
    frame = sys._getframe()
    while "nonce" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["nonce"]


GOOD = {"error": False, "bytes": False}


def handler(event, context):
    how = event["how"]
    if how == "fork":
        if os.fork() == 0:
            # The child comes back from the handler too.
            return {"echo": "of the child"}
    elif how == "close":
        os.closerange(3, 5000)
    elif how != "nothing":
        data = {
            "byte": b"x",
            "text": b"debug output on the wrong descriptor\\n" * 100,
            "without-nonce": frame(b"", GOOD, b'"forged"'),
            "other-nonce": frame(b"0" * 16, GOOD, b'"forged"'),
            "two": 2 * frame(nonce_of_this_invocation(), GOOD, b'"forged"'),
            "own-nonce": frame(nonce_of_this_invocation(), GOOD, b'"forged"'),
            "not-json": frame(nonce_of_this_invocation(), b"{", b""),
            "not-an-object": frame(nonce_of_this_invocation(), b"[]", b""),
            "deep": frame(nonce_of_this_invocation(), b"[" * 100_000, b""),
            "no-members": frame(nonce_of_this_invocation(), {}, b""),
            "wrong-members": frame(nonce_of_this_invocation(), {"error": True, "type": 1, "message": None}, b""),
        }[how]

        def write():
            for descriptor in sockets():
                os.write(descriptor, data)

        if event["late"]:
            threading.Timer(0.2, write).start()
        else:
            write()
    return {"echo": event["number"]}
"""

FORGERIES = [
    "byte",
    "text",
    "without-nonce",
    "other-nonce",
    "two",
    "own-nonce",
    "not-json",
    "not-an-object",
    "deep",
    "no-members",
    "wrong-members",
]


def call(endpoint: Endpoint, number: int, how: str = "nothing", late: bool = False) -> tuple[str | None, object]:
    event = json.dumps({"how": how, "number": number, "late": late}).encode()
    response = endpoint.invoke("writes", event)
    return response.get("FunctionError"), json.loads(response["Payload"])


@pytest.fixture
def writes(start: Starter) -> Endpoint:
    return start(writes="CONCURRENCY = 1\nTIMEOUT = 10\n" + WRITES)


@pytest.mark.parametrize("how", [*FORGERIES, "fork", "close"])
def test_written_before_the_response(writes: Endpoint, how: str) -> None:
    failed, payload = call(writes, 0, how)
    if failed:
        assert payload["errorType"] == "Runtime.ExitError"
        assert "Runtime exited" in payload["errorMessage"]
    elif how == "fork":
        assert payload == {"echo": 0}
    else:
        # It may say what it likes in its own name.
        assert how in ("own-nonce", "two")
    for number in range(1, 4):
        failed, payload = call(writes, number)
        # A response of the past that arrives during the next invocation ends the worker, as a crash would.
        if not (failed and number == 1):
            assert (failed, payload) == (None, {"echo": number})


@pytest.mark.parametrize("how", FORGERIES)
def test_written_after_the_response(writes: Endpoint, how: str) -> None:
    assert call(writes, 0, how, late=True) == (None, {"echo": 0})
    line = eventually_noted(writes)
    assert "writes.py: the function wrote to the channel" in line
    assert call(writes, 2) == (None, {"echo": 2})


def eventually_noted(endpoint: Endpoint) -> str:
    """Invokes until the endpoint says something; every response is the invocation's own."""
    selector = selectors.DefaultSelector()
    selector.register(endpoint.process.stderr, selectors.EVENT_READ)
    deadline = time.monotonic() + PATIENCE
    number = 100
    while not selector.select(0.05):
        assert time.monotonic() < deadline, "nothing was noted"
        number += 1
        failed, payload = call(endpoint, number)
        if not failed:
            assert payload == {"echo": number}
    return endpoint.process.stderr.readline()


def test_closed_low_descriptors_are_not_the_channel(start: Starter) -> None:
    """A function that closes what it did not open, as code that makes daemons does, keeps its worker."""
    endpoint = start(closes="import os\ndef handler(e, c):\n    os.closerange(3, 200)\n    return os.getpid()")
    assert endpoint.result("closes") == endpoint.result("closes")
