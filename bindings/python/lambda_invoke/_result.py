"""The result of a call, and the enums in it."""

from __future__ import annotations

import ctypes
import json
import struct
from typing import TYPE_CHECKING

from ._table import Execution as Execution
from ._table import ResultPointer, ResultStruct
from ._table import Status as Status

if TYPE_CHECKING:
    from typing import Any, NoReturn


FIELDS = (
    "status",
    "execution",
    "payload",
    "log",
    "executed_version",
    "request_id",
    "http_status",
    "attempts",
    "unknown_attempts",
    "function_error",
    "error_type",
    "error_message",
    "throttle_reason",
    "retry_after",
    "durable_execution_arn",
    "content_type",
    "duration",
)


class Result:
    """What became of one call. Read-only; fields that the response did not have are None."""

    # No dataclass: importing it takes longer than all of this package. One slot for all fields, since setting one past
    # __setattr__ takes 600 instructions, and every call makes a Result.
    __slots__ = ("_values",)

    _values: tuple[object, ...]
    """In the order of FIELDS."""
    status: Status
    execution: Execution
    payload: bytes
    """What the function returned or threw."""
    log: bytes | None
    """The end of the function's log, if it was asked for."""
    executed_version: str | None
    request_id: str | None
    http_status: int
    """Of the last response; 0 if there was none."""
    attempts: int
    """0 if the call was refused before the first."""
    unknown_attempts: int
    """Attempts that may have run the function without anybody knowing; each is a possible extra run."""
    function_error: str | None
    error_type: str | None
    """The function's errorType, or the service's error code."""
    error_message: str | None
    throttle_reason: str | None
    retry_after: float | None
    """Seconds, as the service asked for."""
    durable_execution_arn: str | None
    content_type: str | None
    duration: float
    """Seconds from the call to the end, waits and retries included."""

    def __init__(
        self,
        status: Status = Status.OK,
        execution: Execution = Execution.NONE,
        payload: bytes = b"",
        log: bytes | None = None,
        executed_version: str | None = None,
        request_id: str | None = None,
        http_status: int = 0,
        attempts: int = 0,
        unknown_attempts: int = 0,
        function_error: str | None = None,
        error_type: str | None = None,
        error_message: str | None = None,
        throttle_reason: str | None = None,
        retry_after: float | None = None,
        durable_execution_arn: str | None = None,
        content_type: str | None = None,
        duration: float = 0.0,
    ) -> None:
        _set_values(
            self,
            (
                status,
                execution,
                payload,
                log,
                executed_version,
                request_id,
                http_status,
                attempts,
                unknown_attempts,
                function_error,
                error_type,
                error_message,
                throttle_reason,
                retry_after,
                durable_execution_arn,
                content_type,
                duration,
            ),
        )

    @classmethod
    def fake(
        cls, returned: object = None, *, status: Status = Status.OK, execution: Execution | None = None, **fields: Any
    ) -> Result:
        """Makes a result for a test: Result.fake({"total": 3}).json() is {"total": 3}.

        Fields that are not given are those of a real result of this status: an OK result RAN with HTTP status 200.

        returned: what the function returned, as JSON; bytes are the payload as it is.
        execution: by default RAN for OK, FUNCTION_ERROR and TOO_LARGE; NONE for THROTTLED and for failures before the
            request was sent; UNKNOWN for all others. OK with QUEUED is the result of an Event, with NONE of a DryRun.
        fields: other fields of Result.
        """
        from . import _fake

        return cls(**_fake.fields(returned, Status(status), execution, fields))

    def json(self) -> Any:
        """Returns the payload, decoded from JSON."""
        return json.loads(self.payload)

    @property
    def log_text(self) -> str:
        """The log as text; empty if there is none. Bytes that are not UTF-8, such as half a character, are replaced."""
        return (self.log or b"").decode("utf-8", "replace")

    def __repr__(self) -> str:
        """One short line, for logs: without the payload, which may be long and nobody else's business."""
        parts = [self.status, self.execution, f"{len(self.payload)} bytes"]
        if self.http_status:
            parts.append(f"HTTP {self.http_status}")
        parts += [
            f"{name}={_short(value)}"
            for name in ("error_type", "error_message", "request_id")
            for value in [getattr(self, name)]
            if value is not None
        ]
        return f"<Result {', '.join(parts)}>"

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Result) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values)

    def __reduce__(self) -> tuple[type[Result], tuple[object, ...]]:
        return type(self), self._values

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Result is read-only: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Result is read-only: cannot delete {name}")


_set_values = Result._values.__set__  # type: ignore[attr-defined,misc]


def _field(index: int) -> property:
    return property(lambda result: result._values[index])


for _index, _name in enumerate(FIELDS):
    setattr(Result, _name, _field(_index))


_STATUSES = {status.number: status for status in Status}
_EXECUTIONS = {execution.number: execution for execution in Execution}

_LAYOUT = struct.Struct("iiiIPnPnPPPPQPPPQQPII")
assert _LAYOUT.size == ctypes.sizeof(ResultStruct), "the layout is that of the header"
_BytesPointer = ctypes.POINTER(ctypes.c_char)
_AT_PAYLOAD, _AT_LOG = ResultStruct.payload.offset, ResultStruct.log.offset


def bytes_at(pointer_at: int, length: int) -> bytes:
    """Copies what the pointer at an address points to.

    In a third of the instructions of ctypes.string_at, which also drops the upper half of long lengths.
    """
    data: bytes = _BytesPointer.from_address(pointer_at)[:length]  # type: ignore[assignment]
    return data


def read(pointer: ResultPointer) -> Result:
    address = pointer.value
    assert address is not None, "the library never gives NULL for a result"
    raw = ResultStruct.from_address(address)
    # All fields at once take less time than three that ctypes is asked for.
    (
        status_number,
        execution_number,
        http_status,
        attempts,
        _payload,
        payload_len,
        log,
        log_len,
        function_error,
        error_type,
        error_message,
        throttle_reason,
        retry_after_ms,
        request_id,
        executed_version,
        durable_execution_arn,
        duration_us,
        _tag,
        content_type,
        unknown_attempts,
        _reserved,
    ) = _LAYOUT.unpack_from(raw)
    status = _STATUSES.get(status_number) or Status(status_number)
    message = raw.error_message.decode() if error_message else None
    payload, log_bytes = b"", None
    try:
        payload = bytes_at(address + _AT_PAYLOAD, payload_len)
        log_bytes = bytes_at(address + _AT_LOG, log_len) if log else None
    except MemoryError:
        # What became of the call is not lost with its payload.
        status, message = Status.NO_MEMORY, f"no memory for the {payload_len} bytes of the response"
    result = Result.__new__(Result)
    _set_values(
        result,
        (
            status,
            _EXECUTIONS.get(execution_number) or Execution(execution_number),
            payload,
            log_bytes,
            raw.executed_version.decode() if executed_version else None,
            raw.request_id.decode() if request_id else None,
            http_status,
            attempts,
            unknown_attempts,
            raw.function_error.decode() if function_error else None,
            raw.error_type.decode() if error_type else None,
            message,
            raw.throttle_reason.decode() if throttle_reason else None,
            retry_after_ms / 1000 if retry_after_ms else None,
            raw.durable_execution_arn.decode() if durable_execution_arn else None,
            raw.content_type.decode() if content_type else None,
            duration_us / 1_000_000,
        ),
    )
    return result


def _short(value: str) -> str:
    return repr(value) if len(value) <= 80 else repr(value[:80]) + "..."
