"""Responds as the payload demands: see "script" among the values of README.md."""

import base64
import json
import threading

PATIENCE_S = 30.0

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
    elif kind == "close":
        connection.close()
    elif kind == "reset":
        connection.reset()
    elif kind == "wait":
        connection.wait_closed(PATIENCE_S)
    else:
        raise ValueError(f"no action: {action}")
