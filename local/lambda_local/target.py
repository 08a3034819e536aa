"""The target of a request: the operation, the function and the qualifier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from .answers import refusal

INVOKE = re.compile(r"/2015-03-31/functions/(.*)/invocations")
STREAM = re.compile(r"/2021-11-15/functions/(.*)/response-streaming-invocations")
ENCODED = re.compile(r"(?:[A-Za-z0-9\-._~]|%[0-9A-Fa-f]{2})*")
ARN = re.compile(r"arn:(aws[a-z-]*):lambda:([a-z0-9-]+):(\d{12}):function:([A-Za-z0-9_-]+)(?::([^:]+))?")
PARTIAL = re.compile(r"(?:(?:(\d{12}):)?function:)?([A-Za-z0-9_-]+)(?::([^:]+))?")


@dataclass(frozen=True)
class FunctionReference:
    name: str
    qualifier: str | None = None
    partition: str = "aws"
    region: str | None = None
    account: str | None = None


@dataclass(frozen=True)
class Target:
    function: FunctionReference
    # The one of the name or the one of the query.
    qualifier: str | None
    streaming: bool


@dataclass(frozen=True)
class Address:
    """The decoded parts of the request target, not yet understood."""

    function_name: str
    query_qualifier: str | None
    streaming: bool

    @property
    def region(self) -> str | None:
        """The region that signs a request for a full ARN, which is known before the request is authentic."""
        match = ARN.fullmatch(self.function_name)
        return match[2] if match else None

    def resolve(self) -> Target:
        function = parse_function_name(self.function_name)
        if self.query_qualifier and function.qualifier and self.query_qualifier != function.qualifier:
            raise refusal(
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified qualifier.",
            )
        return Target(function, function.qualifier or self.query_qualifier, self.streaming)


def parse_address(method: str, path: str, query: str) -> Address:
    invoke, stream = INVOKE.fullmatch(path), STREAM.fullmatch(path)
    match = invoke or stream
    if method != "POST" or match is None:
        raise refusal(
            "UnknownOperationException", f"No operation of this endpoint has the request line {method} {path}."
        )
    label = match[1]
    encoded = ENCODED.match(label)
    if encoded is None or encoded.end() != len(label):
        at = encoded.end() if encoded else 0
        raise refusal(
            "BadRequestException",
            f"The function name in the path must be percent-encoded, but holds a raw {label[at]!r}: {label}",
        )
    return Address(decode(label, "function name"), parse_qualifier(query), stream is not None)


def parse_qualifier(query: str) -> str | None:
    values = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if decode(name, "query") == "Qualifier":
            values.append(decode(value, "qualifier"))
    if len(values) > 1:
        raise refusal("BadRequestException", "The query holds Qualifier more than once.")
    if values and not 1 <= len(values[0]) <= 128:
        raise refusal("ValidationException", "Qualifier must have 1 to 128 characters.")
    return values[0] if values else None


def parse_function_name(name: str) -> FunctionReference:
    if 1 <= len(name) <= 256:
        if arn := ARN.fullmatch(name):
            return FunctionReference(arn[4], arn[5], arn[1], arn[2], arn[3])
        if partial := PARTIAL.fullmatch(name):
            return FunctionReference(partial[2], partial[3], account=partial[1])
    raise refusal(
        "ValidationException",
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must be a "
        "function name, a partial ARN or an ARN of at most 256 characters.",
    )


def decode(text: str, what: str) -> str:
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        raise refusal("BadRequestException", f"The {what} holds a percent sign that begins no escape: {text}")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise refusal("BadRequestException", f"The {what} is not UTF-8 once decoded: {text}") from None
