"""What a call leaves to the next ones: requests and hooks that are used again, and nothing of its own."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lambda_invoke
import pytest
from conftest import ClientMaker
from lambda_invoke import Client, InvalidArgumentError, NoMemoryError, Result, Retry, Status, _client, _interrupt
from lambda_invoke._abi import RequestPointer, library
from lambda_invoke._result import read

# What the two calls of a pair may have, on top of a function's name.
VALUES: dict[str, list[object]] = {
    "payload": [b"one", "two", {"a": 1}, b"x" * 5000, b""],
    "qualifier": ["live", "7"],
    "log": [True, False],
    "client_context": [{"custom": {"a": "1"}}, {"custom": {"a": "2"}}, "e30="],
    "tenant_id": ["blue", "red"],
    "durable_execution_name": ["order-1", "order-2"],
    "trace_header": ["Root=1-1", "Root=1-2"],
    "timeout": [20, 20.0, 30],
    "retry": ["safe", Retry.NONE, "always"],
    "invocation_type": ["RequestResponse"],
}
VOLATILE = ("authorization", "x-amz-date", "amz-sdk-invocation-id")


def arguments(generator: random.Random) -> dict[str, Any]:
    names = [name for name in VALUES if generator.random() < 0.4]
    return {name: generator.choice(VALUES[name]) for name in names}


def seen(client: Client, given: dict[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = client.invoke("request", **given).json()
    request["headers"] = {name: value for name, value in request["headers"].items() if name not in VOLATILE}
    return request


@pytest.mark.parametrize("seed", range(8))
def test_a_call_sends_the_same_after_any_other_call(make_client: ClientMaker, seed: int) -> None:
    generator = random.Random(seed)
    client = make_client()
    for _ in range(20):
        first, second = arguments(generator), arguments(generator)
        if generator.random() < 0.3:
            first.pop("log", None)
            first["invocation_type"] = generator.choice(["Event", "DryRun"])
        client.invoke("request", **first)
        assert seen(client, second) == seen(make_client(), second), (first, second)


def raising() -> bool:
    raise KeyError("of the first call")


# Calls of a function that never answers: each ends in a way of its own.
ENDS: list[tuple[dict[str, Any], type[BaseException]]] = [
    ({"timeout": 0.1}, lambda_invoke.TimeoutError),
    ({"stop": lambda: True}, lambda_invoke.CancelledError),
    ({"stop": raising}, KeyError),
]


def on_this_thread(call: Callable[[], None]) -> None:
    call()


def on_another_thread(call: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as threads:
        threads.submit(call).result()


@pytest.mark.parametrize("first_on", [on_this_thread, on_another_thread])
@pytest.mark.parametrize("second_on", [on_this_thread, on_another_thread])
def test_a_call_ends_by_its_own_options(client: Client, first_on: Any, second_on: Any) -> None:
    def ends(given: dict[str, Any], how: type[BaseException]) -> None:
        with pytest.raises(how):
            client.invoke("hanging", b"x", **given)

    for first in ENDS:
        for second in ENDS:
            first_on(lambda first=first: ends(*first))
            second_on(lambda second=second: ends(*second))
            second_on(lambda: client.invoke("echo", b"x"))


def test_retries_are_those_of_the_call(make_client: ClientMaker) -> None:
    client = make_client(max_attempts=2)
    for retry, attempts in ((Retry.ALWAYS, 2), (None, 1), (Retry.ALWAYS, 2), (Retry.SAFE, 1)):
        with pytest.raises(ConnectionError) as caught:
            client.invoke("answer", '"reset"', retry=retry)
        assert caught.value.result.attempts == attempts  # type: ignore[attr-defined]


class Equal(str):
    """Equal to every string."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash("echo")


def test_a_name_that_is_equal_to_others_is_itself(client: Client) -> None:
    assert client.invoke("echo", b"x", trace_header="Root=1-1").payload == b"x"
    assert client.invoke(Equal("request"), b"x").json()["path"].endswith("/functions/request/invocations")
    client.invoke("request", trace_header="Root=1-1")
    headers = client.invoke("request", trace_header=Equal("Root=1-2")).json()["headers"]
    assert headers["x-amzn-trace-id"] == "Root=1-2"
    headers = client.invoke("request", trace_header="Root=1-3").json()["headers"]
    assert headers["x-amzn-trace-id"] == "Root=1-3"


def test_a_call_without_memory_does_not_fail_the_next_ones(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(library, "lambda_request_set_tenant_id", lambda *_: Status.NO_MEMORY.number)
        client.invoke("request", tenant_id="blue")
    assert client.invoke("request", tenant_id="blue").json()["headers"]["x-amz-tenant-id"] == "blue"
    with monkeypatch.context() as patch:
        patch.setattr(_client, "set_payload", lambda *_: (_ for _ in ()).throw(NoMemoryError("none")))
        with pytest.raises(NoMemoryError):
            client.invoke("echo", b"x")
    assert client.invoke("echo", b"y").payload == b"y"


def idle_requests(client: Client) -> list[RequestPointer]:
    return [request for template in client._templates.values() for request in template._idle]


def live_requests() -> int:
    gc.collect()
    return sum(type(thing) is RequestPointer for thing in gc.get_objects())


@pytest.mark.parametrize("payload", [b"secret", b"secret" * 10_000, "secret", {"a": "secret"}, None])
def test_an_idle_request_holds_no_payload(client: Client, payload: object) -> None:
    client.invoke("request", payload)
    with pytest.raises(lambda_invoke.FunctionError):
        client.invoke("failing", {"message": "secret"})
    sent, failed = (read(library.lambda_invoke(client._pointer, request)) for request in idle_requests(client))
    assert sent.json()["body"] == ""
    assert (failed.status, b"secret" in failed.payload) == (Status.FUNCTION_ERROR, False)


def test_a_closed_client_holds_no_request(make_client: ClientMaker) -> None:
    before = live_requests()
    client = make_client()
    client.invoke("echo", b"secret", tenant_id="blue")
    assert live_requests() > before
    began = threading.Event()

    def stop() -> bool:
        began.set()
        return client._pointer is None

    def call() -> None:
        with pytest.raises(lambda_invoke.CancelledError):
            client.invoke("hanging", b"secret", stop=stop)

    thread = threading.Thread(target=call)
    thread.start()
    assert began.wait(10)
    client.close()
    thread.join(10)
    for name in ("echo", "hanging"):
        with pytest.raises(InvalidArgumentError, match="closed"):
            client.invoke(name, b"secret")
    assert live_requests() == before


def test_hooks_of_many_calls_at_once_are_not_all_kept(many_at_once: Client) -> None:
    barrier = threading.Barrier(_interrupt._MAX_IDLE + 20)
    waits = threading.local()

    def stop() -> bool:
        if not getattr(waits, "is_over", False):
            waits.is_over = True
            barrier.wait(20)
        return False

    with ThreadPoolExecutor(barrier.parties) as threads:
        calls = [threads.submit(many_at_once.invoke, "slow", "0.3", stop=stop) for _ in range(barrier.parties)]
        assert [call.result().payload for call in calls] == [b"0.3"] * barrier.parties
    assert len(_interrupt._idle_hooks) == _interrupt._MAX_IDLE
    assert len(idle_requests(many_at_once)) <= _client._MAX_IDLE
    # Those that are kept still work.
    for _ in range(3):
        with pytest.raises(lambda_invoke.CancelledError):
            many_at_once.invoke("never", stop=lambda: True)


class Thing:
    pass


def test_an_idle_hook_holds_nothing_that_a_call_raised(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    things = []

    def interrupted(_: object, request: RequestPointer) -> None:
        request.hook(0)
        raise KeyboardInterrupt

    def call() -> None:
        thing = Thing()
        things.append(weakref.ref(thing))

        def stop() -> bool:
            raise ValueError(thing)

        with monkeypatch.context() as patch:
            patch.setattr(_interrupt, "_invoke", interrupted)
            with pytest.raises(KeyboardInterrupt):
                client.invoke("echo", stop=stop)

    call()
    gc.collect()
    assert things[0]() is None
    assert client.invoke("echo", 1, stop=lambda: False).json() == 1


def test_results_are_copied_and_pickled_as_ever() -> None:
    result = Result.fake({"total": 3}, request_id="r", log=b"x")
    copies = [pickle.loads(pickle.dumps(result, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for again in (copy.copy(result), copy.deepcopy(result), *copies):
        assert type(again) is Result
        assert (again, hash(again), again.payload, again.request_id) == (result, hash(result), b'{"total": 3}', "r")

    class Mine(Result):
        pass

    mine = copy.copy(Mine(payload=b"x"))
    assert (type(mine), mine.payload) == (Mine, b"x")
