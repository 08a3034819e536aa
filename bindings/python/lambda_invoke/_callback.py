"""The callbacks that C calls while a call is under way: for credentials, and with events to log."""

from __future__ import annotations

import ctypes
import functools
import operator
import threading
from typing import TYPE_CHECKING, Any

from . import _abi
from ._abi import CredentialsFn, LogFn, library
from ._interrupt import FOREVER, refuse_async
from ._values import text, wrong_type

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Generator
    from datetime import datetime
    from typing import NoReturn

    Provider = Callable[[], "Credentials"]

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


def in_logger() -> bool:
    return _in_logger.now


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
        """Makes what is made for each thread, before a call of this one: it takes Python code."""
        # Ctrl-C may have cut an earlier call off before it took this, or a fork may have left another thread's.
        self._raised.pop(threading.get_ident(), None)
        for generator in self._generators:
            _ = generator.send

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

    # Partials, and no closures, which would hold this in a circle: it goes with the client's pointer.
    def ask(self, provider: Provider) -> Any:
        """Makes the C callback that asks `provider`."""
        if not callable(provider):
            raise wrong_type("credentials", "callable", provider)
        refuse_async("credentials", provider)
        return self._keep(CredentialsFn, functools.partial(_answer, provider, self._raised))

    def log(self, logger: logging.Logger) -> Any:
        """Makes the C callback that passes events on to `logger`."""
        return self._keep(LogFn, functools.partial(_pass_on, logger, self._raised))

    def _keep(self, kind: Any, make: Callable[[], Generator[int, int, None]]) -> Any:
        generator = _PerThread(make)
        # A generator takes one value, and C passes several, a 0 first: min, which is no Python code, sends one after
        # the other, and returns the first, which C takes for LAMBDA_OK, since all answers are the same.
        callback = kind(functools.partial(min, key=generator))
        self._generators.append(generator)
        self._kept.append(callback)
        return callback


def level_of(logger: logging.Logger) -> int:
    """Returns the library's level for what `logger` is enabled for."""
    if not (hasattr(logger, "isEnabledFor") and hasattr(logger, "log")):
        raise wrong_type("logger", "a logging.Logger", logger)
    return next((number for number, level in _LEVELS.items() if logger.isEnabledFor(level)), _abi.LOG_LEVEL_OFF)


# In both, the inner `try` is for what comes while the host's code runs, and the outer one for Ctrl-C that comes while
# that is dealt with.


def _answer(provider: Provider, raised: dict[int, BaseException]) -> Generator[int, int, None]:
    """Takes a 0, then the address for the credentials; answers 0 to both."""
    # Ctrl-C that came with the 0.
    early: BaseException | None = None
    out = 0
    while True:
        try:
            for _ in FOREVER:
                try:
                    out = 0
                    for _ in FOREVER:
                        out = yield 0
                        if not out:
                            early = None
                        elif early is not None:
                            raise early
                        else:
                            _fill_in(out, provider())
                        out = 0
                except GeneratorExit:
                    return
                except BaseException as error:
                    raised[threading.get_ident()] = error
                    early = None if out else error
                    if out:
                        library.lambda_credentials_set_error(out, _explain(error))
        except BaseException as error:
            raised[threading.get_ident()] = error


def _pass_on(logger: logging.Logger, raised: dict[int, BaseException]) -> Generator[int, int, None]:
    """Takes a 0, a level, and the addresses of two strings; answers 0 to each."""
    event: list[int] = []
    while True:
        try:
            for _ in FOREVER:
                try:
                    for _ in FOREVER:
                        _in_logger.now = False
                        value = yield 0
                        # What was cut short before is forgotten.
                        event = [*event, value] if value else []
                        if len(event) == 3:
                            level, target, message = event
                            # The strings die when C goes on, which it does when this asks for the next 0.
                            extra = {"target": ctypes.string_at(target).decode()}
                            _in_logger.now = True
                            logger.log(_LEVELS[level], "%s", ctypes.string_at(message).decode(), extra=extra)
                except GeneratorExit:
                    return
                except Exception:
                    # An event is lost, the call is not.
                    pass
                except BaseException as error:
                    raised[threading.get_ident()] = error
        except BaseException as error:
            raised[threading.get_ident()] = error


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
