"""The exception for each way to fail."""

from __future__ import annotations

import builtins
import copy
import ctypes
import pickle
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import lambda_invoke
import pytest
from conftest import ClientMaker
from lambda_invoke import Client, Execution, LambdaError, Result, Status, _abi, _errors


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
    assert str(error) == f"failing: OutOfStock: the last one is sold (execution RAN, request {result.request_id})"
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
    assert str(error) == (
        "answer: TooManyRequestsException: Rate Exceeded. "
        f"(reason ConcurrentInvocationLimitExceeded, 1 attempt, request {error.result.request_id})"
    )


def test_service_error(client: Client) -> None:
    error = failure(client, "nothing-of-this-name")
    assert type(error) is lambda_invoke.ServiceError
    assert (error.result.http_status, error.result.error_type) == (404, "ResourceNotFoundException")
    assert str(error).startswith("nothing-of-this-name: ResourceNotFoundException: Function not found")
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
            ({"max_attempts": 2**32}, "max_attempts: must be 1 to 4294967295, not 4294967296"),
            ({"max_attempts": 10**5000}, "max_attempts: must be 1 to 4294967295, not (a value of the type int|1000)"),
            ({"max_attempts": 0}, "max_attempts: must be 1 to"),
            ({"max_connections": -1}, "max_connections"),
            ({"max_connections": 0}, "max_connections: must be 1 to"),
            ({"max_response_bytes": 2**64}, "max_response_bytes"),
            ({"max_response_bytes": 0}, "max_response_bytes: must be 1 to"),
            (
                {"secret_access_key": None, "session_token": "t"},
                "secret_access_key: is missing; access_key_id and session",
            ),
            ({"access_key_id": None}, "access_key_id: is missing; secret_access_key cannot be used without it"),
            ({"access_key_id": ""}, "access_key_id: is empty"),
            ({"region": ""}, "region: is empty"),
            ({"profile": ""}, "profile: is empty"),
        ],
    )
    def test_what_makes_no_sense(self, make_client: ClientMaker, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(lambda_invoke.InvalidArgumentError, match=message) as caught:
            make_client(**settings)
        assert "NULL" not in str(caught.value)

    @pytest.mark.parametrize(
        "settings",
        [
            {"max_attempts": "3"},
            {"max_attempts": 1.0},
            {"max_attempts": True},
            {"max_connections": False},
            {"region": b"us-east-1"},
            {"use_fips": "false"},
            {"use_dual_stack": 1},
            {"ca_bundle": 5},
            {"ca_bundle": b"/etc/ca.pem"},
            {"credentials": ("a", "b")},
            {"logger": "lambda_invoke"},
            {"logger": True},
            {"timeout": "1"},
            {"connect_timeout": timedelta(seconds=1)},
        ],
    )
    def test_wrong_types(self, make_client: ClientMaker, settings: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match=f"^{next(iter(settings))} must be ") as caught:
            make_client(**settings)
        assert not isinstance(caught.value, LambdaError)

    def test_coroutine_functions(self, make_client: ClientMaker) -> None:
        async def provide() -> None:
            raise AssertionError

        with pytest.raises(TypeError, match="credentials must be a plain function"):
            make_client(credentials=provide)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_every_failure_has_a_class_of_its_own_that_survives_a_copy(status: Status) -> None:
    result = Result(status, Execution.UNKNOWN, error_message="m", request_id="r")
    error = _errors.error_for(result)
    assert error is not None
    assert type(error) is not LambdaError
    assert str(error) == "m (execution UNKNOWN, request r)"
    for original in (error, type(error)(result, "orders")):
        # As add_note does, which Python 3.11 has.
        original.__notes__ = ["a note"]
        for again in (copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
            assert (type(again), str(again), again.result) == (type(original), str(original), result)
            assert (again.function_name, again.__notes__) == (original.function_name, ["a note"])


def test_the_tree() -> None:
    kinds = {getattr(lambda_invoke, name) for name in lambda_invoke.__all__ if name.endswith("Error")}
    assert all(issubclass(kind, LambdaError) for kind in kinds)
    for name in ("TimeoutError", "ConnectionError"):
        assert issubclass(getattr(lambda_invoke, name), getattr(builtins, name))
    assert issubclass(lambda_invoke.NoMemoryError, MemoryError)
    for name in ("ResolveError", "ConnectError", "TlsError", "ConnectionLostError"):
        assert issubclass(getattr(lambda_invoke, name), lambda_invoke.ConnectionError)


@pytest.mark.parametrize("number", [*range(2, 20), *range(-40, -15), 2**31 - 1, -(2**31)])
def test_a_status_of_a_later_version_is_never_a_success(number: int) -> None:
    error = _errors.error_for(Result(Status(number), Execution.RAN), "orders")
    assert type(error) is LambdaError
    assert str(error) == f"orders: UNKNOWN_{number} (execution RAN)"


def test_what_an_unknown_status_of_the_library_becomes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def invoke(*_: object) -> object:
        raw = _abi.ResultStruct(status=99, execution=77)
        return _abi.library.lambda_result_clone(_abi.ResultPointer(ctypes.addressof(raw)))

    # The library frees what it made, not what is here.
    monkeypatch.setattr("lambda_invoke._interrupt._invoke", invoke)
    monkeypatch.delattr(_abi.ResultPointer, "__del__")
    error = failure(client, "echo")
    assert (error.result.status.number, error.result.execution) == (99, Execution.UNKNOWN)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"attempts": 3, "throttle_reason": "R", "error_message": "m"}, "orders: m (reason R, 3 attempts)"),
        ({"attempts": 1, "error_type": "T", "error_message": "m"}, "orders: T: m (1 attempt)"),
        ({"attempts": 2, "request_id": "r"}, "orders: THROTTLED (2 attempts, request r)"),
        ({"attempts": 2, "error_message": "orders: m", "error_type": "T"}, "orders: T: m (2 attempts)"),
    ],
)
def test_what_a_throttle_says(fields: dict[str, Any], words: str) -> None:
    assert str(_errors.error_for(Result(Status.THROTTLED, Execution.NONE, **fields), "orders")) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, "m"),
        ("", "m"),
        ("a", "a: m"),
        ("a\nb\udc80", "'a\\nb\\udc80': m"),
        ("a" * 300, f"{'a' * 200}...: m"),
    ],
)
def test_a_message_begins_with_what_was_called(name: str | None, words: str) -> None:
    error = LambdaError(Result(Status.IO, Execution.NONE, error_message="m"), name)
    assert (str(error), error.function_name) == (words, name)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("failing", {"payload": {"message": "m"}}),
        ("nothing", {}),
        ("hanging", {"timeout": 0.1}),
        ("hanging", {"stop": lambda: True}),
        ("echo", {"timeout": 0}),
        ("echo", {"qualifier": "a b"}),
        ("echo", {"payload": {1}}),
        ("echo", {"client_context": "{}"}),
    ],
)
def test_every_failure_names_the_function(client: Client, name: str, arguments: dict[str, Any]) -> None:
    error = failure(client, name, **arguments)
    assert error.function_name == name
    assert str(error).startswith(f"{name}: ")
    assert not str(error).startswith(f"{name}: {name}: ")
