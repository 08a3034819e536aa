"""The callbacks that C calls while a call is under way: for credentials, and with events to log."""

from __future__ import annotations

import ctypes
import functools
import itertools
import operator
import threading
import weakref
from typing import TYPE_CHECKING, Any

from . import _abi
from ._abi import CredentialsFn, LogFn, library
from ._interrupt import FOREVER, refuse_async
from ._values import text, wrong_type

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Generator
    from datetime import datetime
    from typing import NoReturn, Union

    Provider = Callable[[], "Credentials"]
    Find = Callable[[], Union["Callbacks", None]]

# Those of logging, which takes longer to import than this package, and which only its users need; 5 is below its DEBUG.
_LEVELS = {
    _abi.LOG_LEVEL_TRACE: 5,
    _abi.LOG_LEVEL_DEBUG: 10,
    _abi.LOG_LEVEL_INFO: 20,
    _abi.LOG_LEVEL_WARN: 30,
    _abi.LOG_LEVEL_ERROR: 40,
}


class Credentials:
    """Credentials that sign calls, read-only.

    expires: an aware datetime, or seconds since 1970; None if they do not expire.
    """

    # No dataclass, for the same reason as Result.
    __slots__ = ("access_key_id", "secret_access_key", "session_token", "expires")

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    if TYPE_CHECKING:
        # typing.get_type_hints() would not find datetime, which takes as long to import as all of this package.
        expires: datetime | float | None

    def __init__(
        self,
        access_key_id: str,
        secret_access_key: str,
        session_token: str | None = None,
        expires: datetime | float | None = None,
    ) -> None:
        values = locals()
        for name in self.__slots__:
            object.__setattr__(self, name, values[name])

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Credentials(access_key_id={self.access_key_id!r}, expires={self.expires!r})"

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Credentials) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __reduce__(self) -> tuple[type[Credentials], tuple[Any, ...]]:
        return type(self), self._values()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Credentials are read-only: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Credentials are read-only: cannot delete {name}")


class _InLogger(threading.local):
    """Whether this thread is inside a client's logger, where C refuses to start another call."""

    now = False


_in_logger = _InLogger()
# Without one, no call needs to look.
_any_logger = False


def in_logger() -> bool:
    return _any_logger and _in_logger.now


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


# What C may call, by the user_data that it passes, until C releases it. That may be after the client has gone, since
# the calls of a queue, and credentials callbacks for them, end on threads of the library. So nothing in here refers to
# the client, or to the functions of its user, which may: the garbage collector could never free them.
_kept: dict[int, object] = {}
_numbers = itertools.count(1)
# A built-in function, since Ctrl-C would be lost in Python code here.
_release = ctypes.CFUNCTYPE(None, ctypes.c_ssize_t)(_kept.pop)
# Clients are freed after modules, so this lives as long as the process.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_release))


class Callbacks:
    """The callbacks of one client, whose pointer holds this."""

    def __init__(self) -> None:
        self._generators: list[_PerThread] = []
        # By thread that is inside a call: what its callback raised, which C cannot carry.
        self._raised: dict[int, BaseException | None] = {threading.get_ident(): None}
        self.provider: Provider | None = None
        self.logger: logging.Logger | None = None
        # What the last load of credentials raised, on whatever thread: a queue's calls have none of their own.
        self.cause: BaseException | None = None

    def prepare(self) -> None:
        """Makes what is made for each thread, before a call of this one: it takes Python code."""
        # Ctrl-C may have cut an earlier call off before it took this, or a fork may have left another thread's.
        self._raised[threading.get_ident()] = None
        for generator in self._generators:
            _ = generator.send

    def are_none(self) -> bool:
        """Tells whether the client has no callbacks, so that no call needs the others of these methods."""
        return not self._generators

    def interrupted(self) -> bool:
        """Tells whether to end this thread's call because a callback raised Ctrl-C or its like."""
        error = self._raised.get(threading.get_ident())
        return error is not None and not isinstance(error, Exception)

    def raised(self) -> Exception | None:
        """Returns what a callback raised during this thread's last call; raises it if it is not an Exception."""
        error = self._raised.pop(threading.get_ident(), None)
        if error is None or isinstance(error, Exception):
            return error
        raise error

    def keep(self, error: BaseException) -> None:
        """Keeps what a callback raised on this thread, if the thread is inside a call, which then takes it."""
        thread = threading.get_ident()
        if thread in self._raised:
            self._raised[thread] = error

    def ask(self, provider: Provider) -> tuple[Any, ...]:
        """Makes the C callback that asks `provider`; returns it with its user_data and release."""
        if not callable(provider):
            raise wrong_type("credentials", "callable", provider)
        refuse_async("credentials", provider)
        self.provider = provider
        return self._make(CredentialsFn, _answer)

    def log(self, logger: logging.Logger) -> tuple[Any, ...]:
        """Makes the C callback that passes events on to `logger`; returns it with its user_data and release."""
        global _any_logger
        _any_logger = True
        self.logger = logger
        return self._make(LogFn, _pass_on)

    def _make(self, kind: Any, run: Callable[[Find], Generator[int, int, None]]) -> tuple[Any, ...]:
        generator = _PerThread(functools.partial(run, weakref.ref(self)))
        # A generator takes one value, and C passes several, user_data first: min, which is no Python code, sends one
        # after the other, and returns the first, since all answers are the same.
        callback = kind(functools.partial(min, key=generator))
        self._generators.append(generator)
        # Below 0, as no address and no level is, with 32 lower bits that C takes for LAMBDA_OK.
        user_data = -(next(_numbers) << 32)
        _kept[user_data] = callback
        return callback, user_data, _release


def level_of(logger: logging.Logger) -> int:
    """Returns the library's level for what `logger` is enabled for."""
    if not (hasattr(logger, "isEnabledFor") and hasattr(logger, "log")):
        raise wrong_type("logger", "a logging.Logger", logger)
    return next((number for number, level in _LEVELS.items() if logger.isEnabledFor(level)), _abi.LOG_LEVEL_OFF)


# In both, the inner `try` is for what comes while the host's code runs, and the outer one for Ctrl-C that comes while
# that is dealt with.


def _answer(find: Find) -> Generator[int, int, None]:
    """Takes user_data, then the address for the credentials; answers 0 to both."""
    # Ctrl-C that came with user_data.
    early: BaseException | None = None
    out = 0
    while True:
        try:
            for _ in FOREVER:
                try:
                    out = 0
                    for _ in FOREVER:
                        # Apart from the provider's own GeneratorExit.
                        try:
                            out = yield 0
                        except GeneratorExit:
                            return
                        if out < 0:
                            out, early = 0, None
                        elif early is not None:
                            raise early
                        else:
                            _load(find(), out)
                        out = 0
                except BaseException as error:
                    _keep(find(), error)
                    early = None if out > 0 else error
                    if out > 0:
                        library.lambda_credentials_set_error(out, _explain(error))
        except BaseException as error:
            _keep(find(), error)


def _pass_on(find: Find) -> Generator[int, int, None]:
    """Takes user_data, a level, and the addresses of two strings; answers 0 to each."""
    event: list[int] = []
    while True:
        try:
            for _ in FOREVER:
                try:
                    for _ in FOREVER:
                        _in_logger.now = False
                        # Apart from the logger's own GeneratorExit.
                        try:
                            value = yield 0
                        except GeneratorExit:
                            return
                        # What was cut short before is forgotten.
                        event = [] if value < 0 else [*event, value]
                        if len(event) == 3:
                            _in_logger.now = True
                            _log(find(), *event)
                except Exception:
                    # An event is lost, the call is not.
                    pass
                except BaseException as error:
                    _keep(find(), error)
        except BaseException as error:
            _keep(find(), error)


def _load(callbacks: Callbacks | None, out: int) -> None:
    if callbacks is None or callbacks.provider is None:
        raise RuntimeError("the client is gone")
    callbacks.cause = None
    try:
        _fill_in(out, callbacks.provider())
    except BaseException as error:
        callbacks.cause = error
        raise


def _log(callbacks: Callbacks | None, level: int, target: int, message: int) -> None:
    if callbacks is not None and callbacks.logger is not None:
        # The strings die when C goes on, which it does when the generator asks for what comes next.
        extra = {"target": ctypes.string_at(target).decode()}
        callbacks.logger.log(_LEVELS[level], "%s", ctypes.string_at(message).decode(), extra=extra)


def _keep(callbacks: Callbacks | None, error: BaseException) -> None:
    if callbacks is not None:
        callbacks.keep(error)


def _explain(error: BaseException) -> bytes:
    try:
        words = str(error)
    except Exception:
        # Its own failure would hide it.
        words = ""
    explained = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return explained.replace("\0", "").encode(errors="replace")


_INT64_MAX = 2**63 - 1


def _fill_in(out: int, credentials: Credentials) -> None:
    if not isinstance(credentials, Credentials):
        raise TypeError(f"the credentials callable must return Credentials, not {type(credentials).__name__}")
    # What is not a credential is refused by the library, whose messages do not repeat it.
    keys = [
        None if value is None else text(name, value, may_be_empty=True)
        for name, value in zip(Credentials.__slots__, credentials._values())
        if name != "expires"
    ]
    for name, key in zip(Credentials.__slots__[:2], keys):
        if key is None:
            raise wrong_type(name, "a str", key)
    # The call that is under way fails with what this refuses.
    library.lambda_credentials_set(out, *keys, _expires(credentials.expires))


def _expires(expires: datetime | float | None) -> int:
    """Returns seconds since 1970; 0 means that the credentials do not expire."""
    if expires is None:
        return 0
    number: Any = expires
    if hasattr(number, "timestamp"):
        if number.tzinfo is None:
            raise ValueError("expires: must be an aware datetime")
        number = number.timestamp()
    if isinstance(number, bool) or not hasattr(number, "__float__"):
        raise wrong_type("expires", "an aware datetime or a number of seconds since 1970", expires)
    try:
        seconds = int(float(number))
    except (ValueError, OverflowError):
        raise ValueError("expires: must be a finite number") from None
    return min(max(1, seconds), _INT64_MAX)
