"""Ends a call that waits in C, from Python."""

from __future__ import annotations

import atexit
import itertools
import os
import sys
import threading
import time
from threading import get_ident
from typing import TYPE_CHECKING

from ._abi import ClientPointer, InterruptFn, RequestPointer, ResultPointer, library
from ._errors import failed
from ._result import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, Protocol, Union

    class Flag(Protocol):
        """Such as threading.Event."""

        def is_set(self) -> bool: ...

    Stop = Union[Callable[[], object], Flag]

# For loops inside a `try` that Ctrl-C must not get out of. Python delivers it at the jump back as well, and 3.11 then
# looks for the `try` around what stands before the loop: with `for` that is the making of the iterator, inside; with
# `while True` it may be outside.
FOREVER = itertools.repeat(None)

# Until Python 3.14 a thread that asks for the GIL while the interpreter ends is unwound on the spot. In a hook that
# unwinds the library's frames too, which aborts the process. So calls of other threads that have a hook are ended
# before the interpreter is. The patience is for a `stop` that does not return.
_PATIENCE = 2.0
# As inspect.CO_COROUTINE, whose module takes longer to import than all of this package.
_CO_COROUTINE = 0x80
_ending = threading.Event()
_asking: set[object] = set()
# Kept, since asking for it takes longer.
_main_thread = threading.main_thread().ident
_NO_HOOK = InterruptFn()


def invoke(
    client: ClientPointer,
    request: RequestPointer,
    function_name: str,
    stop: Stop | None,
    ended: Callable[[], bool] | None = None,
) -> ResultPointer:
    """Calls lambda_invoke. A signal's handler that raises, such as Ctrl-C's, `stop` and `ended` end it.

    Not through a queue, where the thread that waits would need no hook: one call at a time then takes 2 to 4 % more
    time (160 us instead of 157, and 132 us of CPU instead of 127), needs a thread, and has callbacks run on others.
    """
    if stop is None and ended is None:
        # Python delivers signals on the main thread alone.
        if _on_main_thread():
            return _invoke_asking(client, request, None)
        if request.hook is not None:
            library.lambda_request_set_interrupt(request, _NO_HOOK, None)
            request.hook = None
        return _invoke(client, request)
    wanted = _either(ended, as_callable(stop))
    if _on_main_thread():
        return _invoke_asking(client, request, wanted)
    call = object()
    _asking.add(call)
    try:
        # In this order: what end_calls does not see in there, sees here that it is over, and stays out of C.
        if _ending.is_set():
            raise failed(Status.CANCELLED, "the interpreter is ending", function_name)
        return _invoke_asking(client, request, _either(_ending.is_set, wanted))
    finally:
        _asking.discard(call)


# How many frames a call needs at most: a signal's handler, `stop` or a credentials callable that logs takes 25 of them.
_FRAMES = 40
if sys.version_info >= (3, 12):

    def reserve_stack() -> None:
        """Raises RecursionError where the rest of the stack might not do for the callbacks of a call.

        Here nothing was sent yet. In a callback C could not pass it on, and it would end the generator for good.
        """
        try:
            sys._getframe(sys.getrecursionlimit() - _FRAMES)
        except ValueError:
            # There are fewer frames, as nearly always.
            return
        raise RecursionError("maximum recursion depth exceeded: a call of Lambda needs a part of the stack")

else:
    # isinstance() looks into tuples by recursion, which counts as Python's own here, and takes a fifth of the
    # instructions of a function that calls itself 12 times.
    _NESTED: Any = ()
    for _ in range(_FRAMES):
        _NESTED = (_NESTED,)

    def reserve_stack() -> None:
        isinstance(None, _NESTED)


def _invoke(client: ClientPointer, request: RequestPointer) -> ResultPointer:
    result: ResultPointer = library.lambda_invoke(client, request)
    return result


def _invoke_asking(client: ClientPointer, request: RequestPointer, stop: Callable[[], object] | None) -> ResultPointer:
    hook = _take_hook()
    asked = hook.asked
    raised = asked.begin(stop)
    # Most calls find in their request the hook that they take.
    if request.hook is not hook.function:
        library.lambda_request_set_interrupt(request, hook.function, None)
        request.hook = hook.function
    try:
        result = _invoke(client, request)
    finally:
        asked.stop = None
        # Its traceback would keep the caller's variables.
        asked.raised = []
        # On the main thread Ctrl-C could come while it is closed, and would be lost before Python 3.11.
        if len(_idle_hooks) < _MAX_IDLE or _on_main_thread():
            _idle_hooks.append(hook)
        else:
            hook.watch.close()
    if raised:
        raise raised.pop()
    return result


class _Asked:
    """What a hook asks for a call, and what came of it."""

    __slots__ = ("ends", "raised", "stop")

    def begin(self, stop: Callable[[], object] | None) -> list[BaseException]:
        self.stop = stop
        self.ends = 0
        self.raised: list[BaseException] = []
        return self.raised


class _Hook:
    """What C calls to ask whether a call is to end: for one call at a time, on any thread."""

    __slots__ = ("asked", "function", "watch")

    def __init__(self) -> None:
        self.asked = _Asked()
        self.watch = _watch(self.asked)
        next(self.watch)
        self.function = InterruptFn(self.watch.send)


# How many hooks may be idle.
_MAX_IDLE = 64
# Making one for each call would take 12,000 instructions of it. None is ever left to the garbage collection, in which
# Ctrl-C would be lost.
_idle_hooks: list[_Hook] = []


def _take_hook() -> _Hook:
    try:
        hook = _idle_hooks.pop()
    except IndexError:
        return _Hook()
    # A second Ctrl-C right after the first one may have ended it.
    return hook if hook.watch.gi_frame is not None else _Hook()  # type: ignore[attr-defined]


def _watch(asked: _Asked) -> Generator[int, object, None]:
    """Each send answers whether the call is to end.

    A generator, already inside its `try`, since a signal's handler runs as soon as Python code does: in a function that
    is before its first line, ctypes would print what the handler raised, and the call would go on.
    """
    asked.begin(None)
    is_closed = False
    while True:
        try:
            for _ in FOREVER:
                # Apart from the GeneratorExit of `stop` itself.
                try:
                    yield asked.ends
                except GeneratorExit:
                    is_closed = True
                    return
                if asked.stop is not None and asked.stop():
                    asked.ends = 1
        except BaseException as error:
            if is_closed:
                raise
            asked.raised.append(error)
            asked.ends = 1


class Watch:
    """Ends the waits of one stream, on whichever thread it is read: as invoke() ends a call."""

    def __init__(
        self, request: RequestPointer, function_name: str, stop: Stop | None, ended: Callable[[], bool] | None
    ) -> None:
        self._function_name = function_name
        wanted = _either(_either(ended, as_callable(stop)), lambda: _ending.is_set() and not _on_main_thread())
        # As long as the stream: C took it from the request.
        self._hook = _Hook()
        self._raised = self._hook.asked.begin(wanted)
        library.lambda_request_set_interrupt(request, self._hook.function, None)

    def during(self, wait: Callable[[], int]) -> int:
        if _on_main_thread():
            status = wait()
        else:
            mark = object()
            _asking.add(mark)
            try:
                # In this order, as in invoke().
                if _ending.is_set():
                    raise failed(Status.CANCELLED, "the interpreter is ending", self._function_name)
                status = wait()
            finally:
                _asking.discard(mark)
        if self._raised:
            error = self._raised.pop()
            if isinstance(error, (StopIteration, StopAsyncIteration)):
                # It would end a loop over the stream as if the stream were over.
                raise RuntimeError(f"stop raised {type(error).__name__}") from error
            raise error
        return status


def _on_main_thread() -> bool:
    return get_ident() == _main_thread


def _either(one: Callable[[], object] | None, other: Callable[[], object] | None) -> Callable[[], object] | None:
    if one is None or other is None:
        return one or other
    return lambda: one() or other()


def as_callable(stop: Stop | None) -> Callable[[], object] | None:
    wanted = getattr(stop, "is_set", stop)
    # A class has the method too, but lacks the object.
    if wanted is not None and (not callable(wanted) or isinstance(stop, type)):
        raise TypeError(f"stop must be callable or have is_set(), such as a threading.Event(), not {stop!r}")
    refuse_async("stop", wanted)
    return wanted


def refuse_async(name: str, function: object) -> None:
    """Raises a TypeError for an `async def`: its coroutine would never run, and would count as true."""
    code = getattr(function, "__code__", None)
    if getattr(code, "co_flags", 0) & _CO_COROUTINE:
        raise TypeError(f"{name} must be a plain function, not a coroutine function")


def is_ending() -> bool:
    """Tells whether the interpreter is ending."""
    return _ending.is_set()


def end_calls() -> None:
    _ending.set()
    deadline = time.monotonic() + _PATIENCE
    while _asking and time.monotonic() < deadline:
        time.sleep(0.001)


def _forked() -> None:
    global _main_thread
    # The calls of the parent's other threads do not go on in the child.
    _asking.clear()
    _main_thread = get_ident()


atexit.register(end_calls)
os.register_at_fork(after_in_child=_forked)
