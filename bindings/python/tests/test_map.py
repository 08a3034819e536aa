"""map and map_async: order, laziness, failures, progress, and what is left of a map that ends early."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
import sys
import threading
import time
import types
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import lambda_invoke
import pytest
from cheap_endpoint import Endpoint
from conftest import library_threads, until
from lambda_invoke import Client, FunctionError, InvalidArgumentError, LambdaError, Result, Status, _queue


@pytest.fixture
def client(many_at_once: Client) -> Client:
    return many_at_once


@pytest.fixture(autouse=True)
def no_noise(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def asynchronous(payloads: Iterable[Any]) -> AsyncIterator[Any]:
    for payload in payloads:
        await asyncio.sleep(0)
        yield payload


Map = Callable[..., Iterator[Any]]


def map_in_one_go(client: Client, convert: Callable[[Any], Any]) -> Map:
    """map_async as an iterator, which runs the event loop until the next item."""

    def run(name: str, payloads: Any, **options: Any) -> Iterator[Any]:
        items = client.map_async(name, convert(payloads), **options)
        loop = asyncio.new_event_loop()
        try:
            while True:
                try:
                    yield loop.run_until_complete(items.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            loop.run_until_complete(items.aclose())
            # Of an asynchronous iterable that was abandoned.
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    return run


@pytest.fixture(params=["map", "map_async", "map_async of an asynchronous iterable"])
def map_(request: pytest.FixtureRequest, client: Client) -> Map:
    if request.param == "map":
        return client.map
    return map_in_one_go(client, asynchronous if "iterable" in request.param else lambda payloads: payloads)


class TestOrder:
    def test_it_is_that_of_the_payloads(self, map_: Map) -> None:
        seconds = [0.3, 0.0, 0.2, 0.1, 0.0, 0.3, 0.1]
        assert [result.json() for result in map_("slow", seconds, concurrency=4)] == seconds

    def test_thousands(self, map_: Map, cheap: Endpoint) -> None:
        cheap.most_under_way = 0
        seconds = [0.5 + n / 1e6 for n in range(3000)]
        assert [result.json() for result in map_("slow", iter(seconds), concurrency=1000)] == seconds
        assert 500 < cheap.most_under_way <= 1000

    def test_none(self, map_: Map) -> None:
        assert list(map_("echo", [])) == []

    def test_every_kind_of_payload(self, map_: Map) -> None:
        payloads = [b"1", '"two"', None, {"a": 1}, bytearray(b"5")]
        answers = [result.payload for result in map_("echo", payloads, concurrency=1)]
        assert answers == [b"1", b'"two"', b"", b'{"a":1}', b"5"]

    def test_options_are_those_of_every_call(self, map_: Map) -> None:
        items = list(map_("never", range(3), timeout=0.1))
        assert [item.result.status for item in items] == [Status.TIMEOUT] * 3


class TestLaziness:
    def test_payloads_are_taken_in_their_turn(self, map_: Map) -> None:
        taken = []

        def payloads() -> Iterator[float]:
            for number in itertools.count():
                taken.append(number)
                yield 0.02

        results = map_("slow", payloads(), concurrency=8)
        # Of those, `number` results were yielded before this one.
        ahead = [len(taken) - number for number, _ in enumerate(itertools.islice(results, 50))]
        assert max(ahead) == 8
        results.close()  # type: ignore[attr-defined]

    def test_nothing_is_sent_before_it_is_asked_for(self, client: Client, cheap: Endpoint) -> None:
        before = cheap.begun
        client.map("echo", range(10))
        client.map_async("echo", range(10))
        time.sleep(0.1)
        assert cheap.begun == before

    def test_a_result_does_not_wait_for_a_slow_iterable(self, client: Client) -> None:
        async def payloads() -> AsyncIterator[int]:
            yield 1
            await asyncio.sleep(30)
            yield 2

        async def first() -> None:
            source = payloads()
            results = client.map_async("echo", source, concurrency=4)
            begin = time.monotonic()
            assert (await results.__anext__()).json() == 1  # type: ignore[union-attr]
            assert time.monotonic() - begin < 5
            await results.aclose()

        asyncio.run(first())

    def test_concurrency_bounds_the_calls(self, map_: Map, cheap: Endpoint) -> None:
        cheap.most_under_way = 0
        list(map_("slow", [0.05] * 30, concurrency=5))
        assert cheap.most_under_way <= 5


class TestFailures:
    def test_they_are_items(self, map_: Map) -> None:
        items = list(map_("fail", range(3)))
        assert [type(item) for item in items] == [FunctionError] * 3
        assert [item.result.error_type for item in items] == ["Oops"] * 3

    def test_a_payload_that_cannot_be_sent_is_one(self, map_: Map) -> None:
        items = list(map_("echo", [1, object(), "\ud800", 4], concurrency=2))
        assert [type(item) for item in items] == [Result, lambda_invoke.EncodeError, lambda_invoke.EncodeError, Result]
        assert items[1].function_name == "echo"
        assert items[3].json() == 4

    def test_raise_on_error(self, map_: Map) -> None:
        results = map_("slow", [0.0, 0.0, object(), 30, 30], concurrency=4, raise_on_error=True)
        assert next(results).json() == 0.0
        assert next(results).json() == 0.0
        begin = time.monotonic()
        with pytest.raises(lambda_invoke.EncodeError):
            next(results)
        assert time.monotonic() - begin < 5

    def test_of_the_iterable(self, map_: Map) -> None:
        def payloads() -> Iterator[int]:
            yield 1
            yield 2
            raise RuntimeError("no more")

        results = map_("echo", payloads(), concurrency=8)
        assert [next(results).json(), next(results).json()] == [1, 2]
        with pytest.raises(RuntimeError, match="no more"):
            next(results)

    @pytest.mark.parametrize("arguments", [{"concurrency": 0}, {"timeout": -1}, {"retry": "often"}])
    def test_what_is_refused_at_once(self, client: Client, arguments: dict[str, Any]) -> None:
        for function in (client.map, client.map_async):
            with pytest.raises(InvalidArgumentError):
                function("echo", [], **arguments)

    @pytest.mark.parametrize("payloads", ["text", b"bytes", {"a": 1}, 1, None])
    def test_one_payload_in_place_of_many(self, client: Client, payloads: Any) -> None:
        for function in (client.map, client.map_async):
            with pytest.raises(TypeError, match="payloads must be"):
                function("echo", payloads)

    def test_wrong_types(self, client: Client) -> None:
        wrong: list[dict[str, Any]] = [{"progress": 1}, {"raise_on_error": None}, {"qualify": "live"}, {"stop": 1}]
        for arguments in wrong:
            with pytest.raises(TypeError, match=next(iter(arguments))):
                client.map("echo", [], **arguments)

    def test_a_closed_client(self, client: Client) -> None:
        client.close()
        with pytest.raises(InvalidArgumentError, match="closed"):
            client.map("echo", [])


class TestEnd:
    """Whatever ends it, the rest is cancelled."""

    def test_abandoned(self, map_: Map, cheap: Endpoint) -> None:
        for result in map_("slow", [0.0, 30, 30, 30], concurrency=3):
            assert result.json() == 0.0
            break
        del result
        gc.collect()
        until(lambda: cheap.under_way == 0)

    def test_break_out_of_async_for(self, client: Client, cheap: Endpoint) -> None:
        async def first() -> None:
            async for _ in client.map_async("slow", asynchronous([0.0, 30, 30, 30]), concurrency=3):
                break
            deadline = time.monotonic() + 10
            while cheap.under_way:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)

        asyncio.run(first())

    def test_a_cancelled_task(self, client: Client, cheap: Endpoint) -> None:
        async def run() -> None:
            async for _ in client.map_async("never", range(10)):
                pass

        async def cancel() -> None:
            task = asyncio.create_task(run())
            while cheap.under_way < 10:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        until(lambda: cheap.under_way == 0)

    def test_while_a_traceback_lives(self, client: Client, cheap: Endpoint) -> None:
        results = client.map("slow", [0.2, object(), 30, 30], concurrency=4, raise_on_error=True)
        next(results)
        with pytest.raises(lambda_invoke.EncodeError) as caught:
            next(results)
        until(lambda: cheap.under_way == 0)
        del caught

    @pytest.mark.parametrize("by", ["callable", "flag"])
    def test_stop(self, client: Client, cheap: Endpoint, by: str) -> None:
        flag = threading.Event()
        timer = threading.Timer(0.2, flag.set)
        timer.start()
        begin = time.monotonic()
        with pytest.raises(lambda_invoke.CancelledError):
            list(client.map("never", range(3), stop=flag if by == "flag" else flag.is_set))
        assert time.monotonic() - begin < 2
        timer.join()

    def test_ctrl_c(self, client: Client, cheap: Endpoint) -> None:
        def interrupt() -> None:
            until(lambda: cheap.under_way == 3)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        for _ in range(5):
            sent: list[float] = []
            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                list(client.map("never", range(3)))
            assert time.monotonic() - sent[0] < 0.5
            thread.join()
            until(lambda: cheap.under_way == 0)

    def test_threads_and_connections_are_kept_for_the_next_map(self, client: Client, cheap: Endpoint) -> None:
        list(client.map("slow", [0.1] * 8, concurrency=8))
        threads = library_threads()
        cheap.most_open = cheap.open
        for _ in range(10):
            list(client.map("slow", [0.01] * 8, concurrency=8))
        assert cheap.most_open == cheap.open
        assert library_threads() == threads
        _queue._idle.clear()
        assert library_threads() == 0

    def test_maps_of_many_threads(self, client: Client) -> None:
        results: dict[int, list[int]] = {}

        def run(thread: int) -> None:
            items = client.map("echo", range(thread * 1000, thread * 1000 + 200), raise_on_error=True)
            results[thread] = [result.json() for result in items]

        threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {n: list(range(n * 1000, n * 1000 + 200)) for n in range(8)}
        assert len(_queue._idle) <= _queue._MAX_IDLE

    def test_two_in_one_thread(self, client: Client) -> None:
        both = zip(client.map("echo", range(50)), client.map("echo", range(50, 100)))
        assert [(a.json(), b.json()) for a, b in both] == [(n, n + 50) for n in range(50)]  # type: ignore[union-attr]

    def test_fork_half_way(self, client: Client) -> None:
        results = client.map("slow", [0.0, 0.3, 0.3], concurrency=3)
        next(results)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            code = 1
            try:
                try:
                    next(results)
                except lambda_invoke.CancelledError as error:
                    assert "forked" in str(error)
                    answers = [result.json() for result in client.map("echo", range(5), raise_on_error=True)]
                    code = 0 if answers == list(range(5)) else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert [result.json() for result in results] == [0.3, 0.3]  # type: ignore[union-attr]


class TestProgress:
    class Bar:
        made: list[TestProgress.Bar] = []

        def __init__(self, total: int | None, desc: str, unit: str) -> None:
            self.total, self.desc, self.count, self.is_closed = total, desc, 0, False
            self.made.append(self)

        def update(self) -> None:
            self.count += 1

        def close(self) -> None:
            self.is_closed = True

    @pytest.fixture
    def bars(self, monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
        tqdm, auto = types.ModuleType("tqdm"), types.ModuleType("tqdm.auto")
        auto.tqdm = self.Bar  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "tqdm", tqdm)
        monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
        self.Bar.made.clear()
        return self.Bar.made

    def test_a_bar(self, client: Client, bars: list[Bar]) -> None:
        list(client.map("echo", range(5), progress=True))
        list(client.map("echo", iter(range(5)), progress=True))
        assert [(bar.total, bar.desc, bar.count, bar.is_closed) for bar in bars] == [
            (5, "echo", 5, True),
            (None, "echo", 5, True),
        ]

    def test_it_is_closed_when_the_map_ends_early(self, map_: Map, bars: list[Bar]) -> None:
        results = map_("echo", range(5), progress=True)
        next(results)
        results.close()  # type: ignore[attr-defined]
        assert [(bar.count, bar.is_closed) for bar in bars] == [(1, True)]

    def test_without_tqdm(self, map_: Map, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tqdm", None)
        assert len(list(map_("echo", range(5), progress=True))) == 5

    def test_the_real_one(self, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
        pytest.importorskip("tqdm")
        list(client.map("echo", range(5), progress=True))
        assert "5/5" in capsys.readouterr().err


def test_a_failed_item_is_not_taken_for_a_result(client: Client) -> None:
    for item in client.map("fail", [1]):
        assert isinstance(item, LambdaError)
        assert not hasattr(item, "json")
