from __future__ import annotations

import json

import pytest
from conftest import Endpoint, Starter, eventually, is_gone


def failure(endpoint: Endpoint, how: str, status: object = None) -> tuple[dict, str]:
    response = endpoint.invoke("failures", json.dumps({"how": how, "status": status}).encode())
    assert response["StatusCode"] == 200
    assert response["FunctionError"] == "Unhandled"
    assert response["ExecutedVersion"] == "$LATEST"
    return json.loads(response["Payload"]), response["ResponseMetadata"]["RequestId"]


def test_exception(endpoint: Endpoint) -> None:
    report, request_id = failure(endpoint, "raise")
    assert list(report) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert report["errorMessage"] == "no good"
    assert report["errorType"] == "CustomError"
    assert report["requestId"] == request_id
    # Only the function's own frames.
    assert len(report["stackTrace"]) == 1
    assert "failures.py" in report["stackTrace"][0]
    assert 'raise CustomError("no good")' in report["stackTrace"][0]


def test_value_that_is_not_json(endpoint: Endpoint) -> None:
    report, request_id = failure(endpoint, "marshal")
    assert report == {
        "errorMessage": "Unable to marshal response: Object of type object is not JSON serializable",
        "errorType": "Runtime.MarshalError",
        "requestId": request_id,
        "stackTrace": [],
    }


def test_value_that_is_too_large(endpoint: Endpoint) -> None:
    report, _ = failure(endpoint, "large")
    assert report["errorType"] == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize(
    ("how", "status", "error"),
    [
        ("exit", 1, "Runtime exited with error: exit status 1"),
        ("exit", "words", "Runtime exited with error: exit status 1"),
        ("exit", 0, "Runtime exited without providing a reason"),
        ("_exit", 42, "Runtime exited with error: exit status 42"),
        ("signal", None, "Runtime exited with error: signal: killed"),
    ],
)
def test_exit(endpoint: Endpoint, how: str, status: object, error: str) -> None:
    report, request_id = failure(endpoint, how, status)
    assert report == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {error}"}


def test_a_failure_is_not_the_end(endpoint: Endpoint) -> None:
    failure(endpoint, "_exit", 1)
    assert endpoint.result("failures", {"how": "not"}) == "well"


def test_timeout(start: Starter, tmp_path) -> None:
    pid_file = tmp_path / "pids"
    endpoint = start(
        slow=f"""
        import os
        import subprocess
        import time

        TIMEOUT = 0.5

        def handler(event, context):
            child = subprocess.Popen(["sleep", "1000"])
            with open({str(pid_file)!r}, "w") as file:
                file.write(f"{{os.getpid()}} {{child.pid}}")
            time.sleep(1000)
        """
    )
    response = endpoint.invoke("slow")
    assert response["FunctionError"] == "Unhandled"
    assert json.loads(response["Payload"]) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {response['ResponseMetadata']['RequestId']} "
        "Error: Task timed out after 0.50 seconds",
    }
    for pid in pid_file.read_text().split():
        eventually(lambda pid=int(pid): is_gone(pid), f"the end of process {pid}")


def test_child_that_keeps_the_workers_socket(start: Starter) -> None:
    endpoint = start(
        forks="""
        import os
        import time

        TIMEOUT = 30

        def handler(event, context):
            if os.fork() == 0:
                time.sleep(1000)
            os._exit(7)
        """
    )
    assert endpoint.failure("forks")["errorMessage"].endswith("exit status 7")


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("import no_such_module", "Runtime.ImportModuleError", "Unable to import module 'broken': No module named"),
        ("def handler(event, context:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'broken': "),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'broken'"),
        ("x = 1 / 0", "ZeroDivisionError", "division by zero"),
        ("import sys; sys.exit(1)", "Runtime.ExitError", "RequestId: "),
    ],
)
def test_module_that_cannot_be_used(start: Starter, source: str, kind: str, message: str) -> None:
    endpoint = start(broken=source, hello="def handler(event, context): return 'well'")
    for _ in range(2):
        report = endpoint.failure("broken")
        assert report["errorType"] == kind
        assert report["errorMessage"].startswith(message)
    assert endpoint.result("hello") == "well"
