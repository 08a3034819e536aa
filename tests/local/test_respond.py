from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from conftest import PATIENCE, Endpoint, Starter, eventually


def path(function: str) -> str:
    return f"/2015-03-31/functions/{function}/invocations"


def test_request_and_answer(start: Starter) -> None:
    endpoint = start(
        own="""
        import json

        def respond(request, connection):
            seen = dict(vars(request))
            seen["body"] = request.body.decode()
            connection.answer(200, {"X-Amz-Executed-Version": "9"}, json.dumps(seen).encode())
        """
    )
    response = endpoint.invoke("own", b"any bytes", Qualifier="$LATEST", TenantId="t")
    seen = json.loads(response["Payload"])
    assert response["ExecutedVersion"] == "9"
    assert response["ResponseMetadata"]["RequestId"]
    assert seen["method"] == "POST"
    assert seen["path"] == path("own")
    assert seen["query"] == "Qualifier=%24LATEST"
    assert seen["headers"]["x-amz-tenant-id"] == "t"
    assert seen["body"] == "any bytes"
    assert (seen["function_name"], seen["qualifier"], seen["count"]) == ("own", "$LATEST", 0)
    assert json.loads(endpoint.invoke("own")["Payload"])["count"] == 1


def test_connection_lives_on_after_an_answer(start: Starter) -> None:
    endpoint = start(
        own="""
        def respond(request, connection):
            if request.body == b"close":
                connection.answer(200, {"Connection": "close"})
            else:
                connection.answer(503, {}, b"busy")
        """
    )
    wire = endpoint.wire()
    for _ in range(2):
        wire.send(endpoint.signed(path("own")).encode())
        answer = wire.answer()
        assert (answer.status, answer.body) == (503, b"busy")
        assert "connection" not in answer.headers
    wire.send(endpoint.signed(path("own"), b"close").encode())
    assert wire.answer().status == 200
    assert wire.ends()
    wire.close()
    assert [line["connection"] for line in endpoint.log()] == [1, 1, 1]
    assert [line["status"] for line in endpoint.log()] == [503, 503, 200]


def test_signature_is_checked_first(start: Starter) -> None:
    source = "def respond(request, connection): connection.answer(200)"
    endpoint = start(strict=source, open="UNSIGNED = True\n" + source)
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        endpoint.client(aws_secret_access_key="wrong").invoke(FunctionName="strict")
    assert endpoint.client(aws_secret_access_key="wrong").invoke(FunctionName="open")["StatusCode"] == 200
    bare = f"POST {path('open')} HTTP/1.1\r\nHost: localhost:{endpoint.port}\r\nContent-Length: 0\r\n\r\n"
    assert endpoint.exchange(bare.encode()).status == 200


FAULTS = """
import json

state = {"closed": None}


def respond(request, connection):
    fault = request.body.decode()
    if fault == "cut":
        connection.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nshort")
    elif fault == "close":
        connection.close()
    elif fault == "reset":
        connection.reset()
    elif fault == "nothing":
        return
    elif fault == "wait":
        state["closed"] = connection.wait_closed(20)
    elif fault == "no wait":
        connection.send(str(connection.wait_closed(0.01)).encode())
    elif fault == "raise":
        raise ValueError("a bug in the test")
    elif fault == "both":
        connection.answer(200, {}, b"one")
        connection.send(b"two")
    elif fault == "state":
        connection.answer(200, {}, json.dumps(state).encode())
"""


@pytest.fixture
def faults(start: Starter) -> Endpoint:
    return start(faults=FAULTS)


def everything(endpoint: Endpoint, fault: bytes) -> bytes:
    wire = endpoint.wire()
    wire.send(endpoint.signed(path("faults"), fault).encode())
    received = b""
    while data := wire.socket.recv(65536):
        received += data
    wire.close()
    return received


def test_answer_that_is_cut(faults: Endpoint) -> None:
    assert everything(faults, b"cut") == b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"
    assert faults.log()[0]["status"] is None


@pytest.mark.parametrize("fault", [b"close", b"nothing"])
def test_connection_that_is_dropped(faults: Endpoint, fault: bytes) -> None:
    assert everything(faults, fault) == b""


def test_connection_that_is_reset(faults: Endpoint) -> None:
    with pytest.raises(ConnectionResetError):
        everything(faults, b"reset")


def test_waiting_for_the_client(faults: Endpoint) -> None:
    wire = faults.wire()
    wire.send(faults.signed(path("faults"), b"wait").encode())
    wire.close()
    assert everything(faults, b"no wait") == b"False"

    def closed() -> bool:
        return json.loads(faults.invoke("faults", b"state")["Payload"])["closed"]

    assert eventually(closed, "the end of the connection") is True


def test_bytes_after_an_answer_end_the_connection(faults: Endpoint) -> None:
    assert everything(faults, b"both").endswith(b"\r\n\r\nonetwo")


def test_code_that_fails(faults: Endpoint) -> None:
    answer = faults.exchange(faults.signed(path("faults"), b"raise").encode())
    assert (answer.status, answer.error) == (500, "ServiceException")
    assert "faults.py" in answer.message
    assert "a bug in the test" in answer.message
    assert "respond() failed" in faults.process.stderr.readline()


def test_code_that_cannot_be_loaded(start: Starter) -> None:
    endpoint = start(broken="import no_such_module\ndef respond(request, connection): pass")
    answer = endpoint.exchange(endpoint.signed(path("broken")).encode())
    assert (answer.status, answer.error) == (500, "ServiceException")
    assert "no_such_module" in answer.message


def test_early_answer(start: Starter) -> None:
    endpoint = start(
        early="""
        BEFORE_BODY = True

        def respond(request, connection):
            assert request.body is None
            connection.answer(413)
        """
    )
    wire = endpoint.wire()
    wire.send(endpoint.signed(path("early"), b"x" * 1000).head())
    answer = wire.answer()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert wire.ends()
    wire.close()
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        endpoint.client(aws_access_key_id="wrong").invoke(FunctionName="early")


def test_reading_the_body_by_itself(start: Starter) -> None:
    endpoint = start(
        early="""
        BEFORE_BODY = True

        def respond(request, connection):
            left = int(request.headers["content-length"])
            while left:
                left -= len(connection.read(min(left, 5)))
            connection.answer(200, {}, b"all of it")
        """
    )
    assert endpoint.invoke("early", b"x" * 10_000)["Payload"] == b"all of it"


def test_printing_leaves_stdout_alone(start: Starter) -> None:
    endpoint = start(
        own="""
        import os

        def respond(request, connection):
            print("printed", flush=True)
            os.system("echo printed by a child")
            connection.answer(200)
        """
    )
    endpoint.invoke("own")
    endpoint.process.terminate()
    stdout, stderr = endpoint.process.communicate(timeout=PATIENCE)
    assert stdout == ""
    assert "printed\nprinted by a child\n" in stderr


def test_streaming_path(start: Starter) -> None:
    endpoint = start(own="def respond(request, connection): connection.answer(200, {}, request.path.encode())")
    streaming = "/2021-11-15/functions/own/response-streaming-invocations"
    assert endpoint.exchange(endpoint.signed(streaming).encode()).body == streaming.encode()


def test_helpers_beside_the_file(start: Starter) -> None:
    endpoint = start(
        _answers="BODY = b'of the helper'\ndef handler(event, context): return None",
        own="import _answers\ndef respond(request, connection): connection.answer(200, {}, _answers.BODY)",
    )
    assert endpoint.invoke("own")["Payload"] == b"of the helper"
