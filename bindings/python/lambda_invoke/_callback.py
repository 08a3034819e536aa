"""What C calls while a call is under way: for credentials, and with what happens inside."""

from __future__ import annotations

import ctypes
import functools
import logging
import operator
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import _abi
from ._abi import CredentialsFn, LogFn, library

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

TRACE = 5
"""The level of the most detailed events, below logging.DEBUG."""

_LEVELS = {
    _abi.LOG_LEVEL_TRACE: TRACE,
    _abi.LOG_LEVEL_DEBUG: logging.DEBUG,
    _abi.LOG_LEVEL_INFO: logging.INFO,
    _abi.LOG_LEVEL_WARN: logging.WARNING,
    _abi.LOG_LEVEL_ERROR: logging.ERROR,
}


@dataclass(frozen=True)
class Credentials:
    """Keys that sign calls. `expires`: an aware datetime, or seconds since 1970; None: they do not run out."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: datetime | float | None = None


if TYPE_CHECKING:
    Provider = Callable[[], Credentials]


class _PerThread(threading.local):
    """A primed generator for each thread, called through its send.

    Ctrl-C is raised by the first line of Python that runs, and would be lost before a function's own `try`; a generator
    is inside its `try` already (as in _interrupt.py). Finding the thread's one is no Python code either.
    """

    def __init__(self, make: Callable[[], Generator[int, int, None]]) -> None:
        generator = make()
        next(generator)
        self.send = generator.send

    __call__ = property(operator.attrgetter("send"))


class Callbacks:
    """The callbacks of one client. C may call them for as long as the client's pointer lives, which holds this."""

    def __init__(self) -> None:
        self._generators: list[_PerThread] = []
        self._kept: list[object] = []
        # By thread: what its callback raised, which C cannot carry.
        self._raised: dict[int, BaseException] = {}

    def prepare(self) -> None:
        """Before a call of this thread: what is made for a thread is made by Python code."""
        for generator in self._generators:
            _ = generator.send

    def raised(self) -> BaseException | None:
        """What a callback raised during the call that this thread has just made."""
        return self._raised.pop(threading.get_ident(), None)

    def ask(self, provider: Provider) -> Any:
        """Asks `provider` for C."""
        return self._keep(CredentialsFn, lambda: _answer(provider, self._raised))

    def log(self, logger: logging.Logger) -> Any:
        """Passes events on to `logger`."""
        return self._keep(LogFn, lambda: _pass_on(logger, self._raised))

    def _keep(self, kind: Any, make: Callable[[], Generator[int, int, None]]) -> Any:
        generator = _PerThread(make)
        # A generator takes one value, and C passes several, a 0 first: min, which is no Python code, sends one after
        # the other, and returns the first, which C takes for LAMBDA_OK, since all answers are the same.
        callback = kind(functools.partial(min, key=generator))
        self._generators.append(generator)
        self._kept.append(callback)
        return callback


def level_of(logger: logging.Logger) -> int:
    """The library's level for what `logger` wants to know."""
    return next((number for number, level in _LEVELS.items() if logger.isEnabledFor(level)), _abi.LOG_LEVEL_OFF)


def _answer(provider: Provider, raised: dict[int, BaseException]) -> Generator[int, int, None]:
    """Is sent a 0, then the place for the credentials; answers 0 to both."""
    while True:
        out = 0
        try:
            out = yield 0
            if out:
                error = raised.get(threading.get_ident())
                if error is not None:
                    # Ctrl-C came with the 0.
                    raise error
                _fill_in(out, provider())
        except GeneratorExit:
            return
        except BaseException as error:
            raised[threading.get_ident()] = error
            if out:
                words = str(error)
                text = f"{type(error).__name__}: {words}" if words else type(error).__name__
                library.lambda_credentials_set_error(out, text.replace("\0", "").encode(errors="replace"))


def _pass_on(logger: logging.Logger, raised: dict[int, BaseException]) -> Generator[int, int, None]:
    """Is sent a 0, a level, and the places of two strings; answers 0 to each."""
    event: list[int] = []
    while True:
        try:
            value = yield 0
            # What was cut short before is forgotten.
            event = [*event, value] if value else []
            if len(event) == 3:
                level, target, message = event
                # The strings die when C goes on, which it does when this asks for the next 0.
                extra = {"target": ctypes.string_at(target).decode()}
                logger.log(_LEVELS.get(level, logging.DEBUG), "%s", ctypes.string_at(message).decode(), extra=extra)
        except GeneratorExit:
            return
        except Exception:
            # An event is lost, the call is not.
            continue
        except BaseException as error:
            raised[threading.get_ident()] = error


def _fill_in(out: int, credentials: Credentials) -> None:
    expires = credentials.expires
    if isinstance(expires, datetime):
        if expires.tzinfo is None:
            raise ValueError("expires: must be an aware datetime")
        expires = expires.timestamp()
    # 0 would mean that they do not run out.
    seconds = 0 if expires is None else max(1, int(expires))
    values = (credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    for value in values:
        if value is not None and "\0" in value:
            raise ValueError("credentials: hold a NUL character")
    encoded = [None if value is None else value.encode() for value in values]
    # What it refuses it remembers, and says.
    library.lambda_credentials_set(out, *encoded, seconds)
