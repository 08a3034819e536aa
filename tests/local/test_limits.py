"""Clients that send too much, too slowly or without end: they are refused early, and others are served meanwhile."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest
from conftest import PATIENCE, Endpoint, Starter, Wire, eventually

LIMIT = 6_291_556
EVENT_LIMIT = 1_048_576
PIECE = b"x" * 65536


@pytest.fixture
def impatient(start: Starter) -> Endpoint:
    """An endpoint that waits a short time for the rest of a request."""
    return start("--request-timeout", "0.3")


@pytest.fixture
def wire(endpoint: Endpoint) -> Iterator[Wire]:
    wire = endpoint.wire()
    yield wire
    wire.close()


def without_end(wire: Wire) -> int:
    """Sends until the connection breaks; returns how many bytes the endpoint and the system took."""
    sent = 0
    try:
        while True:
            sent += wire.socket.send(PIECE)
    except ConnectionError:
        return sent


@pytest.mark.parametrize(
    "start_of_request",
    [
        b"POST /" + b"x" * 70_000,
        b"POST / HTTP/1.1\r\nX: " + b"x" * 70_000,
        b"POST / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % number for number in range(20_000)),
    ],
    ids=["request-line", "header", "headers"],
)
def test_head_without_end(wire: Wire, start_of_request: bytes) -> None:
    wire.send(start_of_request)
    answer = wire.answer()
    assert answer.status == 400
    assert "head is longer than 65536 bytes" in answer.message


def test_head_that_is_too_long_and_arrives_at_once(endpoint: Endpoint, wire: Wire) -> None:
    request = endpoint.signed()
    request["X-Long"] = "x" * 66_000
    wire.send(request.encode())
    assert "head is longer" in wire.answer().message


def test_number_of_headers(endpoint: Endpoint) -> None:
    request = endpoint.signed()
    # The framing adds one.
    for number in range(99 - len(request.headers)):
        request[f"X-{number}"] = "y"
    assert endpoint.exchange(request.encode()).status == 200
    request["X-More"] = "y"
    answer = endpoint.exchange(request.encode())
    assert (answer.status, answer.error) == (400, "BadRequestException")
    assert "more than 100 headers" in answer.message


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", LIMIT), ("Event", EVENT_LIMIT)])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_body_above_lambdas_limit(start: Starter, signed: bool, kind: str, limit: int, framing: str) -> None:
    """The limit counts before the signature, and for functions that answer by themselves too."""
    endpoint = start(open="UNSIGNED = True\ndef respond(request, connection): connection.answer(200)")
    request = endpoint.signed("/2015-03-31/functions/open/invocations", headers={"X-Amz-Invocation-Type": kind})
    if not signed:
        request["Authorization"] = "nonsense"
    wire = endpoint.wire()
    if framing == "length":
        wire.send(request.head(f"Content-Length: {limit + 1}"))
    else:
        wire.send(request.head("Transfer-Encoding: chunked") + b"%x\r\n" % (limit + 1))
    answer = wire.answer()
    assert (answer.status, answer.error) == (413, "RequestTooLargeException")
    assert f"smaller than {limit} bytes" in answer.message
    wire.close()


@pytest.mark.parametrize("length", ["400000000", "999999999999999"])
def test_body_without_end(endpoint: Endpoint, wire: Wire, length: str) -> None:
    """What comes behind a refusal is dropped, and only so much of it, so that its client sees the refusal."""
    wire.send(endpoint.signed().head(f"Content-Length: {length}"))
    assert without_end(wire) < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "line", [b"1;" + b"x" * 4000 + b"\r\na\r\n", b"0\r\n" + b"X: y\r\n" * 200_000, b"1" + b"0" * 5000 + b"\r\n"]
)
def test_chunks_that_are_mostly_something_else(endpoint: Endpoint, wire: Wire, line: bytes) -> None:
    wire.send(endpoint.signed().head("Transfer-Encoding: chunked") + line * (1 if len(line) > 4096 else 300))
    answer = wire.answer()
    assert (answer.status, answer.error) == (400, "BadRequestException")
    assert "chunk" in answer.message


@pytest.mark.parametrize("length", ["2, 2", "+2", "0x2", "2 2", "", "1e3", "9" * 16, "\u0662"])
def test_content_length_that_is_not_a_number(endpoint: Endpoint, wire: Wire, length: str) -> None:
    wire.send(endpoint.signed().head().replace(b"Content-Length: 2", f"Content-Length: {length}".encode()))
    assert wire.answer().status == 400
    assert wire.ends()


def test_expectation_of_a_body_that_is_refused(endpoint: Endpoint, wire: Wire) -> None:
    request = endpoint.signed()
    request["Expect"] = "100-continue"
    wire.send(request.head(f"Content-Length: {LIMIT + 1}"))
    assert wire.answer().status == 413


HALVES = {
    "method": b"PO",
    "head": b"POST /2015-03-31/functions/hello/invocations HTTP/1.1\r\nHost: 127",
    "body": b"",
    "chunk": b"",
}


@pytest.mark.parametrize("half", HALVES)
def test_half_a_request(impatient: Endpoint, half: str) -> None:
    wire = impatient.wire()
    request = impatient.signed()
    if half == "body":
        wire.send(request.head() + request.body[:1])
    elif half == "chunk":
        wire.send(request.head("Transfer-Encoding: chunked") + b"2\r\n{")
    else:
        wire.send(HALVES[half])
    answer = wire.answer()
    assert (answer.status, answer.error) == (408, "RequestTimeoutException")
    assert "0.3 seconds" in answer.message
    assert wire.ends()
    assert impatient.log()[-1]["status"] == 408
    wire.close()


def test_request_that_comes_drop_by_drop(impatient: Endpoint) -> None:
    """The time is the whole request's; a byte now and then does not prolong it."""
    wire = impatient.wire()
    wire.socket.settimeout(0.05)
    drops = iter(impatient.signed().encode())
    for drop in drops:
        wire.send(bytes([drop]))
        try:
            assert wire.socket.recv(12) == b"HTTP/1.1 408"
            break
        except socket.timeout:
            continue
    assert next(drops, None) is not None
    wire.close()


def test_connection_that_rests(impatient: Endpoint) -> None:
    """Between requests there is no time limit: clients keep their connections."""
    wire = impatient.wire()
    for _ in range(2):
        wire.socket.settimeout(0.7)
        with pytest.raises(socket.timeout):
            wire.socket.recv(1)
        wire.socket.settimeout(PATIENCE)
        wire.send(impatient.signed().encode())
        assert wire.answer().status == 200
    wire.close()


def test_function_that_takes_longer_than_a_request_may(start: Starter) -> None:
    endpoint = start("--request-timeout", "0.3", slow="import time\ndef handler(e, c): time.sleep(0.6); return 'well'")
    assert endpoint.result("slow") == "well"


# Half of them for connections, at least 16.
DESCRIPTORS = 64


@pytest.fixture
def narrow(start: Starter) -> Endpoint:
    return start(descriptors=DESCRIPTORS)


@pytest.mark.parametrize(
    "sent", [b"", b"P", b"POST / HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "a-byte", "half-a-head"]
)
def test_connections_that_send_no_request(narrow: Endpoint, sent: bytes) -> None:
    others = [narrow.wire() for _ in range(3 * DESCRIPTORS)]
    for other in others:
        # Some have been closed again already.
        with contextlib.suppress(ConnectionError):
            other.send(sent)
    assert json.loads(narrow.exchange(narrow.signed().encode()).body) == {"hello": "world"}
    for other in others:
        other.close()


def test_connections_with_half_a_body(narrow: Endpoint) -> None:
    request = narrow.signed()
    others = [narrow.wire() for _ in range(DESCRIPTORS)]
    for other in others:
        with contextlib.suppress(ConnectionError):
            other.send(request.head() + request.body[:1])
    assert narrow.exchange(narrow.signed().encode()).status == 200
    for other in others:
        other.close()


def test_the_oldest_connection_that_waits_goes_first(narrow: Endpoint) -> None:
    used = narrow.wire()
    waiting = [narrow.wire() for _ in range(DESCRIPTORS // 2 - 1)]
    used.send(narrow.signed().encode())
    assert used.answer().status == 200
    late = narrow.wire()
    late.send(narrow.signed().encode())
    assert late.answer().status == 200
    assert waiting[0].ends()
    used.send(narrow.signed().encode())
    assert used.answer().status == 200
    for wire in (used, late, *waiting):
        wire.close()


def test_connection_that_does_work_is_not_closed_for_another(start: Starter) -> None:
    endpoint = start(
        descriptors=DESCRIPTORS,
        held="""
        def respond(request, connection):
            connection.answer(200, {}, str(connection.wait_closed(20)).encode())
        """,
        hello="def handler(event, context): return 'well'",
    )
    held = [endpoint.wire() for _ in range(DESCRIPTORS // 2)]
    for wire in held:
        wire.send(endpoint.signed("/2015-03-31/functions/held/invocations").encode())
    eventually(lambda: len(endpoint.log()) == len(held), "all requests in their function")
    late = endpoint.wire()
    late.send(endpoint.signed().encode())
    late.socket.settimeout(0.3)
    with pytest.raises(socket.timeout):
        late.socket.recv(1)
    late.socket.settimeout(PATIENCE)
    held[0].close()
    assert late.answer().body == b'"well"'
    for wire in (late, *held):
        wire.close()
