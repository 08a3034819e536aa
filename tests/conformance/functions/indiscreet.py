"""Refuses everybody, and repeats the session token that it was sent."""

import json

UNSIGNED = True


def respond(request, connection):
    message = f"we got {request.headers['x-amz-security-token']} from you"
    connection.answer(403, body=json.dumps({"message": message}).encode())
