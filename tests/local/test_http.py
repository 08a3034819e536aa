from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Endpoint, Wire


def chunked(body: bytes, size: int) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;note=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nTrailer: 1\r\n\r\n"


@pytest.fixture
def wire(endpoint: Endpoint):
    wire = endpoint.wire()
    yield wire
    wire.close()


def test_many_requests_on_one_connection(endpoint: Endpoint, wire: Wire) -> None:
    ids = set()
    for number in range(20):
        wire.send(endpoint.signed(body=json.dumps({"name": number}).encode()).encode())
        answer = wire.answer()
        assert json.loads(answer.body) == {"hello": number}
        ids.add(str(uuid.UUID(answer.headers["x-amzn-requestid"])))
    assert len(ids) == 20


def test_requests_sent_ahead(endpoint: Endpoint, wire: Wire) -> None:
    first, second = (endpoint.signed("/2015-03-31/functions/echo/invocations", body=body) for body in (b"1", b"2"))
    wire.send(first.encode() + second.encode())
    received = b""
    while received.count(b"HTTP/1.1 200") < 2 or not received.endswith(b"\r\n\r\n2"):
        received += wire.socket.recv(65536)
    assert b"\r\n\r\n1HTTP/1.1 200" in received


def test_head_in_pieces(endpoint: Endpoint, wire: Wire) -> None:
    data = endpoint.signed().encode()
    for at in range(len(data)):
        wire.send(data[at : at + 1])
    assert wire.answer().status == 200


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunked(endpoint: Endpoint, wire: Wire, size: int) -> None:
    request = endpoint.signed("/2015-03-31/functions/echo/invocations", body=json.dumps(list(range(100))).encode())
    for _ in range(2):
        wire.send(request.head("Transfer-Encoding: chunked") + chunked(request.body, size))
        assert json.loads(wire.answer().body) == list(range(100))


@pytest.mark.parametrize("body", [b"zz\r\n", b"2\r\nabc\r\n0\r\n\r\n", b"-1\r\n"])
def test_chunks_that_are_malformed(endpoint: Endpoint, wire: Wire, body: bytes) -> None:
    wire.send(endpoint.signed().head("Transfer-Encoding: chunked") + body)
    assert wire.answer().status == 400
    assert wire.ends()


def test_expect_continue(endpoint: Endpoint, wire: Wire) -> None:
    request = endpoint.signed()
    request["Expect"] = "100-continue"
    wire.send(request.head())
    line = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert wire.socket.recv(len(line)) == line
    wire.send(request.body)
    assert wire.answer().status == 200


def test_connection_close(endpoint: Endpoint, wire: Wire) -> None:
    request = endpoint.signed()
    request["Connection"] = "close"
    wire.send(request.encode())
    answer = wire.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert wire.ends()


def test_many_connections_at_once(endpoint: Endpoint, background: ThreadPoolExecutor) -> None:
    wires = [endpoint.wire() for _ in range(100)]
    request = endpoint.signed("/2015-03-31/functions/nope/invocations").encode()
    for wire in wires:
        wire.send(request)
    assert {answer.status for answer in background.map(Wire.answer, wires)} == {404}
    for wire in wires:
        wire.close()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Content-Length: 2", "Content-Length: 2\r\nContent-Length: 2", "more than once"),
        ("X-Amz-Date", "X-Amz-Date: 1\r\nx-amz-date", "more than once"),
        ("Content-Length: 2", "Content-Length : 2", "malformed"),
        ("Content-Length: 2", "Content-Length: 2\r\n folded: 1", "malformed"),
        ("Content-Length: 2", "Content-Length: 2\r\nno colon", "malformed"),
        ("Content-Length: 2", "Content-Length: two", "number of bytes"),
        ("Content-Length: 2", "Content-Length: -2", "number of bytes"),
        ("Content-Length: 2", "Content-Length: 2\r\nX: a\0b", "malformed"),
        ("Content-Length: 2", "Content-Length: 2\nX: y", "malformed"),
        ("Content-Length: 2", "Content-Length: 2\r\nTransfer-Encoding: chunked", "both"),
        ("Content-Length: 2", "Transfer-Encoding: gzip", "chunked"),
        (" HTTP/1.1", " HTTP/1.0", "request line"),
        (" HTTP/1.1", "#x HTTP/1.1", "request line"),
        ("Host:", "X-Host:", "no Host"),
    ],
)
def test_heads_that_are_malformed(endpoint: Endpoint, wire: Wire, old: str, new: str, why: str) -> None:
    request = endpoint.signed().encode()
    assert old.encode() in request
    wire.send(request.replace(old.encode(), new.encode(), 1))
    answer = wire.answer()
    assert answer.status == 400
    assert why in answer.message
    assert wire.ends()


def test_lines_without_carriage_return(wire: Wire) -> None:
    wire.send(b"POST / HTTP/1.1\nHost: x\n\n")
    answer = wire.answer()
    assert answer.status == 400
    assert "carriage return" in answer.message


def test_head_that_is_too_long(endpoint: Endpoint, wire: Wire) -> None:
    wire.send(b"POST / HTTP/1.1\r\nX: " + b"x" * 70_000)
    assert wire.answer().status == 400


def test_no_length(endpoint: Endpoint, wire: Wire) -> None:
    wire.send(endpoint.signed().encode().replace(b"Content-Length: 2\r\n", b""))
    assert wire.answer().status == 411
    assert wire.ends()


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1",
        "GET /2015-03-31/functions/hello/invocations HTTP/1.1",
        "DELETE /2015-03-31/functions/hello HTTP/1.1",
        "GET /2015-03-31/functions//hello/../invocations HTTP/1.1",
    ],
)
def test_other_operations(endpoint: Endpoint, wire: Wire, line: str) -> None:
    wire.send(f"{line}\r\nHost: 127.0.0.1\r\n\r\n".encode())
    answer = wire.answer()
    assert (answer.status, answer.error) == (404, "UnknownOperationException")


def test_client_that_goes_away_in_the_middle_of_a_body(endpoint: Endpoint) -> None:
    wire = endpoint.wire()
    wire.send(endpoint.signed(body=b'{"name": 1}').encode()[:-5])
    wire.close()
    assert endpoint.result("hello") == {"hello": "world"}


LIMIT = 6_291_556
EVENT_LIMIT = 1_048_576


def test_payload_of_the_largest_size(endpoint: Endpoint) -> None:
    payload = b'"' + b"x" * (LIMIT - 2) + b'"'
    assert endpoint.invoke("echo", payload)["Payload"] == payload


def test_payload_that_is_too_large(endpoint: Endpoint) -> None:
    client = endpoint.client()
    with pytest.raises(
        client.exceptions.RequestTooLargeException, match="must be smaller than 6291556 bytes"
    ) as caught:
        client.invoke(FunctionName="echo", Payload=b'"' + b"x" * (LIMIT - 1) + b'"')
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_event_that_is_too_large(endpoint: Endpoint) -> None:
    client = endpoint.client()
    payload = b'"' + b"x" * (EVENT_LIMIT - 2) + b'"'
    assert client.invoke(FunctionName="echo", InvocationType="Event", Payload=payload)["StatusCode"] == 202
    with pytest.raises(client.exceptions.RequestTooLargeException, match="must be smaller than 1048576 bytes"):
        client.invoke(FunctionName="echo", InvocationType="Event", Payload=payload + b" ")


def test_too_large_is_said_before_the_body_came(endpoint: Endpoint, wire: Wire) -> None:
    wire.send(endpoint.signed().head(f"Content-Length: {LIMIT + 1}"))
    answer = wire.answer()
    assert (answer.status, answer.error) == (413, "RequestTooLargeException")
    assert wire.ends()


def test_too_large_in_chunks(endpoint: Endpoint, wire: Wire) -> None:
    wire.send(endpoint.signed().head("Transfer-Encoding: chunked") + b"%x\r\n" % (LIMIT + 1))
    assert wire.answer().status == 413
    assert wire.ends()
