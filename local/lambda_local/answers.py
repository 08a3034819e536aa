"""Lambda's responses: their form on the wire, and the bodies of errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True)
class ErrorKind:
    status: int
    message_key: str = "message"
    fault: str = "User"


# The member names differ by exception in the service's own model. Clients must handle both, so both occur here.
ERROR_KINDS = {
    "AccessDeniedException": ErrorKind(403),
    "BadRequestException": ErrorKind(400),
    "ExpiredTokenException": ErrorKind(403),
    "IncompleteSignatureException": ErrorKind(403),
    "InvalidParameterValueException": ErrorKind(400),
    "InvalidRequestContentException": ErrorKind(400),
    "InvalidSignatureException": ErrorKind(403),
    "LengthRequiredException": ErrorKind(411),
    "MissingAuthenticationTokenException": ErrorKind(403),
    "RequestTooLargeException": ErrorKind(413),
    "RequestTimeoutException": ErrorKind(408),
    "ResourceNotFoundException": ErrorKind(404, message_key="Message"),
    "ServiceException": ErrorKind(500, message_key="Message", fault="Service"),
    "TooManyRequestsException": ErrorKind(429),
    "UnknownOperationException": ErrorKind(404),
    "UnrecognizedClientException": ErrorKind(403),
    "ValidationException": ErrorKind(400),
}


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, request_id: str, close: bool) -> bytes:
        bodiless = self.status < 200 or self.status in (204, 304)
        if bodiless and self.body:
            raise ValueError(
                f"an answer with status {self.status} has no body, but one of {len(self.body)} bytes is given"
            )
        headers = {"x-amzn-RequestId": request_id, "Date": formatdate(usegmt=True), "Content-Type": "application/json"}
        given = {name.lower() for name in self.headers}
        if not bodiless and "transfer-encoding" not in given:
            headers["Content-Length"] = str(len(self.body))
        if close:
            headers["Connection"] = "close"
        headers = {name: value for name, value in headers.items() if name.lower() not in given}
        headers.update(self.headers)
        head = f"HTTP/1.1 {self.status} {reason(self.status)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return head.encode("latin-1") + b"\r\n" + self.body


class Refusal(Exception):
    """Ends the request with this response."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def error(code: str, message: str, more: dict[str, Any] | None = None, retry_after: int | None = None) -> Answer:
    kind = ERROR_KINDS[code]
    body = {**(more or {}), "Type": kind.fault, kind.message_key: message}
    headers = {"x-amzn-ErrorType": code}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Answer(kind.status, json.dumps(body).encode(), headers)


def refusal(code: str, message: str) -> Refusal:
    return Refusal(error(code, message))


def throttled() -> Answer:
    more = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"}
    return error("TooManyRequestsException", "Rate Exceeded.", more, retry_after=1)
