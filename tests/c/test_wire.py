"""The requests that C programs sent, as they arrived, checked by a signer that others wrote; and wrong ones refused."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any, Callable

import pytest
from conftest import ROOT, Programs

CHECKER = ROOT / "tests" / "vectors" / "check_signature.py"
# Those whose requests have every field, every form of name and every kind of payload.
PROGRAMS = ["fields", "results"]
ARN_REGIONS = ["us-east-1", "eu-west-1"]

Wire = dict[str, Any]


def refusal(wire: Wire) -> str | None:
    """Why the signature is wrong; None if it is right."""
    checked = subprocess.run([sys.executable, str(CHECKER)], input=json.dumps(wire), capture_output=True, text=True)
    assert checked.returncode in (0, 1), checked.stderr
    answer = json.loads(checked.stdout)
    assert answer["ok"] == (checked.returncode == 0)
    return None if answer["ok"] else answer["reason"]


def wire_of(request: dict[str, Any]) -> Wire:
    region = next((name for name in ARN_REGIONS if f"%3A{name}%3A" in request["path"]), "us-east-1")
    return {
        "method": request["method"],
        "url_path": request["path"],
        "query": request["query"],
        "headers": request["headers"],
        "body_base64": request["body"],
        "region": region,
        "access_key_id": "local",
        "secret_access_key": "local-secret",
    }


def distinct(requests: list[dict[str, Any]]) -> list[Wire]:
    """One of each form: same path, query and names of headers."""
    forms = {}
    for request in requests:
        # The log leaves out the largest bodies.
        if request["body"] is not None:
            names = tuple(sorted(name.lower() for name, _ in request["headers"]))
            forms[request["path"], request["query"], names, request["body_length"] == 0] = wire_of(request)
    return list(forms.values())


@pytest.fixture(scope="module")
def sent(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> list[Wire]:
    requests = []
    for name in PROGRAMS:
        run = programs.run(name, tmp_path_factory.mktemp(name), light=True)
        assert run.status == 0, str(run)
        requests += run.requests
    return distinct(requests)


def header(wire: Wire, name: str) -> str | None:
    return next((value for key, value in wire["headers"] if key.lower() == name), None)


@pytest.mark.timeout(120)
def test_every_form_of_request_is_signed_right(sent: list[Wire]) -> None:
    assert len(sent) > 25
    wrong = {f"{wire['url_path']}?{wire['query']}": why for wire in sent if (why := refusal(wire)) is not None}
    assert not wrong


def test_requests_are_those_of_the_invoke_api(sent: list[Wire]) -> None:
    for wire in sent:
        assert wire["method"] == "POST"
        assert wire["url_path"].startswith("/2015-03-31/functions/")
        assert wire["url_path"].endswith("/invocations")
        names = [name.lower() for name, _ in wire["headers"]]
        assert len(names) == len(set(names))
        length = header(wire, "content-length")
        assert length == str(len(base64.b64decode(wire["body_base64"])))
        assert header(wire, "transfer-encoding") is None
        assert header(wire, "x-amz-security-token") is None
        assert header(wire, "accept-encoding") is None, "nothing here unpacks what a server would pack"


def change_header(name: str) -> Callable[[Wire], None]:
    def change(wire: Wire) -> None:
        wire["headers"] = [[key, value + "x" if key.lower() == name else value] for key, value in wire["headers"]]

    return change


def change_body(wire: Wire) -> None:
    body = bytearray(base64.b64decode(wire["body_base64"]))
    body[-1] ^= 1
    wire["body_base64"] = base64.b64encode(bytes(body)).decode()


def change_query(wire: Wire) -> None:
    wire["query"] += "x"


def change_path(wire: Wire) -> None:
    wire["url_path"] = wire["url_path"].replace("/invocations", "x/invocations")


def change_date(wire: Wire) -> None:
    wire["headers"] = [
        [key, "20200101T000000Z" if key.lower() == "x-amz-date" else value] for key, value in wire["headers"]
    ]


def drop_body(wire: Wire) -> None:
    wire["body_base64"] = ""


@pytest.mark.parametrize(
    "tamper",
    [
        change_header("host"),
        change_header("x-amz-client-context"),
        change_header("x-amz-tenant-id"),
        change_header("x-amz-durable-execution-name"),
        change_header("x-amz-log-type"),
        change_body,
        drop_body,
        change_query,
        change_path,
        change_date,
    ],
    ids=["host", "context", "tenant", "durable", "log-type", "byte", "body", "query", "path", "date"],
)
def test_a_request_that_was_tampered_with_is_refused(sent: list[Wire], tamper: Callable[[Wire], None]) -> None:
    """Every field is under the signature: nobody between here and Lambda can change it."""
    wire = next(wire for wire in sent if wire["query"] and header(wire, "x-amz-client-context") and wire["body_base64"])
    assert refusal(wire) is None
    tampered = dict(wire)
    tamper(tampered)
    assert tampered != wire
    assert refusal(tampered) is not None


def test_another_key_or_region_is_refused(sent: list[Wire]) -> None:
    assert refusal({**sent[0], "secret_access_key": "another"}) is not None
    assert refusal({**sent[0], "region": "eu-north-1"}) is not None
