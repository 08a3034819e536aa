"""One invocation: the fields of an Invoke request, checked as Lambda checks them."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from .answers import refusal
from .message import Head

SYNCHRONOUS_LIMIT = 6_291_556
EVENT_LIMIT = 1_048_576
CLIENT_CONTEXT_LIMIT = 3583


@dataclass(frozen=True)
class Invocation:
    request_id: str
    kind: str
    tail: bool
    client_context: dict[str, Any] | None
    tenant_id: str | None
    durable_execution_name: str | None
    trace_header: str | None
    payload: bytes
    version: str
    arn: str


def payload_limit(head: Head) -> int:
    return EVENT_LIMIT if head.get("x-amz-invocation-type") == "Event" else SYNCHRONOUS_LIMIT


def parse_invocation(head: Head, body: bytes, raw: bool, request_id: str, version: str, arn: str) -> Invocation:
    kind = one_of(head, "x-amz-invocation-type", "invocationType", ("RequestResponse", "Event", "DryRun"))
    log_type = one_of(head, "x-amz-log-type", "logType", ("None", "Tail"))
    client_context = parse_client_context(head.get("x-amz-client-context"))
    if not raw and body:
        check_json(body)
    return Invocation(
        request_id=request_id,
        kind=kind,
        tail=log_type == "Tail" and kind == "RequestResponse",
        # Lambda passes it only to functions that are invoked synchronously.
        client_context=client_context if kind == "RequestResponse" else None,
        tenant_id=head.get("x-amz-tenant-id"),
        durable_execution_name=head.get("x-amz-durable-execution-name"),
        trace_header=head.get("x-amzn-trace-id"),
        payload=body,
        version=version,
        arn=arn,
    )


def one_of(head: Head, header: str, member: str, values: tuple[str, ...]) -> str:
    value = head.get(header)
    if value is None:
        return values[0]
    if value not in values:
        raise refusal(
            "InvalidParameterValueException", f"Value '{value}' at '{member}' must be one of {', '.join(values)}."
        )
    return value


def parse_client_context(value: str | None) -> dict[str, Any] | None:
    if value is None:
        return None
    if len(value) > CLIENT_CONTEXT_LIMIT:
        raise refusal(
            "InvalidRequestContentException", f"Client context must be no more than {CLIENT_CONTEXT_LIMIT} bytes."
        )
    try:
        context = json.loads(base64.b64decode(value.encode("latin-1"), validate=True).decode())
    except (binascii.Error, ValueError, RecursionError):
        context = None
    if not isinstance(context, dict):
        raise refusal("InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
    return context


def check_json(body: bytes) -> None:
    try:
        json.loads(body.decode(), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise refusal("InvalidRequestContentException", f"Could not parse request body into json: {error}") from None


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")
