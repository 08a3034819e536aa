"""The exceptions, a class for each way in which a call can fail."""

from __future__ import annotations

import builtins

from ._result import Execution, Result, Status


class LambdaError(Exception):
    """A call, or the making of a client, that failed. `result` says all that is known, `result.execution` always."""

    def __init__(self, result: Result) -> None:
        super().__init__(_describe(result))
        self.result = result

    def __str__(self) -> str:
        # OSError and its kind have ideas of their own.
        return str(self.args[0])

    def __reduce__(self) -> tuple[type[LambdaError], tuple[Result]]:
        return type(self), (self.result,)


class InvalidArgumentError(LambdaError, ValueError):
    """A value that cannot be sent, or a client that is closed. Nothing was sent."""


class ConfigError(LambdaError):
    """No region, an unusable endpoint in the environment, no trusted certificates ..."""


class CredentialsError(LambdaError):
    """No usable credentials."""


class ConnectionError(LambdaError, builtins.ConnectionError):
    """No connection, or one that broke."""


class ResolveError(ConnectionError):
    """The endpoint's name could not be looked up."""


class ConnectError(ConnectionError):
    """Refused, unreachable, connect timeout."""


class TlsError(ConnectionError):
    """The TLS handshake failed."""


class ConnectionLostError(ConnectionError):
    """The connection broke after the request had begun; `result.execution` says what is known."""


class TimeoutError(LambdaError, builtins.TimeoutError):
    """The call's deadline passed; `result.execution` says whether anything had been sent."""


class CancelledError(LambdaError):
    """The caller ended the call by `stop`."""


class FunctionError(LambdaError):
    """The function ran and failed: `result.error_type`, `.error_message` and `.payload` are its own."""


class ServiceError(LambdaError):
    """Lambda answered with an error: `result.error_type` is its code."""


class ThrottledError(ServiceError):
    """Lambda turned the request away for its rate; see `result.throttle_reason` and `.retry_after`."""


class ProtocolError(LambdaError):
    """The answer makes no sense for this API."""


class TooLargeError(LambdaError):
    """The answer is longer than `max_response_bytes`."""


class InternalError(LambdaError):
    """A bug in the library; please report it."""


class NoMemoryError(LambdaError, MemoryError):
    """No memory for a payload or an answer."""


_BY_STATUS: dict[Status, type[LambdaError]] = {
    Status.FUNCTION_ERROR: FunctionError,
    Status.INVALID_ARGUMENT: InvalidArgumentError,
    Status.CONFIG: ConfigError,
    Status.CREDENTIALS: CredentialsError,
    Status.RESOLVE: ResolveError,
    Status.CONNECT: ConnectError,
    Status.TLS: TlsError,
    Status.IO: ConnectionLostError,
    Status.TIMEOUT: TimeoutError,
    Status.CANCELLED: CancelledError,
    Status.THROTTLED: ThrottledError,
    Status.SERVICE: ServiceError,
    Status.PROTOCOL: ProtocolError,
    Status.TOO_LARGE: TooLargeError,
    Status.INTERNAL: InternalError,
    Status.NO_MEMORY: NoMemoryError,
}


def error_for(result: Result) -> LambdaError | None:
    """None if that is no failure. Below zero are the failures, those of a later version too."""
    failure = result.status < 0 or result.status == Status.FUNCTION_ERROR
    return _BY_STATUS.get(result.status, LambdaError)(result) if failure else None


def failed(status: Status, message: str) -> LambdaError:
    """For what comes to nothing before there is a result."""
    return _BY_STATUS.get(status, LambdaError)(Result(status, Execution.NONE, error_message=message))


def refused(message: str) -> LambdaError:
    return failed(Status.INVALID_ARGUMENT, message)


def _describe(result: Result) -> str:
    told = [part for part in (result.error_type, result.error_message) if part]
    known = []
    if result.execution is not Execution.NONE:
        known.append(f"execution {result.execution.name}")
    if result.request_id:
        known.append(f"request {result.request_id}")
    text = ": ".join(told) or result.status.name
    return f"{text} ({', '.join(known)})" if known else text
