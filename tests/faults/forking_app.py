"""An application of gunicorn whose client is made, and has made a call, before the workers are forked from it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import lambda_invoke

client = lambda_invoke.Client(
    region="us-east-1",
    endpoint_url=os.environ["FAULTS_URL"],
    ca_bundle=os.environ["FAULTS_CA_FILE"],
    access_key_id="AKIDEXAMPLE",
    secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    proxy="",
)


def call(number: int) -> str:
    """Returns which call the response belongs to."""
    result = client.invoke(f"f-{number}", {"id": str(number)})
    return (result.request_id or "").split("-")[0]


def keep_calling() -> None:
    number = 1_000_000
    while True:
        number += 1
        assert call(number) == str(number)


assert call(1_000_000) == "1000000"
# Of the process that forks: gunicorn starts other workers in place of those that end.
threading.Thread(target=keep_calling, daemon=True).start()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    number = int(environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"worker": os.getpid(), "owner": call(number)}).encode()]
