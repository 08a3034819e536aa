"""The exception for each way to fail."""

from __future__ import annotations

import builtins
import copy
import pickle
import socket
import threading
from collections.abc import Iterator
from typing import Any

import lambda_invoke
import pytest
from conftest import ClientMaker
from lambda_invoke import Client, Execution, LambdaError, Result, Status, _errors


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def failure(client: Client, *arguments: Any, **named: Any) -> LambdaError:
    with pytest.raises(LambdaError) as caught:
        client.invoke(*arguments, **named)
    return caught.value


def test_function_error(client: Client) -> None:
    error = failure(client, "failing", {"message": "the last one is sold"}, log=True)
    result = error.result
    assert type(error) is lambda_invoke.FunctionError
    assert str(error) == f"OutOfStock: the last one is sold (execution RAN, request {result.request_id})"
    assert (result.error_type, result.error_message) == ("OutOfStock", "the last one is sold")
    assert result.function_error == "Unhandled"
    assert result.json()["errorType"] == "OutOfStock"
    assert "OutOfStock" in result.log_text


def test_throttled(client: Client) -> None:
    event = {
        "status": 429,
        "headers": {"Retry-After": "7", "X-Amzn-ErrorType": "TooManyRequestsException"},
        "body": '{"Reason": "ConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}',
    }
    error = failure(client, "answer", event, timeout=5)
    assert type(error) is lambda_invoke.ThrottledError
    assert isinstance(error, lambda_invoke.ServiceError)
    assert error.result.execution is Execution.NONE
    assert error.result.retry_after == 7
    assert error.result.throttle_reason == "ConcurrentInvocationLimitExceeded"


def test_service_error(client: Client) -> None:
    error = failure(client, "nothing-of-this-name")
    assert type(error) is lambda_invoke.ServiceError
    assert (error.result.http_status, error.result.error_type) == (404, "ResourceNotFoundException")
    assert str(error).startswith("ResourceNotFoundException: Function not found")
    assert "execution" not in str(error)


def test_protocol_error(client: Client) -> None:
    assert type(failure(client, "answer", {"status": 302})) is lambda_invoke.ProtocolError


def test_too_large(make_client: ClientMaker) -> None:
    error = failure(make_client(max_response_bytes=10), "echo", b"x" * 11)
    assert type(error) is lambda_invoke.TooLargeError
    assert error.result.execution is Execution.RAN


def test_connection_lost(client: Client) -> None:
    error = failure(client, "answer", '"reset"')
    assert type(error) is lambda_invoke.ConnectionLostError
    assert isinstance(error, builtins.ConnectionError)
    assert error.result.execution is Execution.UNKNOWN


def test_connect(make_client: ClientMaker, closed_port: int) -> None:
    error = failure(make_client(endpoint_url=f"http://127.0.0.1:{closed_port}", max_attempts=1), "echo")
    assert type(error) is lambda_invoke.ConnectError
    assert isinstance(error, builtins.ConnectionError)
    assert error.result.execution is Execution.NONE


def test_tls(make_client: ClientMaker, endpoint: Any) -> None:
    url = endpoint.settings["endpoint_url"].replace("http:", "https:")
    error = failure(make_client(endpoint_url=url, max_attempts=1), "echo")
    assert type(error) is lambda_invoke.TlsError


def test_resolve(make_client: ClientMaker) -> None:
    error = failure(make_client(endpoint_url="http://nothing.invalid", max_attempts=1), "echo", timeout=20)
    assert type(error) is lambda_invoke.ResolveError


@pytest.mark.parametrize("of_the_call", [True, False])
def test_timeout(make_client: ClientMaker, of_the_call: bool) -> None:
    client = make_client(**{} if of_the_call else {"timeout": 0.2})
    with pytest.raises(builtins.TimeoutError) as caught:
        client.invoke("hanging", **{"timeout": 0.2} if of_the_call else {})
    error = caught.value
    assert type(error) is lambda_invoke.TimeoutError
    assert error.result.execution is Execution.UNKNOWN
    assert 0.2 <= error.result.duration < 2
    assert "execution UNKNOWN" in str(error)


class TestStop:
    def test_a_flag(self, client: Client) -> None:
        flag = threading.Event()
        threading.Timer(0.2, flag.set).start()
        error = failure(client, "hanging", stop=flag)
        assert type(error) is lambda_invoke.CancelledError
        assert 0.2 <= error.result.duration < 2

    def test_before_the_call(self, client: Client) -> None:
        error = failure(client, "hanging", stop=lambda: True)
        assert (error.result.status, error.result.execution) == (Status.CANCELLED, Execution.NONE)

    def test_what_it_raises_comes_out(self, client: Client) -> None:
        answers = iter([False, False])
        with pytest.raises(StopIteration):
            client.invoke("hanging", stop=lambda: next(answers))

    def test_on_another_thread(self, client: Client) -> None:
        flag = threading.Event()
        raised: list[LambdaError] = []
        thread = threading.Thread(target=lambda: raised.append(failure(client, "hanging", stop=flag)))
        thread.start()
        flag.set()
        thread.join(10)
        assert [type(error) for error in raised] == [lambda_invoke.CancelledError]


class TestClient:
    def test_config(self) -> None:
        with pytest.raises(lambda_invoke.ConfigError, match="region") as caught:
            lambda_invoke.Client(access_key_id="a", secret_access_key="b").invoke("echo")
        assert caught.value.result.execution is Execution.NONE

    def test_credentials(self) -> None:
        with pytest.raises(lambda_invoke.CredentialsError):
            lambda_invoke.Client(region="us-east-1").invoke("echo")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"region": "US East"}, "region"),
            ({"endpoint_url": "nowhere"}, "endpoint_url"),
            ({"secret_access_key": None}, "secret_access_key"),
            ({"session_token": "\0"}, "session_token: holds a NUL"),
            ({"timeout": 0}, "timeout: must be more"),
            ({"connect_timeout": -1}, "connect_timeout: must be more"),
            ({"retry": "x"}, "retry: must be one of"),
            ({"max_attempts": 2**32}, "max_attempts: must be 0 to 4294967295, not 4294967296"),
            ({"max_connections": -1}, "max_connections"),
            ({"max_response_bytes": 2**64}, "max_response_bytes"),
        ],
    )
    def test_what_makes_no_sense(self, make_client: ClientMaker, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(lambda_invoke.InvalidArgumentError, match=message):
            make_client(**settings)

    @pytest.mark.parametrize("settings", [{"max_attempts": "3"}, {"region": b"us-east-1"}])
    def test_wrong_types(self, make_client: ClientMaker, settings: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match=next(iter(settings))):
            make_client(**settings)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_every_failure_has_a_class_of_its_own_that_survives_a_copy(status: Status) -> None:
    result = Result(status, Execution.UNKNOWN, error_message="m", request_id="r")
    error = _errors.error_for(result)
    assert error is not None
    assert type(error) is not LambdaError
    assert str(error) == "m (execution UNKNOWN, request r)"
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(again), str(again), again.result) == (type(error), str(error), result)


def test_the_tree() -> None:
    kinds = {getattr(lambda_invoke, name) for name in lambda_invoke.__all__ if name.endswith("Error")}
    assert all(issubclass(kind, LambdaError) for kind in kinds)
    for name in ("TimeoutError", "ConnectionError"):
        assert issubclass(getattr(lambda_invoke, name), getattr(builtins, name))
    assert issubclass(lambda_invoke.NoMemoryError, MemoryError)
    for name in ("ResolveError", "ConnectError", "TlsError", "ConnectionLostError"):
        assert issubclass(getattr(lambda_invoke, name), lambda_invoke.ConnectionError)


def test_statuses_of_a_later_version() -> None:
    assert type(_errors.error_for(Result(Status(-99)))) is LambdaError
    assert _errors.error_for(Result(Status(99))) is None
