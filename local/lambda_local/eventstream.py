"""Streamed responses: the frames of application/vnd.amazon.eventstream, in chunks of HTTP."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
# The type of a header's value.
STRING = 7


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    encoded = b""
    for name, value in headers.items():
        encoded += struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", STRING, len(value.encode()))
        encoded += value.encode()
    lengths = struct.pack("!II", 12 + len(encoded) + len(payload) + 4, len(encoded))
    message = lengths + struct.pack("!I", zlib.crc32(lengths)) + encoded + payload
    return message + struct.pack("!I", zlib.crc32(message))


def event(name: str, payload: bytes, content_type: str) -> bytes:
    return frame({":message-type": "event", ":event-type": name, ":content-type": content_type}, payload)


def payload_chunk(payload: bytes) -> bytes:
    return event("PayloadChunk", payload, "application/octet-stream")


def invoke_complete(document: Mapping[str, str]) -> bytes:
    return event("InvokeComplete", json.dumps(document).encode(), "application/json")


def http_chunk(data: bytes) -> bytes:
    """Returns a chunk of HTTP; the empty one ends the response."""
    return b"%x\r\n%s\r\n" % (len(data), data)
