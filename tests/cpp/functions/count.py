"""Answers how many requests came before this one."""


def respond(request, connection):
    connection.answer(200, body=str(request.count).encode())
