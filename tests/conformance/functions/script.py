"""Responds as the payload demands: see "script" among the values of README.md."""

import base64
import json
import threading

from lambda_local.eventstream import CONTENT_TYPE, event, frame, http_chunk

PATIENCE_S = 30.0
STREAM_HEADERS = {
    "Content-Type": CONTENT_TYPE,
    "Transfer-Encoding": "chunked",
    "X-Amz-Executed-Version": "7",
    "x-amzn-RequestId": "r",
}

_attempts = {}
_lock = threading.Lock()


def respond(request, connection):
    script = json.loads(request.body)
    with _lock:
        number = _attempts.get(script["call"], 0)
        _attempts[script["call"]] = number + 1
    attempts = script["attempts"]
    for action in attempts[min(number, len(attempts) - 1)]:
        _act(action, connection)


def _act(action, connection):
    kind = action["do"]
    if kind == "answer":
        body = action.get("body", "")
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        connection.answer(action["status"], action.get("headers"), body)
    elif kind == "send":
        connection.send(action["text"].encode())
    elif kind == "send-base64":
        connection.send(base64.b64decode(action["bytes"]))
    elif kind == "stream":
        headers = {**STREAM_HEADERS, **action.get("headers", {})}
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        connection.send("".join(["HTTP/1.1 200 OK\r\n", *lines, "\r\n"]).encode())
    elif kind == "event":
        _send_frame(event(action["type"], _payload(action), "application/octet-stream"), action, connection)
    elif kind == "exception":
        headers = {":message-type": "exception", ":exception-type": action["type"]}
        _send_frame(frame(headers, _payload(action)), action, connection)
    elif kind == "end":
        connection.send(http_chunk(b""))
    elif kind == "close":
        connection.close()
    elif kind == "reset":
        connection.reset()
    elif kind == "wait":
        connection.wait_closed(PATIENCE_S)
    else:
        raise ValueError(f"no action: {action}")


def _payload(action):
    payload = action.get("payload", "")
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


def _send_frame(whole, action, connection):
    damaged = bytearray(whole[: action.get("cut")])
    if "flip" in action:
        damaged[action["flip"]] ^= 1
    connection.send(http_chunk(bytes(damaged)))
