"""Answers with the request as it arrived; to an Event only with 202, so the event "last" asks for the one before."""

_last = b""


def _describe(request):
    lines = [f"{request.method} {request.path}?{request.query}"]
    lines += sorted(f"{name}: {value}" for name, value in request.headers.items())
    return "\n".join(lines).encode() + b"\n\n" + request.body


def respond(request, connection):
    global _last
    if request.body == b"last":
        connection.answer(200, body=_last)
        return
    _last = _describe(request)
    kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
    status = {"RequestResponse": 200, "Event": 202, "DryRun": 204}[kind]
    connection.answer(status, body=_last if status == 200 else b"")
