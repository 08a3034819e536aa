"""The request as it arrived; to Event and DryRun only with their status."""

import json

STATUS = {"RequestResponse": 200, "Event": 202, "DryRun": 204}


def respond(request, connection):
    status = STATUS[request.headers.get("x-amz-invocation-type", "RequestResponse")]
    seen = {"path": request.path, "query": request.query, "headers": request.headers, "body": request.body.decode()}
    connection.answer(status, {}, json.dumps(seen).encode() if status == 200 else b"")
