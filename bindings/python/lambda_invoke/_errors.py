"""The exceptions: a class for each status that is not a success."""

from __future__ import annotations

import builtins

from ._result import Execution, Result, Status


class LambdaError(Exception):
    """A call failed, or a client could not be made.

    `result` holds all that is known, `result.execution` always; `function_name` is the one of the call.

    A test may raise one with a message, or with nothing, in place of a result. The result is then Result.fake() of the
    class's status.
    """

    result: Result
    function_name: str | None

    def __init__(self, result: Result | str = "", function_name: str | None = None) -> None:
        if isinstance(result, str):
            result = Result.fake(status=_status_of(type(self)), error_message=result or None, request_id=None)
        elif not isinstance(result, Result):
            raise TypeError(f"result must be a Result or a str, not {type(result).__name__}")
        super().__init__(_describe(result, function_name))
        self.result = result
        self.function_name = function_name

    def __str__(self) -> str:
        # OSError and its subclasses would format their arguments otherwise.
        return str(self.args[0])

    def __reduce__(self) -> tuple[type[LambdaError], tuple[Result, str | None], dict[str, object]]:
        # With notes (PEP 678) and what else was attached.
        return type(self), (self.result, self.function_name), vars(self)


class InvalidArgumentError(LambdaError, ValueError):
    """A value that cannot be sent, or a client that is closed. Nothing was sent."""


class EncodeError(InvalidArgumentError, TypeError):
    """The payload or the client context cannot be encoded as JSON or as UTF-8. Nothing was sent."""


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
    """The connection broke after the request had begun; `result.execution` tells what is known."""


class TimeoutError(LambdaError, builtins.TimeoutError):
    """The call's deadline passed; `result.execution` tells whether the function may have run."""


class CancelledError(LambdaError):
    """The caller ended the call by `stop`."""


class FunctionError(LambdaError):
    """The function ran and failed: `result.error_type`, `.error_message` and `.payload` are its own."""


class ServiceError(LambdaError):
    """Lambda responded with an error: `result.error_type` is its code."""


class ThrottledError(ServiceError):
    """The request was throttled; see `result.throttle_reason` and `.retry_after`."""


class ProtocolError(LambdaError):
    """The response is not one of this API."""


class TooLargeError(LambdaError):
    """The response is longer than `max_response_bytes`."""


class InternalError(LambdaError):
    """A bug in the library; please report it."""


class NoMemoryError(LambdaError, MemoryError):
    """No memory for a payload or a response; `result.execution` tells whether the function ran."""


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


def _status_of(error: type[LambdaError]) -> Status:
    """Returns the status of a class or, for a class that users or this package derived, of its nearest base."""
    for base in error.__mro__:
        for status, known in _BY_STATUS.items():
            if known is base:
                return status
    return Status.IO if issubclass(error, ConnectionError) else Status.INTERNAL


# Looking it up in its class takes longer.
_OK = Status.OK


def error_for(result: Result, function_name: str | None = None) -> LambdaError | None:
    """Returns None if the call succeeded. Only OK is a success, also among the statuses of a newer library."""
    if result.status == _OK:
        return None
    return _BY_STATUS.get(result.status, LambdaError)(result, function_name)


def failed(status: Status, message: str, function_name: str | None = None) -> LambdaError:
    """Makes the error of what fails before there is a result."""
    result = Result(status, Execution.NONE, error_message=message)
    return _BY_STATUS.get(status, LambdaError)(result, function_name)


def refused(message: str) -> LambdaError:
    return failed(Status.INVALID_ARGUMENT, message)


def _describe(result: Result, function_name: str | None) -> str:
    """Says what was called, what failed, and what is known of it."""
    message = result.error_message
    called = _called(function_name)
    if called and message and message.startswith(called):
        # It begins so already.
        message = message[len(called) :]
    text = ": ".join(part for part in (result.error_type, message) if part) or result.status.name
    known = []
    if result.throttle_reason:
        known.append(f"reason {result.throttle_reason}")
    if result.attempts > 1 or (result.attempts and result.status == Status.THROTTLED):
        known.append("1 attempt" if result.attempts == 1 else f"{result.attempts} attempts")
    if result.execution is not Execution.NONE:
        known.append(f"execution {result.execution}")
    if result.request_id:
        known.append(f"request {result.request_id}")
    return f"{called}{text} ({', '.join(known)})" if known else f"{called}{text}"


def _called(function_name: str | None) -> str:
    if not function_name:
        return ""
    # What no function is called is not repeated as it is.
    shown = function_name if function_name.isprintable() else ascii(function_name)
    return f"{shown}: " if len(shown) <= 200 else f"{shown[:200]}...: "
