"""Resets the connection while the request is still coming in."""

BEFORE_BODY = True
UNSIGNED = True


def respond(request, connection):
    connection.read(65536)
    connection.reset()
