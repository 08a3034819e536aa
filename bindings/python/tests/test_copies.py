"""What cannot be copied or pickled says so, and what to do instead."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from lambda_invoke import Client, _abi

WAYS: dict[str, Callable[[Any], object]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda value, protocol=protocol: pickle.dumps(value, protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


class Service(Client):
    __slots__ = ("name",)


@pytest.mark.parametrize("way", WAYS)
def test_a_client(client: Client, way: str) -> None:
    with pytest.raises(TypeError, match="cannot copy or pickle a Client, .* initializer of multiprocessing.Pool"):
        WAYS[way](client)
    assert client.invoke("echo", 1).json() == 1


@pytest.mark.parametrize("way", ["deepcopy", "pickle 2", f"pickle {pickle.HIGHEST_PROTOCOL}"])
def test_what_holds_a_client(client: Client, way: str) -> None:
    for holder in ([client], {"client": client}, client.invoke):
        with pytest.raises(TypeError, match="cannot copy or pickle a Client"):
            WAYS[way](holder)


def test_a_subclass_is_named() -> None:
    with pytest.raises(TypeError, match="cannot copy or pickle a Service"):
        copy.copy(Service.__new__(Service))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", _abi.FREED_BY)
def test_a_pointer(kind: Any, way: str) -> None:
    with pytest.raises(TypeError, match=f"cannot copy or pickle a {kind.__name__}"):
        WAYS[way](kind())


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_an_argument_of_another_process(client: Client, method: Any) -> None:
    context = multiprocessing.get_context(method)
    with pytest.raises(TypeError, match="cannot copy or pickle a Client"):
        context.Process(target=print, args=(client,)).start()
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        error = pool.submit(client.invoke, "echo").exception(timeout=60)
    assert isinstance(error, TypeError)
    assert "make its own" in str(error)
