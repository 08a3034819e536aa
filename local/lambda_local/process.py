"""The server's side of a worker: starting it, giving it work, taking its output, ending it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from . import worker
from .notes import note
from .worker import NONCE_SIZE, Desynchronised, Reply, read_reply, write_frame

# Takes what a streamed response has next.
OnChunk = Callable[[bytes], None]

INIT_SECONDS = 10.0
LOG_LIMIT = 4096


class Exited(Exception):
    """The process ended without a response."""

    def __init__(self, returncode: int) -> None:
        if returncode == 0:
            how = "Runtime exited without providing a reason"
        elif returncode > 0:
            how = f"Runtime exited with error: exit status {returncode}"
        else:
            name = signal.strsignal(-returncode) or str(-returncode)
            how = f"Runtime exited with error: signal: {name.lower()}"
        super().__init__(how)


class InitFailed(Exception):
    """The function's module has no handler to run."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply[0]["message"])
        self.reply = reply


class TimedOut(Exception):
    """The process did not finish within this many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Task timed out after {seconds:.2f} seconds")


def check_reply(reply: Reply) -> None:
    """Raises Desynchronised unless the response has the members that a worker writes."""
    header = reply[0]
    kinds = {"error": bool, "type": str, "message": str} if header.get("error") else {"error": bool, "bytes": bool}
    if any(type(header.get(name)) is not kind for name, kind in kinds.items()):
        raise Desynchronised


class WorkerProcess:
    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._log = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 it lives as long as the process
        try:
            # Several processes write to it and it is cut after each invocation: every write must go to its end.
            flags = fcntl.fcntl(self._log, fcntl.F_GETFL)
            fcntl.fcntl(self._log, fcntl.F_SETFL, flags | os.O_APPEND)
            self._socket, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-B", "-u", worker.__file__, str(theirs.fileno()), str(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                    pass_fds=[theirs.fileno()],
                    env=dict(environment),
                    cwd=path.parent,
                    # Its own group, to end it with all it started and to keep the terminal's signals away from it.
                    start_new_session=True,
                )
        except BaseException:
            self._log.close()
            raise
        self._path = path
        self._lock = threading.Lock()
        self._reaped = threading.Event()
        self._ready = False
        threading.Thread(target=self._reap, daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._reaped.is_set()

    @property
    def usable(self) -> bool:
        """Returns whether the process is alive and has sent nothing unrequested, such as a second response."""
        if not self.alive:
            return False
        try:
            self._socket.setblocking(False)
            unasked = self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if unasked:
            self._note_foreign_bytes()
        return False

    def invoke(self, header: dict[str, Any], payload: bytes, seconds: float, on_chunk: OnChunk | None = None) -> Reply:
        """Raises Exited, InitFailed, TimedOut and what on_chunk raises; after each of them the worker cannot be used
        again."""
        limit = INIT_SECONDS
        try:
            if not self._ready:
                self._initialise()
            limit = seconds
            return self._exchange({**header, "deadline": time.time() + seconds}, payload, seconds, on_chunk)
        except socket.timeout:
            raise TimedOut(limit) from None
        except Desynchronised:
            self._note_foreign_bytes()
            self.kill()
        except (EOFError, ConnectionError):
            # A process that only closed its socket does not end by itself.
            if not self._reaped.wait(timeout=1):
                self.kill()
        self._reaped.wait()
        raise Exited(self._process.returncode)

    def _note_foreign_bytes(self) -> None:
        """Reports what Lambda's error for a crashed runtime leaves out."""
        note(f"{self._path}: the function wrote to the channel that carries its responses: its worker is ended")

    def _initialise(self) -> None:
        reply = self._exchange({}, b"", INIT_SECONDS)
        if reply[0]["error"]:
            raise InitFailed(reply)
        self._ready = True

    def _exchange(
        self, header: dict[str, Any], payload: bytes, seconds: float, on_chunk: OnChunk | None = None
    ) -> Reply:
        nonce = os.urandom(NONCE_SIZE)
        deadline = time.monotonic() + seconds
        self._socket.settimeout(seconds)
        write_frame(self._socket, nonce, header, payload)
        while True:
            reply = read_reply(self._socket, nonce, deadline)
            if on_chunk is None or reply[0].get("chunk") is not True:
                break
            on_chunk(reply[1])
        check_reply(reply)
        return reply

    def take_log(self) -> bytes:
        """Returns the end of what was written since the last call."""
        descriptor = self._log.fileno()
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, LOG_LIMIT, max(0, size - LOG_LIMIT))
        os.ftruncate(descriptor, 0)
        return data

    def kill(self) -> None:
        with self._lock:
            if self.alive:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        return self._reaped.wait(seconds)

    def close(self) -> None:
        self.kill()
        self._socket.close()
        self._log.close()

    def _reap(self) -> None:
        if hasattr(os, "waitid"):
            # The process stays a zombie for now, and so its group keeps its number while the rest of it is ended.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
            self.kill()
        self._process.wait()
        with self._lock:
            self._reaped.set()
        # A forked child of the handler may keep the other end open, but nothing more will arrive.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
