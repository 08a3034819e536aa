"""Speaks the protocol of tests/conformance for this package."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

from lambda_invoke import Client, LambdaError, Result, Status

IN_MILLISECONDS = {"timeout_ms": "timeout", "connect_timeout_ms": "connect_timeout"}
TEXTS = (
    "log",
    "function_error",
    "error_type",
    "error_message",
    "throttle_reason",
    "request_id",
    "executed_version",
    "durable_execution_arn",
    "content_type",
)


def main() -> None:
    config: dict[str, Any] = {}
    request: dict[str, Any] = {}
    for line in sys.stdin:
        name, _, value = line.rstrip("\n").partition(" ")
        if name in OPERATIONS:
            answer(config, request, OPERATIONS[name])
            config, request = {}, {}
        elif name.startswith("config."):
            take(config, name[len("config.") :], bytes.fromhex(value))
        else:
            take(request, name, bytes.fromhex(value))


def take(settings: dict[str, Any], name: str, value: bytes) -> None:
    if name == "payload":
        settings[name] = value
    elif name == "log_type":
        settings["log"] = {"None": False, "Tail": True}[value.decode()]
    elif name == "client_context_json":
        settings["client_context"] = json.loads(value)
    elif name in IN_MILLISECONDS:
        settings[IN_MILLISECONDS[name]] = int(value) / 1000
    elif name in ("max_attempts", "max_connections", "max_response_bytes"):
        settings[name] = int(value)
    elif name in ("use_fips", "use_dual_stack"):
        settings[name] = {b"0": False, b"1": True}[value]
    else:
        # What is no UTF-8 stays none, for the library to refuse.
        settings[name] = value.decode(errors="surrogateescape")


def invoke(client: Client, function_name: str, request: dict[str, Any]) -> tuple[Result, bytes]:
    try:
        result = client.invoke(function_name, **request)
    except LambdaError as error:
        result = error.result
    return result, result.payload


def stream(client: Client, function_name: str, request: dict[str, Any]) -> tuple[Result, bytes]:
    read = b""
    try:
        with client.invoke_stream(function_name, **request) as chunks:
            for chunk in chunks:
                read += chunk
        return chunks.result, read
    except LambdaError as error:
        return error.result, read


OPERATIONS = {"invoke": invoke, "stream": stream}


def answer(
    config: dict[str, Any],
    request: dict[str, Any],
    perform: Callable[[Client, str, dict[str, Any]], tuple[Result, bytes]],
) -> None:
    try:
        client = Client(**config)
    except LambdaError as error:
        print("status", status_name(error.result.status))
        print("execution", error.result.execution.name)
        tell("error_message", error.result.error_message)
    else:
        with client:
            tell_all(*perform(client, request.pop("function_name", ""), request))
    print(".", flush=True)


def tell_all(result: Result, payload: bytes) -> None:
    """Answers with the payload apart from the result, since a stream hands it out before."""
    print("status", status_name(result.status))
    print("execution", result.execution.name)
    print("http_status", result.http_status)
    print("attempts", result.attempts)
    print("unknown_attempts", result.unknown_attempts)
    print("retry_after_ms", round((result.retry_after or 0) * 1000))
    tell("payload", payload)
    for name in TEXTS:
        tell(name, getattr(result, name) if name != "error_message" else by_the_protocol(result.error_message))


def by_the_protocol(message: str | None) -> str | None:
    """Gives a field that is refused the protocol's name, where Python's is another."""
    return message and re.sub("^log:", "log_type:", message)


def tell(name: str, value: str | bytes | None) -> None:
    if isinstance(value, str):
        value = value.encode()
    print(name, "-" if value is None else value.hex())


def status_name(status: Status) -> str:
    return f"LAMBDA_E_{status.name}" if status.number < 0 else f"LAMBDA_{status.name}"


if __name__ == "__main__":
    main()
