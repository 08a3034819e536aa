from __future__ import annotations

import base64
import json
import os

import pytest
from botocore.exceptions import ClientError
from conftest import Endpoint, Starter, eventually


def refused(endpoint: Endpoint, headers: dict[str, str], body: bytes = b"{}", function: str = "hello") -> tuple:
    request = endpoint.signed(f"/2015-03-31/functions/{function}/invocations", body, headers)
    answer = endpoint.exchange(request.encode())
    return answer.status, answer.error, answer.message


def test_answer(endpoint: Endpoint) -> None:
    response = endpoint.invoke("hello", b'{"name": "caller"}')
    assert response["StatusCode"] == 200
    assert response["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in response
    assert "LogResult" not in response
    assert response["Payload"] == b'{"hello": "caller"}'
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(response["Payload"]))
    assert headers["date"].endswith(" GMT")


def test_empty_payload_is_an_empty_event(endpoint: Endpoint) -> None:
    assert endpoint.invoke("echo", b"")["Payload"] == b"{}"


def test_null(endpoint: Endpoint) -> None:
    assert endpoint.invoke("echo", b"null")["Payload"] == b"null"


@pytest.mark.parametrize("body", [b"{", b"NaN", b"\xff", b"{} {}", b"'x'", b"[" * 100_000])
def test_payload_that_is_not_json(endpoint: Endpoint, body: bytes) -> None:
    status, error, message = refused(endpoint, {}, body)
    assert (status, error) == (400, "InvalidRequestContentException")
    assert message.startswith("Could not parse request body into json: ")


@pytest.mark.parametrize("header", ["X-Amz-Invocation-Type", "X-Amz-Log-Type"])
def test_values_that_do_not_exist(endpoint: Endpoint, header: str) -> None:
    status, error, message = refused(endpoint, {header: "Nonsense"})
    assert (status, error) == (400, "InvalidParameterValueException")
    assert "Nonsense" in message


def test_client_context(endpoint: Endpoint) -> None:
    given = {"custom": {"k": "é"}, "env": {"locale": "de"}, "client": {"app_title": "demo"}, "more": [1]}
    value = base64.b64encode(json.dumps(given).encode()).decode()
    context = endpoint.result("context", ClientContext=value)
    assert context["custom"] == {"k": "é"}
    assert context["env"] == {"locale": "de"}
    assert context["app_title"] == "demo"
    assert context["raw"] == given


@pytest.mark.parametrize("value", ["e30", "!!!!", "eyJ9", "W10=", "/w=="])
def test_client_context_that_is_none(endpoint: Endpoint, value: str) -> None:
    assert refused(endpoint, {"X-Amz-Client-Context": value}) == (
        400,
        "InvalidRequestContentException",
        "Client context must be a valid Base64-encoded JSON object.",
    )


def test_client_context_that_is_too_large(endpoint: Endpoint) -> None:
    def of_length(length: int) -> str:
        text = b'{"custom": {"k": "' + b"x" * (length // 4 * 3 - 21) + b'"}}'
        return base64.b64encode(text).decode()

    assert endpoint.invoke("context", ClientContext=of_length(3580))["StatusCode"] == 200
    status, error, message = refused(endpoint, {"X-Amz-Client-Context": of_length(3584)})
    assert (status, error) == (400, "InvalidRequestContentException")
    assert "3583" in message


def test_context(endpoint: Endpoint) -> None:
    response = endpoint.invoke("context", TenantId="tenant 1", DurableExecutionName="execution-1")
    context = json.loads(response["Payload"])
    assert context["aws_request_id"] == response["ResponseMetadata"]["RequestId"]
    assert context["tenant_id"] == "tenant 1"
    assert context["durable_execution_name"] == "execution-1"
    assert context["trace_header"] is None
    assert context["identity"] is None
    assert context["memory_limit_in_mb"] == 128
    assert context["log_group_name"] == "/aws/lambda/context"
    assert "[$LATEST]" in context["log_stream_name"]
    assert 2000 < context["remaining"] <= 3000
    plain = endpoint.result("context")
    assert plain["tenant_id"] is None
    assert plain["durable_execution_name"] is None
    assert "raw" not in plain


def test_environment_of_a_handler(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of the caller")
    monkeypatch.setenv("OTHER", "kept")
    endpoint = start(
        "--secret-access-key",
        "do-not-tell",
        environment="import os\ndef handler(event, context): return dict(os.environ)",
    )
    request = endpoint.signed("/2015-03-31/functions/environment/invocations")
    request["X-Amzn-Trace-Id"] = "Root=1-2-3"
    environment = json.loads(endpoint.exchange(request.encode()).body)
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "environment"
    assert environment["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert environment["AWS_REGION"] == "us-east-1"
    assert environment["_X_AMZN_TRACE_ID"] == "Root=1-2-3"
    assert environment["OTHER"] == "kept"
    assert "AWS_SESSION_TOKEN" not in environment
    # Nor what AWS clients find by themselves: a function that is tried out here does not reach a real account.
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"
    assert "do-not-tell" not in str(environment)
    assert "_X_AMZN_TRACE_ID" not in endpoint.result("environment")


def test_modules_beside_the_function(start: Starter) -> None:
    endpoint = start(
        _shared="NAME = 'shared'\ndef handler(event, context): return None",
        uses="import _shared\ndef handler(event, context): return _shared.NAME",
        finds="import server\ndef handler(event, context): return None",
    )
    assert endpoint.result("uses") == "shared"
    # The endpoint's own modules are none of them.
    assert endpoint.failure("finds")["errorType"] == "Runtime.ImportModuleError"


def test_workers_are_reused(start: Starter) -> None:
    endpoint = start(
        count="COUNT = 0\ndef handler(event, context):\n    global COUNT\n    COUNT += 1\n    return COUNT"
    )
    assert [endpoint.result("count") for _ in range(3)] == [1, 2, 3]


def test_versions_have_their_own_workers(start: Starter) -> None:
    endpoint = start(
        version="""
        import os

        VERSIONS = ["1"]

        def handler(event, context):
            return [os.environ["AWS_LAMBDA_FUNCTION_VERSION"], os.getpid()]
        """
    )
    (latest, first_pid), (one, second_pid) = endpoint.result("version"), endpoint.result("version:1")
    assert (latest, one) == ("$LATEST", "1")
    assert first_pid != second_pid
    assert endpoint.result("version") == ["$LATEST", first_pid]


def log_of(endpoint: Endpoint, event: dict) -> str:
    response = endpoint.invoke("printing", json.dumps(event).encode(), LogType="Tail")
    return base64.b64decode(response["LogResult"]).decode()


def test_tail(endpoint: Endpoint) -> None:
    response = endpoint.invoke("printing", LogType="Tail")
    request_id = response["ResponseMetadata"]["RequestId"]
    lines = base64.b64decode(response["LogResult"]).decode().split("\n")
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[1:7] == ["from Python", "from Python, too", "from a child process", "from C", "", "no newline"]
    assert lines[7] == f"END RequestId: {request_id}"
    assert lines[8].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert lines[9:] == [""]


def test_tail_holds_nothing_of_other_invocations(endpoint: Endpoint) -> None:
    endpoint.invoke("printing")
    assert log_of(endpoint, {}).count("from Python, too") == 1


def test_tail_is_the_end(endpoint: Endpoint) -> None:
    log = log_of(endpoint, {"padding": 10_000})
    assert len(log) == 4096
    assert log.startswith("xxx")
    assert "no newline\nEND RequestId: " in log


def test_tail_of_a_failure(endpoint: Endpoint) -> None:
    log = log_of(endpoint, {"fail": True})
    assert "from C\n" in log
    assert "[ERROR] ValueError: printed and failed\nTraceback (most recent call last):\n" in log


def test_tail_of_a_process_that_dies(start: Starter) -> None:
    endpoint = start(dies="import os\ndef handler(event, context):\n    print('last words')\n    os._exit(3)")
    response = endpoint.invoke("dies", LogType="Tail")
    assert "last words\n" in base64.b64decode(response["LogResult"]).decode()


def test_no_tail_of_an_event(endpoint: Endpoint) -> None:
    assert "LogResult" not in endpoint.invoke("printing", InvocationType="Event", LogType="Tail")


def test_event(start: Starter, tmp_path) -> None:
    target = tmp_path / "effect"
    endpoint = start(
        effect="""
        import os

        def handler(event, context):
            with open(event["path"] + ".new", "w") as file:
                file.write(f"{context.aws_request_id} {context.client_context}")
            os.rename(event["path"] + ".new", event["path"])
        """
    )
    response = endpoint.invoke(
        "effect", json.dumps({"path": str(target)}).encode(), InvocationType="Event", ClientContext="e30="
    )
    assert response["StatusCode"] == 202
    assert response["Payload"] == b""
    eventually(target.exists, "the event's effect")
    assert target.read_text() == f"{response['ResponseMetadata']['RequestId']} None"


def test_event_that_fails_is_told_on_stderr(start: Starter) -> None:
    endpoint = start(fails="def handler(event, context): raise ValueError('lost')")
    request_id = endpoint.invoke("fails", InvocationType="Event")["ResponseMetadata"]["RequestId"]
    line = endpoint.process.stderr.readline()
    assert line == f"lambda-local: function fails: event {request_id} failed: ValueError: lost\n"


def test_dry_run(start: Starter, tmp_path) -> None:
    target = tmp_path / "effect"
    endpoint = start(effect=f"open({str(target)!r}, 'w')\ndef handler(event, context): return 1")
    response = endpoint.invoke("effect", InvocationType="DryRun")
    assert response["StatusCode"] == 204
    assert response["Payload"] == b""
    assert "content-length" not in response["ResponseMetadata"]["HTTPHeaders"]
    assert not target.exists()
    endpoint.invoke("effect")
    assert target.exists()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        endpoint.invoke("nope", InvocationType="DryRun")


EVERY_BYTE = bytes(range(256)) * 100


def test_raw_payload(endpoint: Endpoint) -> None:
    response = endpoint.invoke("raw", EVERY_BYTE)
    assert response["Payload"] == EVERY_BYTE[::-1]
    assert response["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/octet-stream"
    assert endpoint.invoke("raw", b"")["Payload"] == b""


def test_raw_function_that_returns_json(start: Starter) -> None:
    endpoint = start(length="RAW = True\ndef handler(event, context): return {'length': len(event)}")
    assert endpoint.invoke("length", b"\x00\xff")["Payload"] == b'{"length": 2}'


def test_raw_answer_above_the_limit(start: Starter) -> None:
    endpoint = start(large="RAW = True\ndef handler(event, context): return b'x' * 10_000_000")
    assert len(endpoint.invoke("large")["Payload"]) == 10_000_000
