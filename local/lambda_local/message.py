"""HTTP/1.1 requests as they come over the wire, read strictly: a client's mistake must show here, not at AWS."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass

from .answers import refusal

HEAD_LIMIT = 64 * 1024
LINE_LIMIT = 4096
CHUNK = 256 * 1024

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") (/[\x21\x22\x24-\x7e]*) HTTP/1\.1")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
BARE_NEWLINE = re.compile(rb"(?<!\r)\n")


class Disconnected(Exception):
    """The client went away in the middle of a request."""

    def __init__(self, received: bytes) -> None:
        super().__init__(f"after {len(received)} bytes")
        self.received = received


class TooLarge(Exception):
    """The body is larger than the limit that its reader gave."""


@dataclass(frozen=True)
class Head:
    method: str
    path: str
    query: str
    # Bytes above 0x7f are kept as Latin-1, so that the signature is computed over the very bytes that were sent.
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def wants_close(self) -> bool:
        return "close" in [token.strip().lower() for token in (self.get("connection") or "").split(",")]


@dataclass(frozen=True)
class Framing:
    """How the body is delimited: by its length, or in chunks if there is none."""

    length: int | None


class Stream:
    """A connection, with what was received and not yet used."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = bytearray()

    def _receive(self) -> bool:
        data = self.socket.recv(CHUNK)
        self._buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def read_head(self) -> bytes | None:
        """The lines of a head without the empty line that ends it; None when the client is done."""
        searched = 0
        while True:
            end = self._buffer.find(b"\r\n\r\n", max(0, searched - 3))
            if end >= 0:
                head = self._take(end)
                del self._buffer[:4]
                return head
            if len(self._buffer) > HEAD_LIMIT:
                raise refusal("BadRequestException", f"The request's head is longer than {HEAD_LIMIT} bytes.")
            if BARE_NEWLINE.search(self._buffer, searched):
                raise refusal("BadRequestException", "A line of the request's head ends without a carriage return.")
            searched = len(self._buffer)
            if not self._receive():
                if self._buffer:
                    raise Disconnected(b"")
                return None

    def read_some(self, count: int) -> bytes:
        if not self._buffer and count > 0:
            self._receive()
        return self._take(count)

    def read_exactly(self, count: int) -> bytes:
        parts = [self._take(count)]
        missing = count - len(parts[0])
        while missing:
            data = self.socket.recv(min(missing, CHUNK))
            if not data:
                raise Disconnected(b"".join(parts))
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > LINE_LIMIT:
                raise refusal("BadRequestException", f"A line of the chunked body is longer than {LINE_LIMIT} bytes.")
            if not self._receive():
                raise Disconnected(b"")
        line = self._take(end)
        del self._buffer[:2]
        return line

    def read_body(self, framing: Framing, limit: int | None) -> bytes:
        if framing.length is not None:
            if limit is not None and framing.length > limit:
                raise TooLarge
            return self.read_exactly(framing.length)
        body = bytearray()
        while True:
            line = self._read_line()
            digits = line.split(b";", 1)[0].strip(b" \t")
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits):
                raise refusal("BadRequestException", "The chunked body has a chunk without a valid size.")
            size = int(digits, 16)
            if limit is not None and len(body) + size > limit:
                raise TooLarge
            if size == 0:
                break
            try:
                body += self.read_exactly(size)
            except Disconnected as cut:
                raise Disconnected(bytes(body) + cut.received) from None
            if self.read_exactly(2) != b"\r\n":
                raise refusal("BadRequestException", "The chunked body has a chunk that is longer than its size says.")
        while self._read_line():
            pass
        return bytes(body)

    def linger(self, seconds: float = 5.0) -> None:
        """Ends the answer and waits for the client to take it: closing with unread data would reset the connection."""
        deadline = time.monotonic() + seconds
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(CHUNK):
                    return
        except OSError:
            return


def parse_head(data: bytes) -> Head:
    lines = data.split(b"\r\n")
    match = REQUEST_LINE.fullmatch(lines[0])
    if not match:
        raise refusal("BadRequestException", f"The request line is malformed: {show(lines[0])}.")
    path, _, query = match[2].decode("ascii").partition("?")
    headers = []
    seen = set()
    for line in lines[1:]:
        found = FIELD_LINE.fullmatch(line)
        if not found:
            raise refusal("BadRequestException", f"The header line {show(line)} is malformed.")
        name, value = found[1].decode("ascii"), found[2].decode("latin-1").rstrip(" \t")
        if name.lower() in seen:
            raise refusal("BadRequestException", f"The header {name} occurs more than once.")
        seen.add(name.lower())
        headers.append((name, value))
    if "host" not in seen:
        raise refusal("BadRequestException", "The request has no Host header.")
    return Head(match[1].decode("ascii"), path, query, tuple(headers))


def parse_framing(head: Head) -> Framing:
    length, encoding = head.get("content-length"), head.get("transfer-encoding")
    if encoding is not None:
        if length is not None:
            raise refusal("BadRequestException", "The request has both Content-Length and Transfer-Encoding.")
        if encoding.lower() != "chunked":
            raise refusal("BadRequestException", f"Transfer-Encoding must be chunked, not {encoding!r}.")
        return Framing(None)
    if length is None:
        if head.method in ("POST", "PUT", "PATCH"):
            raise refusal("LengthRequiredException", "The request has neither Content-Length nor Transfer-Encoding.")
        return Framing(0)
    if not re.fullmatch("[0-9]{1,15}", length):
        raise refusal("BadRequestException", f"Content-Length must be a number of bytes, not {length!r}.")
    return Framing(int(length))


def show(line: bytes) -> str:
    # An Authorization header that is malformed elsewhere must not be repeated at length.
    return repr(line[:60].decode("latin-1")) + ("..." if len(line) > 60 else "")
