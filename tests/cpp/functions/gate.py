"""Keeps calls waiting, and tells others about them: what is awaited here need not be slept for.

wait NAME      no answer, until the client closes the connection
waiting NAME   "yes" or "no": whether such a call has come
ended NAME     "yes" once its connection is closed, "no" if it is not within the patience
"""

import threading

PATIENCE_S = 30.0

_changed = threading.Condition()
_waiting = set()
_ended = set()


def respond(request, connection):
    action, _, name = request.body.decode().partition(" ")
    if action == "wait":
        with _changed:
            _waiting.add(name)
        if connection.wait_closed(PATIENCE_S):
            with _changed:
                _ended.add(name)
                _changed.notify_all()
    elif action == "waiting":
        with _changed:
            answer(connection, name in _waiting)
    elif action == "ended":
        with _changed:
            answer(connection, _changed.wait_for(lambda: name in _ended, PATIENCE_S))
    else:
        raise ValueError(f"no action: {action!r}")


def answer(connection, yes):
    connection.answer(200, body=b"yes" if yes else b"no")
