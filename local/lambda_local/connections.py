"""Limits the number of open connections, and chooses which one to close when there are too many."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading

# Half of the descriptors remain for workers, of which each needs two.
SHARE_OF_DESCRIPTORS = 2
MOST = 1024
FEWEST = 16


def connection_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST
    return max(FEWEST, min(MOST, soft // SHARE_OF_DESCRIPTORS))


class Connections:
    """The open connections, up to a limit.

    A connection whose request is not complete may be closed in favour of a new one, the oldest first. So clients that
    open connections and send nothing, or a byte now and then, cannot keep others out.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        # In the order in which they began to wait; a dict is the standard library's ordered set.
        self._waiting: dict[socket.socket, None] = {}
        self._evicted: set[socket.socket] = set()

    def admit(self, connection: socket.socket) -> None:
        """Waits until there is room for the connection."""
        with self._changed:
            while len(self._open) >= self._limit:
                if len(self._open) - len(self._evicted) >= self._limit and self._waiting:
                    self._evict(next(iter(self._waiting)))
                self._changed.wait()
            self._open.add(connection)

    def _evict(self, connection: socket.socket) -> None:
        del self._waiting[connection]
        self._evicted.add(connection)
        # The connection's thread sees the end of the stream, and closes the connection.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def wait(self, connection: socket.socket) -> None:
        """Notes that the connection waits for a request."""
        with self._changed:
            self._waiting[connection] = None
            self._changed.notify()

    def work(self, connection: socket.socket) -> bool:
        """Notes that the connection's request is complete; False when the connection has just been closed instead."""
        with self._changed:
            self._waiting.pop(connection, None)
            return connection not in self._evicted

    def leave(self, connection: socket.socket) -> None:
        with self._changed:
            self._waiting.pop(connection, None)
            self._evicted.discard(connection)
            self._open.discard(connection)
            self._changed.notify()
