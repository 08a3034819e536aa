"""Answers with the request as it came over the wire."""

import hashlib
import json

SHOWN = (
    "content-length",
    "x-amz-client-context",
    "x-amz-durable-execution-name",
    "x-amz-invocation-type",
    "x-amz-log-type",
    "x-amz-tenant-id",
    "x-amzn-trace-id",
)


def respond(request, connection):
    seen = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": {name: request.headers[name] for name in SHOWN if name in request.headers},
        "sha256": hashlib.sha256(request.body).hexdigest(),
    }
    connection.answer(200, body=json.dumps(seen).encode())
