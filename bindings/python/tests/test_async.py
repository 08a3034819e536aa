"""invoke_async: results, cancellation, and event loops that end, fork, or run in several threads."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import lambda_invoke
import pytest
from cheap_endpoint import Endpoint
from conftest import library_threads, until
from lambda_invoke import Client, Execution, Result, Status

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def client(many_at_once: Client) -> Client:
    return many_at_once


def run_by_uvloop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
        return run_by_uvloop
    return asyncio.run


@pytest.fixture(autouse=True)
def no_noise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """asyncio logs what nobody retrieved, and tasks that were destroyed."""
    yield
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def until_async(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


class TestResults:
    def test_a_result(self, client: Client, run: Run) -> None:
        result = run(client.invoke_async("echo", {"a": "\u00e4"}))
        assert isinstance(result, Result)
        assert (result.json(), result.status, result.execution) == ({"a": "\u00e4"}, Status.OK, Execution.RAN)

    def test_a_failure_is_raised(self, client: Client, run: Run) -> None:
        with pytest.raises(lambda_invoke.FunctionError) as caught:
            run(client.invoke_async("fail"))
        assert (caught.value.result.error_type, caught.value.function_name) == ("Oops", "fail")

    def test_a_deadline(self, client: Client, run: Run) -> None:
        with pytest.raises(lambda_invoke.TimeoutError) as caught:
            run(client.invoke_async("never", timeout=0.1))
        assert caught.value.result.execution is Execution.UNKNOWN

    @pytest.mark.parametrize(
        "wrong", [{"timeout": -1}, {"payload": object()}, {"function_name": ""}, {"retry": "often"}]
    )
    def test_what_is_refused(self, client: Client, wrong: dict[str, Any]) -> None:
        with pytest.raises(lambda_invoke.InvalidArgumentError) as caught:
            asyncio.run(client.invoke_async(**{"function_name": "echo", **wrong}))
        assert caught.value.result.execution is Execution.NONE

    def test_a_closed_client(self, client: Client) -> None:
        client.close()
        with pytest.raises(lambda_invoke.InvalidArgumentError, match="closed"):
            asyncio.run(client.invoke_async("echo"))

    def test_a_client_that_is_closed_meanwhile(self, client: Client) -> None:
        async def close() -> Result:
            task = asyncio.create_task(client.invoke_async("slow", 0.2))
            await asyncio.sleep(0)
            client.close()
            return await task

        assert asyncio.run(close()).json() == 0.2

    def test_2000_at_once(self, client: Client, cheap: Endpoint, run: Run) -> None:
        async def many() -> None:
            results = await asyncio.gather(*(client.invoke_async("slow", 1 + n / 1e6) for n in range(2000)))
            assert [result.json() for result in results] == [1 + n / 1e6 for n in range(2000)]
            # One for each event loop, however many clients.
            await Client(endpoint_url=cheap.url, region="x", access_key_id="a", secret_access_key="b").invoke_async(
                "echo"
            )
            assert library_threads() == 1

        cheap.most_under_way = 0
        run(many())
        assert cheap.most_under_way > 1000
        assert library_threads() == 0


class TestCancellation:
    def test_it_ends_the_call(self, client: Client, cheap: Endpoint, run: Run) -> None:
        async def cancel() -> None:
            task = asyncio.create_task(client.invoke_async("never"))
            await until_async(lambda: cheap.under_way == 1)
            begin = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - begin < 0.5
            await until_async(lambda: cheap.under_way == 0)

        run(cancel())

    def test_the_error_has_the_result(self, client: Client, cheap: Endpoint, run: Run) -> None:
        async def call() -> Result:
            try:
                return await client.invoke_async("never")
            except asyncio.CancelledError as error:
                return error.result  # type: ignore[attr-defined, no-any-return]

        async def cancel() -> Result:
            task = asyncio.create_task(call())
            await until_async(lambda: cheap.under_way == 1)
            task.cancel()
            return await task

        result = run(cancel())
        assert (result.status, result.execution) == (Status.CANCELLED, Execution.UNKNOWN)

    @pytest.mark.parametrize("before_the_loop_sees_it", [True, False])
    def test_a_result_of_the_same_moment(self, client: Client, cheap: Endpoint, before_the_loop_sees_it: bool) -> None:
        async def call() -> Result:
            try:
                return await client.invoke_async("echo", 1)
            except asyncio.CancelledError as error:
                return error.result  # type: ignore[attr-defined, no-any-return]

        async def cancel() -> Result:
            task = asyncio.create_task(call())
            answered = cheap.begun + 1
            await asyncio.sleep(0)
            until(lambda: cheap.begun == answered and cheap.under_way == 0)
            # The loop stood still meanwhile: the result waits for it.
            time.sleep(0.1)
            if not before_the_loop_sees_it:
                asyncio.get_running_loop().call_soon(task.cancel)
                return await task
            task.cancel()
            return await task

        result = asyncio.run(cancel())
        assert (result.status, result.json()) == (Status.OK, 1)

    def test_a_call_that_was_not_sent(self, client: Client) -> None:
        async def cancel() -> None:
            task = asyncio.create_task(client.invoke_async("echo"))
            task.cancel()
            await task

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancel())

    def test_wait_for(self, client: Client, run: Run) -> None:
        begin = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            run(asyncio.wait_for(client.invoke_async("never"), 0.1))
        assert time.monotonic() - begin < 2

    def test_thousands(self, client: Client, cheap: Endpoint, run: Run) -> None:
        async def cancel() -> None:
            tasks = [asyncio.create_task(client.invoke_async("never")) for _ in range(2000)]
            await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
            done, _ = await asyncio.wait(tasks, timeout=10)
            assert len(done) == 2000
            assert all(task.cancelled() for task in tasks)
            assert (await client.invoke_async("echo", 1)).json() == 1

        run(cancel())
        until(lambda: cheap.under_way == 0)

    def test_a_coroutine_that_is_thrown_away(self, client: Client, cheap: Endpoint) -> None:
        async def begin() -> None:
            coroutine = client.invoke_async("never")
            coroutine.send(None)
            await until_async(lambda: cheap.under_way == 1)
            coroutine.close()
            await until_async(lambda: cheap.under_way == 0)

        asyncio.run(begin())


class TestLoops:
    def test_none(self, client: Client) -> None:
        coroutine = client.invoke_async("echo")
        with pytest.raises(RuntimeError, match="event loop"):
            coroutine.send(None)

    def test_one_after_the_other_leave_nothing(self, client: Client, run: Run) -> None:
        run(client.invoke_async("echo"))
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for number in range(30):
            assert run(client.invoke_async("echo", number)).json() == number
            assert library_threads() == 0
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) == before

    def test_closed_with_calls_under_way(self, client: Client, cheap: Endpoint) -> None:
        loop = asyncio.new_event_loop()
        task = loop.create_task(client.invoke_async("never"))
        loop.run_until_complete(until_async(lambda: cheap.under_way == 1))
        assert library_threads() == 1
        # As careless programs do; that the task is still pending is asyncio's own complaint.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()
        del task
        gc.collect()
        assert library_threads() == 0
        until(lambda: cheap.under_way == 0)

    def test_threads(self, client: Client) -> None:
        """Each with an event loop of its own."""
        results: dict[int, list[int]] = {}

        async def many(thread: int) -> None:
            calls = (client.invoke_async("echo", thread * 1000 + n) for n in range(200))
            results[thread] = [result.json() for result in await asyncio.gather(*calls)]

        threads = [threading.Thread(target=lambda n=n: asyncio.run(many(n))) for n in range(4)]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {thread: [thread * 1000 + n for n in range(200)] for thread in range(4)}
        assert library_threads() == 0

    @pytest.mark.parametrize("inside", [False, True])
    def test_fork(self, client: Client, inside: bool) -> None:
        """A child uses asyncio anew, also one that was forked inside a running loop."""

        def fork() -> int:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                code = 1
                try:
                    numbers = asyncio.run(many())
                    code = 0 if numbers == list(range(50)) else 2
                finally:
                    os._exit(code)
            return os.waitpid(child, 0)[1]

        async def many() -> list[int]:
            return [
                result.json() for result in await asyncio.gather(*(client.invoke_async("echo", n) for n in range(50)))
            ]

        async def fork_inside() -> None:
            calls = [asyncio.create_task(client.invoke_async("slow", 0.3)) for _ in range(50)]
            await asyncio.sleep(0.1)
            assert fork() == 0
            assert [result.json() for result in await asyncio.gather(*calls)] == [0.3] * 50

        if inside:
            asyncio.run(fork_inside())
        else:
            assert asyncio.run(many()) == list(range(50))
            assert fork() == 0
            assert asyncio.run(many()) == list(range(50))


class TestCallbacks:
    def test_credentials(self, cheap: Endpoint) -> None:
        """On a thread of the library; the loop goes on meanwhile."""
        asked = []

        def provide() -> lambda_invoke.Credentials:
            asked.append(threading.get_ident())
            time.sleep(0.2)
            return lambda_invoke.Credentials("a", "b")

        async def call() -> int:
            turns = 0
            task = asyncio.create_task(client.invoke_async("echo", 1))
            while not task.done():
                turns += 1
                await asyncio.sleep(0.01)
            assert task.result().json() == 1
            return turns

        with Client(endpoint_url=cheap.url, region="us-east-1", credentials=provide) as client:
            assert asyncio.run(call()) > 3
        assert len(asked) == 1
        assert asked[0] != threading.get_ident()

    def test_credentials_that_fail(self, cheap: Endpoint) -> None:
        reason = RuntimeError("no luck")

        def provide() -> lambda_invoke.Credentials:
            raise reason

        with Client(endpoint_url=cheap.url, region="us-east-1", credentials=provide) as client:
            with pytest.raises(lambda_invoke.CredentialsError, match="no luck") as caught:
                asyncio.run(client.invoke_async("echo"))
            assert caught.value.__cause__ is reason

    def test_a_client_that_is_gone_while_its_callback_runs(self, cheap: Endpoint) -> None:
        begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

        def provide() -> lambda_invoke.Credentials:
            begun.set()
            go_on.wait(10)
            over.set()
            return lambda_invoke.Credentials("a", "b")

        async def call() -> None:
            client = Client(endpoint_url=cheap.url, region="us-east-1", credentials=provide)
            task = asyncio.create_task(client.invoke_async("echo"))
            await until_async(begun.is_set)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(call())
        gc.collect()
        go_on.set()
        until(over.is_set)
        # C releases what it called when it has returned.
        from lambda_invoke import _callback

        until(lambda: not _callback._kept)

    def test_they_go_with_their_client(self, cheap: Endpoint) -> None:
        from lambda_invoke import _callback

        class Service:
            """Refers to its client, and the client to it."""

            def __init__(self) -> None:
                self.client = Client(endpoint_url=cheap.url, region="us-east-1", credentials=self.provide)

            def provide(self) -> lambda_invoke.Credentials:
                return lambda_invoke.Credentials("a", "b")

        asyncio.run(Service().client.invoke_async("echo"))
        gc.collect()
        assert not _callback._kept

    def test_a_logger(self, cheap: Endpoint) -> None:
        import logging

        events: list[str] = []
        logger = logging.Logger("all", 5)
        handler = logging.Handler()
        handler.emit = lambda record: events.append(record.getMessage())  # type: ignore[method-assign]
        logger.addHandler(handler)
        with Client(
            endpoint_url=cheap.url, region="us-east-1", access_key_id="a", secret_access_key="b", logger=logger
        ) as client:
            asyncio.run(client.invoke_async("echo"))
        assert any("echo" in event for event in events)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup and asyncio.timeout")
def test_a_timeout_of_asyncio_leads_to_the_result(client: Client) -> None:
    async def call() -> None:
        async with asyncio.timeout(0.1):
            await client.invoke_async("never")

    with pytest.raises(asyncio.TimeoutError) as caught:
        asyncio.run(call())
    assert caught.value.__cause__.result.execution is Execution.UNKNOWN  # type: ignore[union-attr]
