"""Reads HTTP/1.1 requests strictly, so that a client's mistake shows here and not at AWS."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass

from .answers import refusal

HEAD_LIMIT = 64 * 1024
FIELD_LIMIT = 100
LINE_LIMIT = 4096
# What a chunked body may hold beside its chunks: their sizes and extensions, and trailers.
CHUNK_LINES_LIMIT = 1024 * 1024
# How much is read and dropped after a refusal, so that a client that reads only after it has sent gets the refusal.
LINGER_LIMIT = 32 * 1024 * 1024
LINGER_SECONDS = 5.0
# The limit for a whole response, so that clients that do not read do not keep their connections forever.
SEND_SECONDS = 120.0
CHUNK = 256 * 1024

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") (/[\x21\x22\x24-\x7e]*) HTTP/1\.1")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
BARE_NEWLINE = re.compile(rb"(?<!\r)\n")


class Disconnected(Exception):
    """The client closed the connection in the middle of a request."""

    def __init__(self, received: bytes) -> None:
        super().__init__(f"after {len(received)} bytes")
        self.received = received


class TooLarge(Exception):
    """The body is larger than the limit that its reader gave."""


class Stalled(Exception):
    """The client has begun a request and did not send the rest of it in time."""

    def __init__(self, received: bytes = b"") -> None:
        super().__init__(f"after {len(received)} bytes")
        self.received = received


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
    """A connection, with the bytes that were received and not yet used."""

    def __init__(self, connection: socket.socket, request_seconds: float) -> None:
        self.socket = connection
        self._buffer = bytearray()
        self._request_seconds = request_seconds
        # The deadline of the request that is being read; None between requests, and while a response is made.
        self._deadline: float | None = None

    def _recv(self, count: int) -> bytes:
        """Raises Stalled at the request's deadline."""
        if self._deadline is None:
            self.socket.settimeout(None)
            return self.socket.recv(count)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Stalled
        self.socket.settimeout(left)
        try:
            return self.socket.recv(count)
        except socket.timeout:
            raise Stalled from None

    def _receive(self) -> bool:
        data = self._recv(CHUNK)
        self._buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def wait_for_request(self) -> bool:
        """Waits for a request's first byte, which starts its deadline; False if the client is done."""
        if not self._buffer and not self._receive():
            return False
        self._deadline = time.monotonic() + self._request_seconds
        return True

    def end_request(self) -> None:
        """Removes the deadline: from here on the function decides how long the request takes."""
        self._deadline = None
        self.socket.settimeout(None)

    def send(self, data: bytes) -> None:
        """Raises OSError, also when the client does not take the data in time."""
        self.socket.settimeout(SEND_SECONDS)
        self.socket.sendall(data)

    def read_head(self) -> bytes:
        """Returns the lines of a head without the empty line that ends it."""
        searched = 0
        while True:
            end = self._buffer.find(b"\r\n\r\n", max(0, searched - 3))
            if (end if end >= 0 else len(self._buffer)) > HEAD_LIMIT:
                raise refusal("BadRequestException", f"The request's head is longer than {HEAD_LIMIT} bytes.")
            if end >= 0:
                head = self._take(end)
                del self._buffer[:4]
                return head
            if BARE_NEWLINE.search(self._buffer, searched):
                raise refusal("BadRequestException", "A line of the request's head ends without a carriage return.")
            searched = len(self._buffer)
            if not self._receive():
                raise Disconnected(b"")

    def read_some(self, count: int) -> bytes:
        if not self._buffer and count > 0:
            self._receive()
        return self._take(count)

    def read_exactly(self, count: int) -> bytes:
        parts = [self._take(count)]
        missing = count - len(parts[0])
        while missing:
            try:
                data = self._recv(min(missing, CHUNK))
            except Stalled:
                raise Stalled(b"".join(parts)) from None
            if not data:
                raise Disconnected(b"".join(parts))
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def _read_line(self, spent: int) -> bytes:
        """Reads a line of a chunked body, after lines of so many bytes."""
        while (end := self._buffer.find(b"\r\n")) < 0 and len(self._buffer) <= LINE_LIMIT:
            if not self._receive():
                raise Disconnected(b"")
        if not 0 <= end <= LINE_LIMIT:
            raise refusal("BadRequestException", f"A line of the chunked body is longer than {LINE_LIMIT} bytes.")
        if spent + end > CHUNK_LINES_LIMIT:
            message = (
                f"The chunked body has more than {CHUNK_LINES_LIMIT} bytes of chunk sizes, extensions and trailers."
            )
            raise refusal("BadRequestException", message)
        line = self._take(end)
        del self._buffer[:2]
        return line

    def read_body(self, framing: Framing, limit: int) -> bytes:
        if framing.length is not None:
            if framing.length > limit:
                raise TooLarge
            return self.read_exactly(framing.length)
        return self._read_chunks(limit)

    def _read_chunks(self, limit: int) -> bytes:
        body, spent = bytearray(), 0
        try:
            while size := parse_chunk_size(line := self._read_line(spent)):
                spent += len(line) + 2
                if len(body) + size > limit:
                    raise TooLarge
                body += self.read_exactly(size)
                if self.read_exactly(2) != b"\r\n":
                    raise refusal(
                        "BadRequestException", "The chunked body has a chunk that is longer than its size says."
                    )
            while line := self._read_line(spent):
                spent += len(line) + 2
        except (Disconnected, Stalled) as cut:
            raise type(cut)(bytes(body) + cut.received) from None
        return bytes(body)

    def linger(self) -> None:
        """Ends the response and waits until the client has it: a close with unread data would reset the connection."""
        deadline = time.monotonic() + LINGER_SECONDS
        left = LINGER_LIMIT
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while left > 0 and (seconds := deadline - time.monotonic()) > 0:
                self.socket.settimeout(seconds)
                data = self.socket.recv(CHUNK)
                if not data:
                    return
                left -= len(data)
        except OSError:
            return


def parse_chunk_size(line: bytes) -> int:
    digits = line.split(b";", 1)[0].strip(b" \t")
    if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits):
        raise refusal("BadRequestException", "The chunked body has a chunk without a valid size.")
    return int(digits, 16)


def parse_head(data: bytes) -> Head:
    lines = data.split(b"\r\n")
    match = REQUEST_LINE.fullmatch(lines[0])
    if not match:
        raise refusal("BadRequestException", f"The request line is malformed: {show(lines[0])}.")
    path, _, query = match[2].decode("ascii").partition("?")
    if len(lines) - 1 > FIELD_LIMIT:
        raise refusal("BadRequestException", f"The request has more than {FIELD_LIMIT} headers.")
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
