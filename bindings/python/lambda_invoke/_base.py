"""What the classes of the generated table (_table.py) have in common."""

from __future__ import annotations

import enum
import re
from ctypes import c_void_p
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NoReturn

    from typing_extensions import Self


class Pointer(c_void_p):
    """A pointer to what the library made.

    Each type has a class of its own, so that ctypes refuses one in another's place, and so that the foreign call itself
    makes the object that will free it: a KeyboardInterrupt cannot come between the two.
    """

    # A client's _callback.Callbacks.
    callbacks: Any
    # A request's interrupt, for as long as C may call it.
    hook: Any = None

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuses copy, deepcopy and pickle: ctypes would copy the address, and what is there would be freed twice."""
        raise TypeError(f"cannot copy or pickle a {type(self).__name__}, whose object is freed with it")


class StrEnum(str, enum.Enum):
    """An enum whose members are str, in f-strings and JSON too, on every version of Python."""

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, specification: str) -> str:
        return str.__format__(self, specification)


class Numbered(StrEnum):
    """An enum with the name as its value, and with C's number for it."""

    number: int

    # The default is for type checkers, to whom Status("OK") is a call of this.
    def __new__(cls, value: str | int, number: int = 0) -> Self:
        member = str.__new__(cls, value)
        member._value_ = str(member)
        member.number = number
        return member


class OpenStatus(Numbered):
    """Finds a status by its number, and names a number that only a newer library knows."""

    @classmethod
    def _missing_(cls, value: object) -> OpenStatus | None:
        if isinstance(value, str) and re.fullmatch("UNKNOWN_-?[0-9]+", value):
            # Pickled.
            value = int(value[len("UNKNOWN_") :])
        if not isinstance(value, int):
            return None
        for status in cls:
            if status.number == value:
                return status
        # Not by the class's own __new__, in whose place enum puts the search that leads here.
        unknown = str.__new__(cls, f"UNKNOWN_{value}")
        unknown._name_ = unknown._value_ = str.__str__(unknown)
        unknown.number = value
        return unknown


class OpenExecution(Numbered):
    """Finds one by its number, and reads a number that only a newer library knows as UNKNOWN, which is 0."""

    @classmethod
    def _missing_(cls, value: object) -> OpenExecution | None:
        if not isinstance(value, int):
            return None
        return next((execution for execution in cls if execution.number == value), cls("UNKNOWN"))
