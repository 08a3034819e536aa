"""What every kind of call does with its request and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._abi import library
from ._errors import CredentialsError, LambdaError, error_for
from ._result import Result, read
from ._values import payload_bytes

if TYPE_CHECKING:
    from ._abi import ClientPointer, RequestPointer, ResultPointer


def set_payload(request: RequestPointer, payload: object) -> None:
    data = payload_bytes(payload)
    # By bytes' own method, since a subclass may have another and C reads as many.
    library.lambda_request_set_payload(request, data, 0 if data is None else bytes.__len__(data))


def outcome_of(pointer: ResultPointer, client: ClientPointer, function_name: str) -> Result | LambdaError:
    """Reads the result of a queue's call."""
    result = read(pointer)
    error = error_for(result, function_name)
    if isinstance(error, CredentialsError):
        error.__cause__ = client.callbacks.cause
    return result if error is None else error
