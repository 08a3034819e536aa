"""Never answers, and costs no process while it does not."""


def respond(request, connection):
    connection.wait_closed(60.0)
