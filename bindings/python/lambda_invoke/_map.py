"""Calls of one function with many payloads: so many at once, with the results in the order of the payloads."""

from __future__ import annotations

import contextlib
import importlib
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any, Union

from . import _queue
from ._errors import InvalidArgumentError, LambdaError, failed
from ._interrupt import is_ending
from ._request import outcome_of, set_payload
from ._result import Result, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from ._abi import ClientPointer, RequestPointer, ResultPointer

Outcome = Union[Result, LambdaError]

# How often a waiting thread lets Python deliver Ctrl-C, which it does on the main thread once C has returned, and looks
# for `stop` and for the end of the interpreter.
_LOOK_EVERY_MS = 100
NO_MORE = object()


class Job:
    """What all items of a map share."""

    def __init__(
        self,
        client: ClientPointer,
        request: RequestPointer,
        function_name: str,
        concurrency: int,
        progress: bool,
        raise_on_error: bool,
    ) -> None:
        self.client = client
        # Each item sets its payload in it; the library takes a snapshot of every call.
        self.request = request
        self.function_name = function_name
        # Of the payloads that were taken, and whose results were not yet yielded.
        self.concurrency = concurrency
        self._progress = progress
        self._raise_on_error = raise_on_error

    def prepare(self, payload: object) -> LambdaError | None:
        """Sets the payload of the next call; returns why it cannot be sent."""
        try:
            set_payload(self.request, payload)
        except InvalidArgumentError as error:
            named = type(error)(error.result, self.function_name)
            named.__cause__ = error.__cause__
            return named
        return None

    def outcome(self, pointer: ResultPointer) -> Outcome:
        return outcome_of(pointer, self.client, self.function_name)

    def checked(self, outcome: Outcome) -> Outcome:
        if self._raise_on_error and isinstance(outcome, LambdaError):
            raise outcome
        return outcome

    def bar(self, payloads: object) -> Any:
        """Makes the progress bar; one that shows nothing if none is wanted, or there is no tqdm."""
        if self._progress:
            with contextlib.suppress(ImportError):
                total = len(payloads) if hasattr(payloads, "__len__") else None
                return importlib.import_module("tqdm.auto").tqdm(total=total, desc=self.function_name, unit=" calls")
        return _NoBar()


class _NoBar:
    def update(self) -> None:
        pass

    def close(self) -> None:
        pass


class Source:
    """The payloads. What their iterable raises waits until the results of the payloads before it were yielded."""

    def __init__(self, payloads: Iterable[object]) -> None:
        self._payloads = iter(payloads)
        self.is_over = False
        self.failure: Exception | None = None

    def pull(self) -> object:
        """Returns the next payload, or NO_MORE."""
        try:
            return self._next()
        except Exception as error:
            self.is_over, self.failure = True, error
            return NO_MORE

    def _next(self) -> object:
        payload = next(self._payloads, NO_MORE)
        self.is_over = payload is NO_MORE
        return payload

    def end(self) -> None:
        if self.failure is not None:
            raise self.failure


def run(job: Job, payloads: Iterable[object], stop: Callable[[], object] | None) -> Generator[Outcome, None, None]:
    """Yields the outcomes. Ended early, it cancels what is left."""
    source, bar, queue = Source(payloads), job.bar(payloads), _queue.borrow()
    tags = itertools.count(1)
    waiting: deque[int] = deque()
    done: dict[int, Outcome] = {}
    try:
        while True:
            # One for each outcome that is yielded; more only until the next outcome is there.
            for has_pulled in itertools.chain([False], itertools.repeat(True)):
                is_enough = len(waiting) >= job.concurrency or (has_pulled and waiting and waiting[0] in done)
                if source.is_over or is_enough:
                    break
                payload = source.pull()
                if payload is not NO_MORE:
                    tag = next(tags)
                    waiting.append(tag)
                    refused = job.prepare(payload)
                    if refused is None:
                        queue.submit(job.client, job.request, tag, job.function_name)
                    else:
                        done[tag] = refused
                _collect(job, queue, done)
            if not waiting:
                break
            while waiting[0] not in done:
                _look(job, queue, stop)
                _collect(job, queue, done, _LOOK_EVERY_MS)
            outcome = job.checked(done.pop(waiting.popleft()))
            bar.update()
            yield outcome
        source.end()
    finally:
        if all(tag in done for tag in waiting) and not queue.is_of_another_process():
            _queue.give_back(queue)
        else:
            # Cancels the calls that are left. Not left to the last reference, which a traceback may hold for long.
            queue.close()
        bar.close()


def _collect(job: Job, queue: _queue.Queue, done: dict[int, Outcome], timeout_ms: int = 0) -> None:
    queue.take(timeout_ms)
    while queue.taken:
        pointer = queue.taken.popleft()
        done[_queue.tag_of(pointer)] = job.outcome(pointer)


def _look(job: Job, queue: _queue.Queue, stop: Callable[[], object] | None) -> None:
    why = None
    if queue.is_of_another_process():
        why = "the calls under way are those of the process that this one was forked from"
    elif is_ending():
        why = "the interpreter is ending"
    elif stop is not None and stop():
        why = "stop ended the map"
    if why is not None:
        raise failed(Status.CANCELLED, why, job.function_name)
