"""Answers as the event says: {"status": ..., "headers": {...}, "body": ...}, or by a reset of the connection."""

import json


def respond(request, connection):
    event = json.loads(request.body)
    if event == "reset":
        connection.reset()
    else:
        connection.answer(event["status"], event.get("headers", {}), event.get("body", "").encode())
