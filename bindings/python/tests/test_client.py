"""The life of a client."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lambda_invoke
import pytest
from conftest import ClientMaker
from lambda_invoke import Client, InvalidArgumentError


def test_many_threads_share_one(client: Client) -> None:
    def call(number: int) -> object:
        return client.invoke("echo", number).json()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(call, range(200))) == list(range(200))


def test_calls_of_threads_overlap(client: Client) -> None:
    def call(_: int) -> None:
        with pytest.raises(lambda_invoke.TimeoutError):
            client.invoke("hanging", timeout=0.5)

    begin = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(call, range(8)))
    assert time.monotonic() - begin < 2


def test_use_after_close(client: Client) -> None:
    client.close()
    client.close()
    with pytest.raises(InvalidArgumentError, match="the client is closed"):
        client.invoke("echo")
    with pytest.raises(InvalidArgumentError, match="the client is closed"), client:
        pass


def test_context_manager(make_client: ClientMaker) -> None:
    with make_client() as client:
        client.invoke("echo")
    with pytest.raises(InvalidArgumentError, match="closed"):
        client.invoke("echo")


def sockets() -> set[str]:
    links = []
    for link in Path("/proc/self/fd").iterdir():
        # The one that lists them is gone by then.
        try:
            links.append(os.readlink(link))
        except FileNotFoundError:
            continue
    return {link for link in links if link.startswith("socket:")}


def test_close_frees_the_client(make_client: ClientMaker) -> None:
    before = sockets()
    client = make_client()
    client.invoke("echo")
    assert len(sockets() - before) == 1
    client.close()
    assert not sockets() - before


def test_release_idle_closes_idle_connections(make_client: ClientMaker) -> None:
    before = sockets()
    with make_client() as client:
        client.release_idle()
        client.invoke("echo")
        assert len(sockets() - before) == 1
        client.release_idle()
        assert not sockets() - before
        client.invoke("echo")
    with pytest.raises(InvalidArgumentError, match="the client is closed"):
        client.release_idle()


def test_close_waits_for_no_call_and_takes_nothing_from_it(make_client: ClientMaker) -> None:
    before = sockets()
    client = make_client()
    flag, began = threading.Event(), threading.Event()

    def stop() -> bool:
        began.set()
        return flag.is_set()

    def call() -> None:
        with pytest.raises(lambda_invoke.CancelledError):
            client.invoke("hanging", stop=stop)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert began.wait(10)
    time.sleep(0.2)
    begin = time.monotonic()
    client.close()
    assert time.monotonic() - begin < 0.1
    assert all(thread.is_alive() for thread in threads)
    flag.set()
    for thread in threads:
        thread.join(10)
    assert not sockets() - before


def test_close_while_threads_call(make_client: ClientMaker) -> None:
    for _ in range(20):
        client = make_client()

        def call(client: Client = client) -> None:
            with pytest.raises(InvalidArgumentError, match="closed"):
                while True:
                    client.invoke("echo", b"x")

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.01)
        client.close()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
