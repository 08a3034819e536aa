"""The library's queue: calls under way on its thread, and their results."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import operator
import os
import time
import weakref
from collections import deque
from ctypes import byref
from typing import TYPE_CHECKING

from . import _interrupt
from ._abi import ErrorPointer, QueuePointer, ResultPointer, ResultStruct, library
from ._errors import failed
from ._result import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._abi import ClientPointer, RequestPointer
    from ._callback import Callbacks

# Queues that wait for the next map of any thread, with their connections: each has a thread and its descriptors.
_MAX_IDLE = 4
_idle: list[Queue] = []
# Another one in each forked child. A system call for each call would cost more.
_process = object()
_all: weakref.WeakSet[Queue] = weakref.WeakSet()
# How long the end of the interpreter waits for a callback.
_PATIENCE = 2.0
# The name of the library's thread that a credentials callback runs on.
_CREDENTIALS_THREAD = "lambda-creds"


class Queue:
    """A queue. Its last reference, or close, cancels the calls that are left and ends the library's thread."""

    __slots__ = ("__weakref__", "_pointer", "_process", "_take", "taken")

    def __init__(self) -> None:
        pointer, error = QueuePointer(), ErrorPointer()
        status = library.lambda_queue_new(byref(pointer), byref(error))
        if status != Status.OK.number:
            message: bytes = library.lambda_error_message(error)
            raise failed(Status(status), message.decode())
        self._pointer: QueuePointer | None = pointer
        self._process = _process
        self._take: Callable[[int], ResultPointer] = functools.partial(library.lambda_queue_next, pointer)
        self.taken: deque[ResultPointer] = deque()
        """Results that the library has handed over, in the order of their completion."""
        _all.add(self)

    def submit(self, client: ClientPointer, request: RequestPointer, tag: int, function_name: str) -> None:
        """Submits a call; `tag` must be new to this queue, or its result taken."""
        # What follows until the result was read takes more of the stack than this.
        _interrupt.reserve_stack()
        callbacks: Callbacks = client.callbacks
        if callbacks.are_none():
            status = library.lambda_queue_submit(self._opened(), client, request, tag)
        else:
            # A log callback may run on this thread meanwhile.
            callbacks.prepare()
            try:
                status = library.lambda_queue_submit(self._opened(), client, request, tag)
            finally:
                callbacks.raised()
        if status != Status.OK.number:
            raise failed(Status(status), "the queue could not accept the call", function_name)

    def take(self, timeout_ms: int = 0) -> None:
        """Appends all results that are there to `taken`; if there are none, waits for one."""
        if timeout_ms:
            first = self._take(timeout_ms)
            if not first:
                return
            self.taken.append(first)
        # Built-in functions alone, between which Python delivers no Ctrl-C that would lose a result. No result equals
        # None, and NULL is false.
        self.taken.extend(itertools.takewhile(operator.truth, iter(functools.partial(self._take, 0), None)))

    def cancel(self, tag: int) -> None:
        if self._pointer is not None:
            library.lambda_queue_cancel(self._pointer, tag)

    def descriptor(self) -> int:
        descriptor: int = library.lambda_queue_fd(self._opened())
        return descriptor

    def is_of_another_process(self) -> bool:
        """Tells whether the process has been forked since: the calls under way are those of the parent."""
        return self._process is not _process

    def close(self) -> None:
        self._pointer = None
        self._take = _nothing

    def _opened(self) -> QueuePointer:
        if self._pointer is None:
            raise failed(Status.CANCELLED, "the interpreter is ending")
        return self._pointer


def borrow() -> Queue:
    """Returns a queue that nobody else uses."""
    with contextlib.suppress(IndexError):
        while True:
            queue = _idle.pop()
            if not queue.is_of_another_process():
                return queue
    return Queue()


def give_back(queue: Queue) -> None:
    """Keeps a queue without calls under way for the next map."""
    if len(_idle) < _MAX_IDLE and not _interrupt.is_ending():
        _idle.append(queue)


def tag_of(pointer: ResultPointer) -> int:
    assert pointer.value is not None, "the library never gives NULL for a result"
    raw = ResultStruct.from_address(pointer.value)
    tag: int = raw.tag
    return tag


def _nothing(timeout_ms: int) -> ResultPointer:
    """Takes from a queue that is closed."""
    return ResultPointer()


def _end() -> None:
    """Ends the library's threads before the interpreter, since they may call Python (see _interrupt.py)."""
    _interrupt.end_calls()
    _idle.clear()
    # Another thread may be inside a function of the queue, which then holds the pointer until that has returned.
    pointers = [weakref.ref(queue._pointer) for queue in list(_all) if queue._pointer is not None]
    for queue in list(_all):
        queue.close()
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and (any(pointer() for pointer in pointers) or _loads_credentials()):
        time.sleep(0.001)


def _loads_credentials() -> bool:
    """Tells whether a credentials callback runs, or is about to: only the thread's name tells the latter."""
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/comm") as name:
                if name.read().strip() == _CREDENTIALS_THREAD:
                    return True
    return False


def _forked() -> None:
    global _process
    _process = object()


atexit.register(_end)
os.register_at_fork(after_in_child=_forked)
