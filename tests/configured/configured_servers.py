"""HTTP servers in threads of the test's own process: each answers with a function, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Optional


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    # The address that it came from.
    peer: str

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(status: int, document: Any, **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json", **names})


# None hangs up without an answer.
Respond = Callable[[Request], Optional[Answer]]


class Server:
    """Listens from the beginning. What it answers can be changed at any time."""

    def __init__(
        self,
        respond: Respond,
        listener: socket.socket | None = None,
        tls: ssl.SSLContext | None = None,
        protocol: str = "HTTP/1.1",
    ) -> None:
        self.respond = respond
        self.protocol = protocol
        self.requests: list[Request] = []
        self.connections = 0
        # Of a server that never answers: waits for it, so that nothing outlives the test.
        self.closed = threading.Event()
        self._tls = tls
        self._listener = listener or socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"{'localhost' if self._tls else host}:{port}"

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.address}"

    def hang(self, request: Request) -> None:
        """A way to respond: never."""
        self.closed.wait()

    def close(self) -> None:
        self.closed.set()
        # Wakes the thread that accepts; close() alone would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, peer), daemon=True).start()

    def _serve(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        # What a client breaks off, its test sees on the client's side.
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with contextlib.closing(connection):
                Handler(connection, peer, self)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def setup(self) -> None:
        self.protocol_version = self.server.protocol
        super().setup()

    def handle_one(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, path, query, tuple(self.headers.items()), body, self.client_address[0])
        self.server.requests.append(request)
        answer = self.server.respond(request)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_CONNECT = handle_one

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def refusing() -> Any:
    """An address that refuses connections: bound, so that nobody else gets the port, but nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "{}:{}".format(*bound.getsockname())
