"""A WSGI application that is loaded once, before gunicorn forks its workers; they share the client.

Run: gunicorn --preload --workers 4 --threads 8 --chdir examples/python web_gunicorn:app
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import lambda_invoke

# Made in the parent, which may call too: its children open their own connections, and inherit loaded credentials.
client = lambda_invoke.Client(timeout=10)
client.invoke("hello", invocation_type="DryRun")


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    names = environ["PATH_INFO"].strip("/").split(",")
    greetings = []
    for item in client.map("hello", ({"name": name} for name in names)):
        if isinstance(item, lambda_invoke.LambdaError):
            start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
            return [f"{item}\n".encode()]
        greetings.append(item.json()["greeting"])
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{greeting}\n".encode() for greeting in greetings]
