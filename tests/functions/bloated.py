"""Fails with a document of very many members, which a reader must not make much larger still."""

BODY = b"{" + b"".join(b'"%07d": 0, ' % number for number in range(1_500_000)) + b'"errorType": "Bloated"}'


def respond(request, connection):
    connection.answer(200, {"X-Amz-Function-Error": "Unhandled"}, BODY)
