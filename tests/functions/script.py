"""Answers as the event says: a line for each action, and "then" between one attempt and the next.

    answer STATUS NAME=VALUE|... BODY   a well-formed answer; "-" for no headers, "~" for a space in one; the body may
                                        be left out
    send TEXT                           these bytes, with Python's escapes
    pad COUNT                           so many bytes
    reset, close                        the connection
    wait                                until the client has closed the connection

The last attempt's actions also serve all later ones. Attempts are counted by the header X-Amz-Tenant-Id. The event
"count" asks how many attempts there were for that tenant.
"""

import threading

PATIENCE = 20.0
PIECE = b"x" * 65536

_attempts = {}
_lock = threading.Lock()


def respond(request, connection):
    tenant = request.headers["x-amz-tenant-id"]
    with _lock:
        number = _attempts.get(tenant, 0)
        if request.body != b"count":
            _attempts[tenant] = number + 1
    if request.body == b"count":
        connection.answer(200, body=str(number).encode())
        return
    attempts = request.body.decode().split("\nthen\n")
    for line in attempts[min(number, len(attempts) - 1)].split("\n"):
        _act(line, connection)


def _act(line, connection):
    action, _, rest = line.partition(" ")
    if action == "answer":
        status, headers, body = [*rest.split(" ", 2), "", ""][:3]
        pairs = [] if headers in ("", "-") else [pair.partition("=") for pair in headers.split("|")]
        connection.answer(int(status), {name: value.replace("~", " ") for name, _, value in pairs}, body.encode())
    elif action == "send":
        connection.send(rest.encode("latin-1").decode("unicode_escape").encode("latin-1"))
    elif action == "pad":
        left = int(rest)
        while left > 0:
            connection.send(PIECE[:left])
            left -= len(PIECE)
    elif action == "reset":
        connection.reset()
    elif action == "close":
        connection.close()
    elif action == "wait":
        connection.wait_closed(PATIENCE)
    else:
        raise ValueError(f"no action: {line!r}")
