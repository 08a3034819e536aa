"""The same as _map.py, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any

from ._async import Call, queue_of
from ._errors import LambdaError
from ._map import NO_MORE, Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from ._map import Job, Outcome

_NOT_YET = object()


class _AsyncSource(Source):
    """The payloads of an asynchronous iterable."""

    def __init__(self, payloads: AsyncIterable[object]) -> None:
        super().__init__(())
        self._iterator = payloads.__aiter__()
        # Under way beside the calls, whose results are not to wait for it.
        self.pulling: asyncio.Task[object] | None = None

    def _next(self) -> object:
        """Returns _NOT_YET until the payload is there."""
        if self.pulling is None:
            self.pulling = asyncio.ensure_future(_next_of(self._iterator))
        if not self.pulling.done():
            return _NOT_YET
        pulled, self.pulling = self.pulling, None
        payload = pulled.result()
        self.is_over = payload is NO_MORE
        return payload

    def abandon(self) -> None:
        if self.pulling is not None:
            # A closed loop refuses what would have been done on it.
            with contextlib.suppress(RuntimeError):
                self.pulling.cancel()
                self.pulling.add_done_callback(_retrieve)


async def _next_of(payloads: AsyncIterator[object]) -> object:
    try:
        return await payloads.__anext__()
    except StopAsyncIteration:
        return NO_MORE


def _retrieve(task: asyncio.Task[object]) -> None:
    """Keeps asyncio from reporting an exception that nobody wants any more."""
    if not task.cancelled():
        task.exception()


async def run(job: Job, payloads: Iterable[object] | AsyncIterable[object]) -> AsyncGenerator[Outcome, None]:
    """Yields the outcomes. Ended early, it cancels what is left."""
    source = _AsyncSource(payloads) if isinstance(payloads, AsyncIterable) else Source(payloads)
    loop = asyncio.get_running_loop()
    bar, queue = job.bar(payloads), queue_of(loop)
    waiting: deque[Call | LambdaError] = deque()
    try:
        while True:
            for has_pulled in itertools.chain([False], itertools.repeat(True)):
                is_enough = len(waiting) >= job.concurrency or (has_pulled and waiting and _has_ended(waiting[0]))
                if source.is_over or is_enough:
                    break
                payload = source.pull()
                if payload is _NOT_YET:
                    break
                if payload is not NO_MORE:
                    refused = job.prepare(payload)
                    waiting.append(refused or queue.begin(loop, job.client, job.request, job.function_name))
            if waiting and _has_ended(waiting[0]):
                first = waiting.popleft()
                outcome = first if isinstance(first, LambdaError) else job.outcome(first.result())
                bar.update()
                yield job.checked(outcome)
            elif waiting or not source.is_over:
                await _wait(source, waiting)
            else:
                break
        source.end()
    finally:
        for call in waiting:
            if not isinstance(call, LambdaError):
                queue.forget(call)
        if isinstance(source, _AsyncSource):
            source.abandon()
        bar.close()


def _has_ended(call: Call | LambdaError) -> bool:
    return isinstance(call, LambdaError) or call.pointer is not None


async def _wait(source: Source, waiting: deque[Call | LambdaError]) -> None:
    """Waits for the first call or for the next payload."""
    awaited: set[asyncio.Future[Any]] = {call.ended for call in list(waiting)[:1] if not isinstance(call, LambdaError)}
    if isinstance(source, _AsyncSource) and source.pulling is not None:
        awaited.add(source.pulling)
    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
