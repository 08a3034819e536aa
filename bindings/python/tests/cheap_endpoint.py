"""An endpoint that costs little: thousands of connections at once, in one thread.

The name of the function chooses the response: for "echo" the payload, for "slow" the payload after as many seconds, for
"fail" an error of the function, for "never" none.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import resource
import threading


class Endpoint:
    """Runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # With python -X dev, asyncio would print what takes long on a busy machine.
        self.loop.set_debug(False)
        self.begun = 0
        self.open = 0
        self.most_open = 0
        self.under_way = 0
        self.most_under_way = 0
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=8192)
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.loop.call_soon(started.set)
        self.loop.run_forever()
        server.close()
        self.loop.close()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()


class _Connection(asyncio.Protocol):
    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.received = b""
        self.timers: list[asyncio.TimerHandle] = []
        self.waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.endpoint.open += 1
        self.endpoint.most_open = max(self.endpoint.most_open, self.endpoint.open)

    def connection_lost(self, error: Exception | None) -> None:
        self.endpoint.open -= 1
        self.endpoint.under_way -= self.waits
        for timer in self.timers:
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = int((re.search(rb"content-length: *(\d+)", head, re.IGNORECASE) or [b"", b"0"])[1])
        if not end or len(body) < length:
            return
        self.received = b""
        name = re.findall(rb"functions/(\w+)/", head)[0]
        self.endpoint.begun += 1
        self.endpoint.under_way += 1
        self.endpoint.most_under_way = max(self.endpoint.most_under_way, self.endpoint.under_way)
        self.waits = True
        if name == b"slow":
            self.timers = [self.endpoint.loop.call_later(float(json.loads(body)), self.answer, body)]
        elif name == b"fail":
            self.answer(b'{"errorType":"Oops","errorMessage":"no"}', b"X-Amz-Function-Error: Unhandled\r\n")
        elif name != b"never":
            self.answer(body)

    def answer(self, body: bytes, headers: bytes = b"") -> None:
        self.waits = False
        self.endpoint.under_way -= 1
        with contextlib.suppress(RuntimeError):
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: r\r\n%sContent-Length: %d\r\n\r\n%s" % (headers, len(body), body)
            )


def raise_the_limit_of_descriptors() -> None:
    """As far as needed, where it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16_384 if hard == resource.RLIM_INFINITY else min(hard, 16_384)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    # For a process of its own: prints the URL, and runs until its stdin is closed.
    raise_the_limit_of_descriptors()
    endpoint = Endpoint()
    print(endpoint.url, flush=True)
    with contextlib.suppress(EOFError):
        input()
