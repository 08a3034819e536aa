"""Calls that asyncio awaits: one queue for each event loop, for the calls of all clients."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import weakref
from typing import TYPE_CHECKING

from ._errors import failed
from ._queue import Queue, tag_of
from ._result import Status, read

if TYPE_CHECKING:
    from ._abi import ClientPointer, RequestPointer, ResultPointer

# A cancelled call ends at once. This is for a queue whose thread waits for a log handler, and for a result that Ctrl-C,
# which asyncio before Python 3.11 raises anywhere, has cut off.
_PATIENCE = 1.0


class Call:
    """A call under way."""

    __slots__ = ("ended", "pointer", "tag")

    def __init__(self, tag: int, loop: asyncio.AbstractEventLoop) -> None:
        self.tag = tag
        # Apart from the future, which a task's cancellation marks as done: the result may come in that same moment.
        self.pointer: ResultPointer | None = None
        self.ended: asyncio.Future[None] = loop.create_future()

    def result(self) -> ResultPointer:
        assert self.pointer is not None, "a call that has ended has a result"
        return self.pointer

    def end(self, pointer: ResultPointer) -> None:
        self.pointer = pointer
        if not self.ended.done():
            self.ended.set_result(None)


class LoopQueue(Queue):
    """The queue of an event loop. Only the loop's reader owns it, so it goes when the loop is closed."""

    __slots__ = ("_calls", "_tags")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._tags = itertools.count(1)
        self._calls: dict[int, Call] = {}
        descriptor = self.descriptor()
        if descriptor < 0:
            raise failed(Status.NO_MEMORY, "no descriptor is left for the queue of the event loop")
        loop.add_reader(descriptor, self._take_all)

    def begin(
        self, loop: asyncio.AbstractEventLoop, client: ClientPointer, request: RequestPointer, function_name: str
    ) -> Call:
        call = Call(next(self._tags), loop)
        self._calls[call.tag] = call
        try:
            self.submit(client, request, call.tag, function_name)
        except BaseException:
            self.forget(call)
            raise
        return call

    def forget(self, call: Call) -> None:
        """Cancels a call, unless it has ended; nobody waits for it."""
        if self._calls.pop(call.tag, None) is not None:
            self.cancel(call.tag)

    async def end(self, call: Call) -> None:
        """Cancels a call, and waits for its result."""
        if call.pointer is None:
            call.ended = asyncio.get_running_loop().create_future()
            self.cancel(call.tag)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([call.ended], timeout=_PATIENCE)

    def _take_all(self) -> None:
        """Ends the calls whose results are there. Called by the event loop."""
        try:
            self.take()
            while self.taken:
                # Ctrl-C may come anywhere, so each step may be done twice.
                tag = tag_of(self.taken[0])
                call = self._calls.get(tag)
                if call is not None:
                    call.end(self.taken[0])
                self._calls.pop(tag, None)
                self.taken.popleft()
        finally:
            if self.taken:
                asyncio.get_running_loop().call_soon(self._take_all)


_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[LoopQueue]] = weakref.WeakKeyDictionary()


def queue_of(loop: asyncio.AbstractEventLoop) -> LoopQueue:
    reference = _queues.get(loop)
    queue = None if reference is None else reference()
    if queue is None or queue.is_of_another_process():
        queue = LoopQueue(loop)
        _queues[loop] = weakref.ref(queue)
    return queue


async def invoke(client: ClientPointer, request: RequestPointer, function_name: str) -> ResultPointer:
    loop = asyncio.get_running_loop()
    queue = queue_of(loop)
    call = queue.begin(loop, client, request, function_name)
    try:
        await call.ended
    except asyncio.CancelledError as error:
        # The task has to end with this error, whatever became of the call. So the error carries the call's result.
        await queue.end(call)
        if call.pointer is not None:
            error.result = read(call.pointer)  # type: ignore[attr-defined]
        raise
    finally:
        # Cancels the call of a coroutine that is thrown away.
        queue.forget(call)
    return call.result()
