from __future__ import annotations

import base64

from conftest import Endpoint, Starter, eventually


def test_line(hello: Endpoint) -> None:
    request = hello.signed("/2015-03-31/functions/function%3Ahello/invocations?Qualifier=%24LATEST", b'{"name": 1}')
    request["x-Odd-CASE"] = "  two  spaces\xe9 "
    assert hello.exchange(request.encode()).status == 200
    (line,) = hello.log()
    assert line["method"] == "POST"
    assert line["path"] == "/2015-03-31/functions/function%3Ahello/invocations"
    assert line["query"] == "Qualifier=%24LATEST"
    assert line["headers"][:-2] == request.headers[:-1]
    assert line["headers"][-2:] == [["x-Odd-CASE", "two  spaces\xe9"], ["Content-Length", "11"]]
    assert line["body_length"] == 11
    assert base64.b64decode(line["body"]) == b'{"name": 1}'
    assert line["status"] == 200


def test_refused_requests_are_there(hello: Endpoint) -> None:
    hello.exchange(b"nonsense\r\n\r\n")
    hello.exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    hello.exchange(hello.signed().head("Content-Length: 9999999"))
    assert [line["status"] for line in hello.log()] == [400, 404, 413]
    assert [line["connection"] for line in hello.log()] == [1, 2, 3]
    assert hello.log()[0]["method"] is None


def test_large_bodies_are_left_out(hello: Endpoint) -> None:
    for length in (64 * 1024, 64 * 1024 + 1):
        hello.invoke("hello", b"{" + b" " * (length - 2) + b"}")
    small, large = hello.log()
    assert len(base64.b64decode(small["body"])) == 64 * 1024
    assert (large["body_length"], large["body"]) == (64 * 1024 + 1, None)


def test_body_that_did_not_come_whole(hello: Endpoint) -> None:
    wire = hello.wire()
    wire.send(hello.signed().head("Content-Length: 10") + b"{")
    wire.close()
    (line,) = eventually(hello.log, "a line for the request")
    assert (line["body_length"], line["status"]) == (1, None)


def test_file_is_appended_to(start: Starter) -> None:
    for _ in range(2):
        endpoint = start()
        endpoint.invoke("hello")
        endpoint.stop()
    assert len(endpoint.log()) == 2
