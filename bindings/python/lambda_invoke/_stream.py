"""A response that is read as it is made."""

from __future__ import annotations

import ctypes
import io
import os
import threading
from ctypes import byref
from typing import TYPE_CHECKING

from . import _interrupt
from ._abi import ClientPointer, RequestPointer, ResultPointer, StreamPointer, library
from ._errors import CredentialsError, error_for, refused
from ._result import Result, Status, bytes_at, read

if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn

    from ._callback import Callbacks

# By the address, and not by the pointer object, which would free the stream once more.
_finish = ctypes.CFUNCTYPE(ResultPointer, ctypes.c_void_p)(("lambda_stream_finish", library))


class Stream:
    """The chunks of one response, as they arrive: an iterator of bytes, and an asynchronous one.

    What is not a success is raised where the end would be, after all chunks that came before it. The reader sets the
    pace: what it does not take waits at the sender. Any thread may read, one at a time.

    `raw()` is the response as a file. `close()`, or the end of a `with` block, ends the call wherever it is.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_guard",
        "_lock",
        "_pointer",
        "_process",
        "_result",
        "_watch",
        "function_name",
    )

    function_name: str

    def __init__(
        self,
        client: ClientPointer,
        request: RequestPointer,
        function_name: str,
        stop: _interrupt.Stop | None,
        has_callbacks: bool,
    ) -> None:
        self.function_name = function_name
        self._result: Result | None = None
        # Held while C reads: close() of another thread must not free what is in use.
        self._lock = threading.Lock()
        # Held for moments, so that none is cancelled that is freed at the same time.
        self._guard = threading.Lock()
        self._process = os.getpid()
        # C calls the client's callbacks for as long as this lives.
        self._client = client
        ended = client.callbacks.interrupted if has_callbacks else None
        self._watch = _interrupt.Watch(request, function_name, stop, ended)
        # None once it is over.
        self._pointer: StreamPointer | None = library.lambda_invoke_stream(client, request)

    @property
    def result(self) -> Result:
        """What became of the call: only after the end, or close(). Its payload is empty."""
        if self._result is None:
            raise refused("the stream is not over: read it to its end, or close it, before you ask for its result")
        return self._result

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> bytes:
        chunk = self._next()
        if chunk is None:
            raise StopIteration
        return chunk

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        """Waits on a thread of the loop's default executor. Cancelling the task ends the stream."""
        import asyncio

        waits = asyncio.get_running_loop().run_in_executor(None, self._next)
        # So that nobody misses what a thread raises after its task was cancelled.
        waits.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            chunk = await asyncio.shield(waits)
        except asyncio.CancelledError:
            self._cancel()
            raise
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def raw(self) -> io.RawIOBase:
        """Returns the response as a file, for io.TextIOWrapper, io.BufferedReader or shutil.copyfileobj.

        Closing the file closes the stream.
        """
        return _File(self)

    def close(self) -> None:
        """Ends the call wherever it is; a thread that waits for a chunk gets a CancelledError."""
        self._cancel()
        if self._process != os.getpid():
            # A thread of the parent may have held the lock when it forked.
            self._end()
            return
        with self._lock:
            self._end()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        import asyncio

        # A thread that waits for a chunk may hold the lock for a moment.
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("cannot copy or pickle a Stream, which holds a connection")

    def _next(self) -> bytes | None:
        """Returns the next chunk, None at the end. Raises what is not a success, also when it is asked again."""
        _interrupt.reserve_stack()
        raised: BaseException | None = None
        with self._lock:
            pointer = self._pointer
            if pointer is not None:
                data, length = ctypes.c_void_p(), ctypes.c_size_t()
                callbacks: Callbacks = self._client.callbacks
                callbacks.prepare()
                try:
                    status = self._watch.during(
                        lambda: library.lambda_stream_next(pointer, -1, byref(data), byref(length))
                    )
                finally:
                    raised = callbacks.raised()
                if status == Status.OK.number:
                    return bytes_at(ctypes.addressof(data), length.value)
                self._end()
        failure = error_for(self.result, self.function_name)
        if isinstance(failure, CredentialsError):
            raise failure from raised
        if failure is not None:
            raise failure
        return None

    def _cancel(self) -> None:
        if self._process != os.getpid():
            # It is the parent's, and counts as cancelled here.
            return
        with self._guard:
            if self._pointer is not None:
                library.lambda_stream_cancel(self._pointer)

    def _end(self) -> None:
        if self._process != os.getpid():
            self._finish()
            return
        with self._guard:
            self._finish()

    def _finish(self) -> None:
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            # A Ctrl-C from here on loses the stream, but frees it at most once.
            address, pointer.value = pointer.value, None
            self._result = read(_finish(address))


class _File(io.RawIOBase):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self.closed:
            raise ValueError("I/O operation on a closed stream")
        with memoryview(buffer).cast("B") as into:
            if not self._rest and len(into):
                self._rest = memoryview(self._stream._next() or b"")
            count = min(len(into), len(self._rest))
            into[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
