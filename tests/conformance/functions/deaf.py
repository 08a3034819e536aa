"""Resets the connection while the payload is still coming in."""

BEFORE_BODY = True
UNSIGNED = True


def respond(request, connection):
    connection.read(1)
    connection.reset()
