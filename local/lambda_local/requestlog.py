"""The file of --log-requests: one JSON line per request, for tests that check what was sent."""

from __future__ import annotations

import base64
import json
import os
import threading
from pathlib import Path

from .message import Head

BODY_LIMIT = 64 * 1024


class RequestLog:
    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def write(self, connection: int, head: Head | None, body: bytes | None, status: int | None) -> None:
        """Called before the response is sent, so that a client that has received it also finds the line."""
        if self._file is None:
            return
        line = {
            "connection": connection,
            "method": head.method if head else None,
            "path": head.path if head else None,
            "query": head.query if head else None,
            "headers": [list(header) for header in head.headers] if head else [],
            "body_length": len(body or b""),
            "body": None if body is None or len(body) > BODY_LIMIT else base64.b64encode(body).decode(),
            "status": status,
        }
        data = json.dumps(line).encode() + b"\n"
        with self._lock:
            while data:
                data = data[os.write(self._file, data) :]
