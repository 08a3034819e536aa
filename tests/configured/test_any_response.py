"""Whatever a source of credentials answers, a call ends with credentials or with a message: no panic, nothing sent."""

from __future__ import annotations

import json
import random

import pytest
from configured_servers import Answer, Request
from configured_world import LIBRARY_CLIENT, World
from test_leaks import SOURCES

ROUNDS = 120
STATUSES = [200, 200, 200, 200, 203, 301, 400, 404]
SCRAPS = [
    b"\0",
    b"\xff\xfe",
    b"\n",
    b'"',
    b"{",
    b"}",
    b"[[[[",
    b"\\ud83d",
    b"9" * 40,
    b"null",
    b"-1e999",
    b"<a>",
    b"&#x0;",
    b"]]>",
]


def mutated(choose: random.Random, body: bytes) -> bytes:
    out = bytearray(body)
    for _ in range(choose.randint(1, 4)):
        at = choose.randint(0, len(out))
        to = min(len(out), at + choose.choice([0, 1, 2, 8, 40]))
        change = choose.randint(0, 3)
        if change == 0:
            out[at:to] = choose.choice(SCRAPS)
        elif change == 1:
            out[at:at] = out[to : to + 30]
        elif change == 2:
            del out[at:to]
        else:
            out[at:] = b""
    return bytes(out)


def changed_values(choose: random.Random, body: bytes) -> bytes:
    """The same document with other values."""
    try:
        document = json.loads(body)
    except ValueError:
        return mutated(choose, body)
    if not isinstance(document, dict):
        return body
    odd = [
        None,
        "",
        " ",
        0,
        -1,
        1e308,
        2**63,
        [],
        {},
        True,
        "\ud83d",
        "9999-12-31T23:59:59Z",
        "-1-01-01T00:00:00Z",
        "x" * 70000,
    ]
    target = document.get("roleCredentials", document)
    for name in choose.sample(sorted(target), k=min(2, len(target))):
        target[name] = choose.choice(odd)
    return json.dumps(document).encode()


@pytest.mark.parametrize("set_up", SOURCES)
def test_no_response_makes_a_provider_panic(set_up: str, world: World) -> None:
    choose = random.Random(set_up)
    server = world.servers[SOURCES[set_up](world)]
    honest = server.respond

    def respond(request: Request) -> Answer | None:
        answer = honest(request)
        if answer is None or choose.random() < 0.3:
            return answer
        change = choose.choice([mutated, changed_values])
        headers = {name: choose.choice([value, "", "9" * 30, "x"]) for name, value in answer.headers.items()}
        return Answer(choose.choice(STATUSES), change(choose, answer.body), headers)

    server.respond = respond
    # Nobody reads that before the program ends.
    world.set(LAMBDA_INVOKE_LOG=None)
    done = 0
    while done < ROUNDS:
        with world.session(LIBRARY_CLIENT, "--timeout-ms", "5000") as session:
            while done < ROUNDS:
                run = session.round()
                done += 1
                # Once there are credentials, nobody is asked any more.
                if run.status not in ("LAMBDA_E_CREDENTIALS", "LAMBDA_E_TIMEOUT"):
                    assert run.status in ("LAMBDA_OK", "LAMBDA_E_SERVICE"), str(run)
                    break
                assert "panic" not in run.error_message, run.error_message
