"""What a call sends and what comes back."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from conftest import BINDING, ClientMaker
from lambda_invoke import (
    Client,
    Execution,
    InvalidArgumentError,
    InvocationType,
    NoMemoryError,
    Result,
    Retry,
    Status,
)


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        (None, b""),
        (b"", b""),
        (b"\x00\xff\x00", b"\x00\xff\x00"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
        ('{"a": "\u00e4"}', '{"a": "\u00e4"}'.encode()),
        ({"a": ["\u00e4", 1.5, None, True]}, '{"a":["\u00e4",1.5,null,true]}'.encode()),
        ([], b"[]"),
        (0, b"0"),
        (False, b"false"),
    ],
)
def test_payload(client: Client, payload: object, sent: bytes) -> None:
    assert client.invoke("echo", payload).payload == sent


def test_a_long_payload(client: Client) -> None:
    payload = bytes(range(256)) * 20_000
    assert client.invoke("echo", payload).payload == payload


def test_result(client: Client) -> None:
    result = client.invoke("echo", {"a": 1}, qualifier="live", log=True)
    assert result.json() == {"a": 1}
    assert (result.status, result.execution) == (Status.OK, Execution.RAN)
    assert (result.http_status, result.attempts, result.unknown_attempts) == (200, 1, 0)
    assert result.executed_version == "1"
    assert result.request_id
    assert result.log is not None
    assert b"echoing\n" in result.log
    assert "echoing\n" in result.log_text
    assert result.content_type is not None
    assert 0 < result.duration < 60
    nothing = ("function_error", "error_type", "error_message", "throttle_reason", "retry_after")
    assert [getattr(result, name) for name in nothing] == [None] * 5


def test_without_log(client: Client) -> None:
    result = client.invoke("echo", b"")
    assert (result.log, result.log_text) == (None, "")


def test_a_log_may_hold_any_bytes(client: Client) -> None:
    log = b"\xffbegin\0end"
    headers = {"X-Amz-Log-Result": base64.b64encode(log).decode()}
    result = client.invoke("answer", {"status": 200, "headers": headers}, log=True)
    assert result.log == log
    assert result.log_text == "\ufffdbegin\0end"


def test_the_rarer_fields(client: Client) -> None:
    headers = {"X-Amz-Durable-Execution-Arn": "arn:durable", "Content-Type": "text/x"}
    result = client.invoke("answer", {"status": 200, "headers": headers, "body": "x"})
    assert (result.durable_execution_arn, result.content_type, result.payload) == ("arn:durable", "text/x", b"x")


@pytest.mark.parametrize("context", [{"custom": {"a": "\u00e4"}}, MappingProxyType({"custom": {"a": "\u00e4"}})])
def test_client_context_as_a_mapping(client: Client, context: Mapping[str, object]) -> None:
    assert client.invoke("context", {}, client_context=context).json()["client_context"] == {"custom": {"a": "\u00e4"}}


def test_client_context_in_base64(client: Client) -> None:
    context = base64.b64encode(b'{"custom": {"b": "2"}}').decode()
    assert client.invoke("context", {}, client_context=context).json()["client_context"] == {"custom": {"b": "2"}}


def test_tenant_and_durable_execution(client: Client) -> None:
    seen = client.invoke("context", {}, tenant_id="blue", durable_execution_name="order-1").json()
    assert (seen["tenant_id"], seen["durable_execution_name"]) == ("blue", "order-1")


@pytest.mark.parametrize(
    ("kind", "status", "execution"),
    [
        ("RequestResponse", 200, Execution.RAN),
        ("Event", 202, Execution.QUEUED),
        (InvocationType.EVENT, 202, Execution.QUEUED),
        ("DryRun", 204, Execution.NONE),
        (InvocationType.DRY_RUN, 204, Execution.NONE),
    ],
)
def test_invocation_type(client: Client, kind: str, status: int, execution: Execution) -> None:
    result = client.invoke("request", {}, invocation_type=kind)
    assert (result.http_status, result.execution) == (status, execution)


def sent(client: Client, **arguments: Any) -> dict[str, Any]:
    seen: dict[str, Any] = client.invoke("request", b"x", **arguments).json()
    return seen


def test_what_is_not_given_is_not_sent(client: Client) -> None:
    seen = sent(client)
    assert seen["path"].endswith("/functions/request/invocations")
    assert not seen["query"]
    extra = {"x-amz-client-context", "x-amz-tenant-id", "x-amz-durable-execution-name", "x-amzn-trace-id"}
    assert not extra & seen["headers"].keys()


def test_the_options_of_a_call_are_not_those_of_the_next(client: Client) -> None:
    """The client keeps the request of a function's last call as a template."""
    seen = {"log": True, "tenant_id": "blue", "client_context": {"custom": {"a": "1"}}}
    rows: list[dict[str, Any]] = [{}, seen, {}, {"tenant_id": "red"}, {"tenant_id": "red"}, {"log": True}, {}]
    for options in rows:
        headers = sent(client, **options)["headers"]
        assert headers.get("x-amz-tenant-id") == options.get("tenant_id")
        assert headers.get("x-amz-log-type") == ("Tail" if "log" in options else None)
        assert ("x-amz-client-context" in headers) == ("client_context" in options)
    # A payload is not kept, and neither is what only looks the same.
    assert client.invoke("request").json()["headers"]["content-length"] == "0"
    context = {"custom": {"a": "1"}}
    contexts = set()
    for context["custom"]["a"] in ("1", "2"):
        contexts.add(sent(client, client_context=context)["headers"]["x-amz-client-context"])
    assert len(contexts) == 2
    assert sent(client, timeout=1)
    with pytest.raises(TypeError, match="timeout must be a number of seconds"):
        client.invoke("request", timeout=True)
    with pytest.raises(TypeError, match="a call has no option 'colour'"):
        client.map("request", [1], colour="blue")  # type: ignore[call-overload]


class TestTraceHeader:
    def test_is_passed_on_inside_lambda(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        for trace in ("Root=1-1", "Root=1-2"):
            monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
            assert sent(client)["headers"]["x-amzn-trace-id"] == trace

    def test_may_be_given(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-1")
        assert sent(client, trace_header="Root=1-3")["headers"]["x-amzn-trace-id"] == "Root=1-3"

    def test_an_empty_variable_is_none(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", "")
        assert "x-amzn-trace-id" not in sent(client)["headers"]


@pytest.mark.parametrize(("mode", "attempts"), [("safe", 1), ("none", 1), ("always", 2), (Retry.ALWAYS, 2)])
def test_retry(make_client: ClientMaker, mode: str, attempts: int) -> None:
    for settings, arguments in (({"retry": mode}, {}), ({}, {"retry": mode})):
        client = make_client(max_attempts=2, **settings)
        with pytest.raises(ConnectionError) as caught:
            client.invoke("answer", '"reset"', **arguments)
        result = caught.value.result
        assert (result.attempts, result.unknown_attempts) == (attempts, attempts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function_name": ""}, "function_name"),
        ({"function_name": "a\0b"}, "function_name: holds a NUL"),
        ({"function_name": "\ud800"}, "function_name"),
        ({"qualifier": ""}, "qualifier"),
        ({"invocation_type": "Later"}, "invocation_type: must be one of 'RequestResponse', 'Event', 'DryRun'"),
        (
            {"invocation_type": "Event", "log": True},
            "log: is only available with .*'RequestResponse', not with 'Event'",
        ),
        ({"invocation_type": InvocationType.DRY_RUN, "log": True}, "log: .* not with 'DryRun'"),
        ({"client_context": "no base64"}, "client_context: a str must be base64 of JSON.*; pass a mapping"),
        ({"client_context": ""}, "client_context: a str must be base64 of JSON"),
        ({"client_context": base64.b64encode(b'"' + b"x" * 3000 + b'"').decode()}, "client_context: .*3,583"),
        ({"tenant_id": ""}, "tenant_id"),
        ({"durable_execution_name": "x" * 65}, "durable_execution_name"),
        ({"trace_header": "a\nb"}, "trace_header"),
        ({"timeout": 0}, "timeout: must be more than 0 seconds"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": -0.0}, "timeout"),
        ({"timeout": 10**400}, "timeout"),
        ({"timeout": Decimal("NaN")}, "timeout"),
        ({"timeout": 2e16}, "timeout"),
        ({"retry": "often"}, "retry: must be one of 'safe', 'none', 'always', not 'often'"),
        ({"retry": ["safe"]}, "retry: must be one of"),
        ({"retry": InvocationType.EVENT}, "retry: must be one of"),
        ({"invocation_type": 1}, "invocation_type: must be one of"),
        ({"invocation_type": "x" * 1000}, "invocation_type: .*x{99}[.]{3}$"),
    ],
)
def test_what_cannot_be_sent_is_not(client: Client, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        client.invoke(**{"function_name": "echo", **arguments})
    assert isinstance(caught.value, ValueError)
    assert (caught.value.result.execution, caught.value.result.attempts) == (Execution.NONE, 0)
    # The words of C and Rust.
    assert not re.search("NULL|LAMBDA_|lambda_|_ms|setter|unset|log_type|spawn", str(caught.value))


class TestResult:
    def test_is_read_only(self) -> None:
        result = Result()
        for name in ("status", "other"):
            with pytest.raises(AttributeError, match="read-only"):
                setattr(result, name, 1)
        with pytest.raises(AttributeError, match="read-only"):
            del result.status
        assert not hasattr(result, "__dict__")

    def test_compares_and_shows_its_fields(self) -> None:
        assert Result(payload=b"1") == Result(payload=b"1")
        assert hash(Result(payload=b"1")) == hash(Result(payload=b"1"))
        assert Result(payload=b"1") != Result(payload=b"2")
        assert Result() != object()

    @pytest.mark.parametrize(
        ("result", "shown"),
        [
            (Result(), "<Result OK, NONE, 0 bytes>"),
            (
                Result(Status.OK, Execution.RAN, b"secret" * 1000, b"log", http_status=200, request_id="r"),
                "<Result OK, RAN, 6000 bytes, HTTP 200, request_id='r'>",
            ),
            (
                Result(Status.FUNCTION_ERROR, Execution.RAN, error_type="E\n", error_message="m\r" * 1000),
                f"<Result FUNCTION_ERROR, RAN, 0 bytes, error_type='E\\n', error_message='{'m' + chr(92) + 'r'}'",
            ),
        ],
    )
    def test_is_shown_in_one_short_line(self, result: Result, shown: str) -> None:
        assert repr(result)[: len(shown) - 1] == shown[:-1]
        assert len(repr(result)) < 400
        assert len(repr(result).splitlines()) == 1

    def test_a_call_is_not_lost_with_its_payload(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_memory(*_: object) -> bytes:
            raise MemoryError

        monkeypatch.setattr("lambda_invoke._result.bytes_at", no_memory)
        with pytest.raises(MemoryError, match="echo: no memory for the 3 bytes of the response") as caught:
            client.invoke("echo", b"abc")
        assert isinstance(caught.value, NoMemoryError)
        assert (caught.value.result.execution, caught.value.result.http_status) == (Execution.RAN, 200)
        assert caught.value.result.request_id

    def test_a_length_is_not_cut(self) -> None:
        """ctypes.string_at would take the lower half of it."""
        program = (
            "import resource, ctypes\n"
            "from lambda_invoke import _result\n"
            "resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\n"
            "pointer = ctypes.c_char_p(b'abcdefgh')\n"
            "try:\n    _result.bytes_at(ctypes.addressof(pointer), 2**32 + 5)\n"
            "except MemoryError:\n    print('refused')\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(BINDING)}
        run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert (run.stdout, run.stderr) == ("refused\n", "")

    def test_payload_that_is_no_json(self) -> None:
        with pytest.raises(json.JSONDecodeError):
            Result(payload=b"").json()

    def test_numbers_of_a_later_version_are_kept(self) -> None:
        assert (Status(-99).number, Status(-99).name) == (-99, "UNKNOWN_-99")
        assert Status(-8) is Status.TIMEOUT
        assert Execution(99) is Execution.UNKNOWN
        assert Execution(2) is Execution.RAN
        for kind in (Status, Execution):
            with pytest.raises(ValueError, match="not a valid"):
                kind("x")
