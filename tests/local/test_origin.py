"""Web pages: what a browser sends for them must not reach a function, least of all one that checks no signature."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from conftest import Answer, Endpoint, Starter

PATH = "/2015-03-31/functions/open/invocations"
# It returns how often it was called before.
OPEN = """
UNSIGNED = True

def respond(request, connection):
    connection.answer(200, {}, str(request.count).encode())
"""

Post = Callable[..., Answer]


@pytest.fixture
def opened(start: Starter) -> Endpoint:
    return start(open=OPEN, early="BEFORE_BODY = True\n" + OPEN)


def post(endpoint: Endpoint, *headers: str, path: str = PATH, body: bytes = b"{}") -> Answer:
    head = "\r\n".join([f"POST {path} HTTP/1.1", *headers, f"Content-Length: {len(body)}", "", ""])
    return endpoint.exchange(head.encode() + body)


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "attacker.example:{port}",
        "127.0.0.1.attacker.example:{port}",
        "localhost.attacker.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost",
        "127.0.0.2:{port}",
        "[::1]:{port}",
        "user@127.0.0.1:{port}",
        "127.0.0.1:{port}, attacker.example",
        "",
    ],
)
@pytest.mark.parametrize("name", ["open", "early"])
def test_host_of_somebody_else(opened: Endpoint, host: str, name: str) -> None:
    path = PATH.replace("open", name)
    answer = post(opened, f"Host: {host.format(port=opened.port)}", path=path)
    assert (answer.status, answer.error) == (403, "InvalidSignatureException")
    assert f"127.0.0.1:{opened.port}" in answer.message
    # The function was not called.
    assert post(opened, f"Host: 127.0.0.1:{opened.port}", path=path).body == b"0"


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LocalHost:{port}"])
def test_own_host(opened: Endpoint, host: str) -> None:
    assert post(opened, f"Host: {host.format(port=opened.port)}").status == 200


def test_every_address_of_an_endpoint_that_listens_on_all(start: Starter) -> None:
    endpoint = start("--host", "0.0.0.0", open=OPEN)
    for address in ("127.0.0.1", "127.0.0.2"):
        with socket.create_connection((address, endpoint.port)) as connection:
            request = f"POST {PATH} HTTP/1.1\r\nHost: {address}:{endpoint.port}\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(request.encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
    assert post(endpoint, f"Host: attacker.example:{endpoint.port}").status == 403


@pytest.mark.parametrize(
    "header",
    [
        "Origin: http://attacker.example",
        "Origin: https://attacker.example:{port}",
        "Origin: null",
        "Origin:",
        "Origin: http://127.0.0.1",
        "Origin: http://127.0.0.1:1",
        "Origin: https://127.0.0.1:{port}",
        # Another name of the endpoint is another origin all the same.
        "Origin: http://localhost:{port}",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ],
)
@pytest.mark.parametrize("name", ["open", "early"])
def test_page_of_another_origin(opened: Endpoint, header: str, name: str) -> None:
    path, host = PATH.replace("open", name), f"Host: 127.0.0.1:{opened.port}"
    answer = post(opened, host, header.format(port=opened.port), path=path)
    assert (answer.status, answer.error) == (403, "AccessDeniedException")
    assert post(opened, host, path=path).body == b"0"


def test_signed_request_of_a_page(endpoint: Endpoint) -> None:
    request = endpoint.signed()
    request["Origin"] = "http://attacker.example"
    assert endpoint.exchange(request.encode()).error == "AccessDeniedException"


@pytest.mark.parametrize("header", ["Origin: http://127.0.0.1:{port}", "Sec-Fetch-Site: none", "Referer: http://x/"])
def test_headers_that_name_no_other_origin(opened: Endpoint, header: str) -> None:
    assert post(opened, f"Host: 127.0.0.1:{opened.port}", header.format(port=opened.port)).status == 200


def test_preflight_is_not_answered(opened: Endpoint) -> None:
    request = f"OPTIONS {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{opened.port}\r\nOrigin: http://attacker.example\r\n\r\n"
    answer = opened.exchange(request.encode())
    assert answer.status == 404
    assert not [name for name in answer.headers if name.startswith("access-control-")]
