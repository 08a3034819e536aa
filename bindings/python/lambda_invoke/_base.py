"""What the classes of the generated table (_table.py) have in common."""

from __future__ import annotations

import enum
from ctypes import c_void_p
from typing import Any


class Pointer(c_void_p):
    """A pointer to what the library made.

    Each type has a class of its own, so that ctypes refuses one in another's place, and so that the foreign call itself
    makes the object that will free it: a KeyboardInterrupt cannot come between the two.
    """

    # A client's _callback.Callbacks.
    callbacks: Any


class OpenStatus(enum.IntEnum):
    """Names a number that only a newer library knows."""

    @classmethod
    def _missing_(cls, value: object) -> OpenStatus | None:
        if not isinstance(value, int):
            return None
        status = int.__new__(cls, value)
        status._name_ = f"UNKNOWN_{value}"
        status._value_ = value
        return status


class OpenExecution(enum.Enum):
    """Reads a number that only a newer library knows as UNKNOWN, which is 0."""

    @classmethod
    def _missing_(cls, value: object) -> OpenExecution | None:
        return cls(0) if isinstance(value, int) else None
