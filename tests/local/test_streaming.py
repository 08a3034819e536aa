"""Streamed responses, read with botocore."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any

import pytest
from conftest import Endpoint, Starter

STREAMING = """
import os
import socket


def handler(event, context):
    how = event.get("how")
    print("begun")
    yield "one, "
    yield b"two\\xff"
    yield bytearray(b"")
    if how == "raise":
        raise KeyError("gone")
    if how == "number":
        yield 3
    if how == "exit":
        os._exit(3)
    if how == "gate":
        with socket.create_connection(("127.0.0.1", event["port"])) as gate:
            gate.recv(1)
    yield "three"
"""

RETURNING = """
def handler(event, context):
    return event
"""


@pytest.fixture
def streaming(start: Starter) -> Endpoint:
    return start(streaming=STREAMING, returning=RETURNING)


def read(
    endpoint: Endpoint, event: Any, function: str = "streaming", **more: Any
) -> tuple[list[bytes], dict[str, str]]:
    payload = json.dumps(event).encode()
    response = endpoint.client().invoke_with_response_stream(FunctionName=function, Payload=payload, **more)
    assert (response["StatusCode"], response["ExecutedVersion"]) == (200, "$LATEST")
    events = list(response["EventStream"])
    chunks = [event["PayloadChunk"]["Payload"] for event in events[:-1]]
    return chunks, events[-1]["InvokeComplete"]


def test_what_a_handler_yields(streaming: Endpoint) -> None:
    # A second time over the same connection.
    for _ in range(2):
        assert read(streaming, {}) == ([b"one, ", b"two\xff", b"", b"three"], {})


def test_what_a_handler_returns_is_one_chunk(streaming: Endpoint) -> None:
    assert read(streaming, {"n": 1}, "returning") == ([b'{"n": 1}'], {})


def test_log(streaming: Endpoint) -> None:
    _, end = read(streaming, {}, LogType="Tail")
    assert b"begun\n" in base64.b64decode(end["LogResult"])


@pytest.mark.parametrize(
    ("how", "kind"), [("raise", "KeyError"), ("number", "Runtime.MarshalError"), ("exit", "Runtime.ExitError")]
)
def test_failure_after_chunks(streaming: Endpoint, how: str, kind: str) -> None:
    chunks, end = read(streaming, {"how": how})
    assert chunks == [b"one, ", b"two\xff", b""]
    assert end["ErrorCode"] == "Unhandled"
    assert json.loads(end["ErrorDetails"])["errorType"] == kind
    assert read(streaming, {})[1] == {}


def test_chunks_arrive_while_the_function_runs(streaming: Endpoint) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gate:
        event = json.dumps({"how": "gate", "port": gate.getsockname()[1]}).encode()
        response = streaming.client().invoke_with_response_stream(FunctionName="streaming", Payload=event)
        events = iter(response["EventStream"])
        assert next(events)["PayloadChunk"]["Payload"] == b"one, "
        waiting, _ = gate.accept()
        with waiting:
            waiting.sendall(b"!")
        assert len(list(events)) == 4


def test_invoke_gathers_what_a_handler_yields(streaming: Endpoint) -> None:
    assert streaming.invoke("streaming", b"{}")["Payload"] == b"one, two\xffthree"
    failed = streaming.invoke("streaming", b'{"how": "raise"}')
    assert (failed["FunctionError"], json.loads(failed["Payload"])["errorType"]) == ("Unhandled", "KeyError")


def test_other_types(streaming: Endpoint) -> None:
    dry = streaming.client().invoke_with_response_stream(FunctionName="streaming", InvocationType="DryRun")
    assert dry["StatusCode"] == 204
    path = "/2021-11-15/functions/streaming/response-streaming-invocations"
    answer = streaming.exchange(streaming.signed(path, b"{}", {"X-Amz-Invocation-Type": "Event"}).encode())
    assert (answer.status, answer.error) == (400, "InvalidParameterValueException")


def test_client_that_leaves_ends_the_worker(streaming: Endpoint) -> None:
    event = json.dumps({"how": "gate", "port": 1}).encode()
    response = streaming.client().invoke_with_response_stream(FunctionName="streaming", Payload=event)
    next(iter(response["EventStream"]))
    response["EventStream"].close()
    assert read(streaming, {})[1] == {}
