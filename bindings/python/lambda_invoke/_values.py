"""Checks the values that callers pass, and converts them for C. Each message names the parameter at fault."""

from __future__ import annotations

import json
import math
import operator
from typing import TYPE_CHECKING, TypeVar

from ._errors import EncodeError, refused
from ._result import Execution, Result, Status

if TYPE_CHECKING:
    import enum

UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1


def text(name: str, value: str, *, may_be_empty: bool = False) -> bytes:
    if not isinstance(value, str):
        raise wrong_type(name, "a str", value)
    # By str's own method, since a subclass may have another. Half a surrogate pair is left to the library, which
    # refuses it without repeating a secret.
    encoded = str.encode(value, "utf-8", "surrogatepass")
    if b"\0" in encoded:
        raise refused(f"{name}: holds a NUL character")
    if not encoded and not may_be_empty:
        raise refused(f"{name}: is empty")
    return encoded


def switch(name: str, value: bool) -> int:
    # Truth would not do: "false" and "None" are true.
    if not isinstance(value, bool):
        raise wrong_type(name, "a bool", value)
    return int(value)


def count(name: str, value: int, largest: int) -> int:
    if isinstance(value, bool):
        raise wrong_type(name, "an int", value)
    try:
        # Also what counts as an int without being one, such as NumPy's.
        number = operator.index(value)
    except TypeError:
        raise wrong_type(name, "an int", value) from None
    # C takes 0 for the default, and ctypes drops the bits that do not fit.
    if not 1 <= number <= largest:
        raise refused(f"{name}: must be 1 to {largest}, not {_shown(number)}")
    return number


def milliseconds(name: str, seconds: float) -> int:
    """Rounds up, since C takes 0 for the default."""
    if isinstance(seconds, bool) or not (hasattr(seconds, "__float__") or hasattr(seconds, "__index__")):
        raise wrong_type(name, "a number of seconds", seconds)
    try:
        number = float(seconds)
    except TypeError:
        raise wrong_type(name, "a number of seconds", seconds) from None
    except (ValueError, OverflowError):
        number = math.nan
    if not 0 < number <= UINT64_MAX // 1000:
        raise refused(f"{name}: must be more than 0 seconds, and finite, not {_shown(seconds)}")
    # 1.1 * 1000 is slightly more than 1100.
    return max(1, math.ceil(round(number * 1000, 3)))


_Choice = TypeVar("_Choice", bound="enum.Enum")


def choice(name: str, choices: type[_Choice], value: object) -> _Choice:
    try:
        return choices(value)
    except ValueError:
        known = ", ".join(repr(choice.value) for choice in choices)
        raise refused(f"{name}: must be one of {known}, not {_shown(value)}") from None


def payload_bytes(payload: object) -> bytes | None:
    if payload is None or isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return _utf8("payload", payload)
    if not isinstance(payload, (bytearray, memoryview)):
        return json_bytes("payload", payload)
    try:
        return bytes(payload)
    except ValueError as error:
        # A memoryview that was released.
        raise refused(f"payload: {error}") from error


def json_bytes(name: str, value: object) -> bytes:
    try:
        # Lambda counts every byte and refuses NaN: no blanks, no ASCII escapes for other characters, no NaN.
        encoded = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise _not_encoded(f"{name}: cannot be encoded as JSON: {error}") from error
    return _utf8(name, encoded)


def _utf8(name: str, value: str) -> bytes:
    try:
        return str.encode(value)
    except UnicodeEncodeError as error:
        what = f"holds half a surrogate pair at character {error.start}"
        # Not from the error, which holds all of the text.
        raise _not_encoded(f"{name}: cannot be encoded as UTF-8: {what}") from None


def wrong_type(name: str, wanted: str, value: object) -> TypeError:
    return TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def _not_encoded(message: str) -> EncodeError:
    return EncodeError(Result(Status.INVALID_ARGUMENT, Execution.NONE, error_message=message))


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:
        # An int of more digits than Python prints.
        return f"a value of the type {type(value).__name__}"
    return shown if len(shown) <= 100 else f"{shown[:100]}..."
