"""Answers how many requests came before this one: what a test needs that claims that nothing was sent."""


def respond(request, connection):
    connection.answer(200, body=str(request.count).encode())
