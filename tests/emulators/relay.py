"""Stands between a caller and a server, changes nothing, and tells when an answer of a certain status went by."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

PIECE = 65536


class Relay:
    def __init__(self, target: str, status: int) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._wanted = f"HTTP/1.1 {status} ".encode()
        self.seen = threading.Event()
        self.url = ""

    def serve(self, connection: socket.socket) -> None:
        with socket.create_connection(self._target) as server:
            forth = threading.Thread(target=self._pump, args=(connection, server), daemon=True)
            forth.start()
            self._pump(server, connection, watch=True)
            forth.join()

    def _pump(self, source: socket.socket, sink: socket.socket, watch: bool = False) -> None:
        # Whoever ends first ends both ways: HTTP/1.1 leaves nothing to come once one side has closed.
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                sink.sendall(piece)
                # Servers send an answer's first line in one piece.
                if watch and piece.startswith(self._wanted):
                    self.seen.set()
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relay(target: str, status: int) -> Iterator[Relay]:
    started = Relay(target, status)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            started.serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        host, port = server.server_address
        started.url = f"http://{host}:{port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield started
        finally:
            server.shutdown()
