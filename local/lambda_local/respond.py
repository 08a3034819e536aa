"""Functions that write their own responses: respond() of a file writes anything to the connection, faults included."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .answers import Answer
from .message import Stream
from .settings import Settings


@dataclass(frozen=True)
class Request:
    method: str
    # As received, not decoded.
    path: str
    query: str
    # By lower-case name; no header occurs twice.
    headers: Mapping[str, str]
    # None when BEFORE_BODY is set.
    body: bytes | None
    function_name: str
    qualifier: str | None
    # The number of earlier calls of this function.
    count: int


class Connection:
    """The connection for respond(). After any call but answer(), it is closed when respond() returns."""

    def __init__(self, stream: Stream, request_id: str, close: bool, on_action: Callable[[int | None], None]) -> None:
        self._stream = stream
        self._request_id = request_id
        self._close = close
        self._on_action = on_action
        self._answers = 0
        self._others = 0
        self.closed = False

    @property
    def untouched(self) -> bool:
        return self._answers == 0 and self._others == 0

    @property
    def reusable(self) -> bool:
        return self._answers == 1 and self._others == 0 and not self._close

    def answer(self, status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Sends a well-formed response. A header that is given replaces the default one."""
        headers = dict(headers or {})
        data = Answer(status, body, headers).encode(self._request_id, self._close)
        if any(name.lower() == "connection" and "close" in value.lower() for name, value in headers.items()):
            self._close = True
        self._on_action(status)
        self._answers += 1
        self._stream.socket.sendall(data)

    def send(self, data: bytes) -> None:
        self._act()
        self._stream.socket.sendall(data)

    def read(self, count: int) -> bytes:
        """Returns what the client sent, at least one byte and at most count; nothing once the client is done."""
        self._act()
        return self._stream.read_some(count)

    def wait_closed(self, timeout: float) -> bool:
        """Returns whether the client closes the connection within so many seconds; drops what it still sends."""
        self._act()
        deadline = time.monotonic() + timeout
        try:
            while (left := deadline - time.monotonic()) > 0:
                self._stream.socket.settimeout(left)
                if not self._stream.socket.recv(65536):
                    return True
        except socket.timeout:
            return False
        except OSError:
            return True
        finally:
            with contextlib.suppress(OSError):
                self._stream.socket.settimeout(None)
        return False

    def close(self) -> None:
        self._act()
        self.closed = True
        self._stream.socket.close()

    def reset(self) -> None:
        """Resets the connection instead of closing it."""
        self._act()
        self.closed = True
        linger_on, no_seconds = 1, 0
        self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", linger_on, no_seconds))
        self._stream.socket.close()

    def _act(self) -> None:
        self._on_action(None)
        self._others += 1


class Responder:
    def __init__(self, name: str, path: Path, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.path = path
        self._lock = threading.Lock()
        self._count = 0
        self._respond: Callable[[Request, Connection], None] | None = None

    def next_count(self) -> int:
        with self._lock:
            self._count += 1
            return self._count - 1

    def respond(self, request: Request, connection: Connection) -> None:
        """Raises whatever the file's code raises."""
        with self._lock:
            if self._respond is None:
                self._respond = self._load()
        self._respond(request, connection)

    def _load(self) -> Callable[[Request, Connection], None]:
        folder = str(self.path.parent)
        # At the end, so that no function's file replaces a module that the server needs.
        if folder not in sys.path:
            sys.path.append(folder)
        spec = importlib.util.spec_from_file_location(f"lambda_local_respond_{self.name}", self.path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{self.path} is no Python file")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        respond: Callable[[Request, Connection], None] = module.respond
        return respond
