"""Code of the caller that raises, wherever a call runs it: that comes out, or is the cause; nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
from conftest import ClientMaker
from lambda_invoke import Client, Credentials, LambdaError, _interrupt
from lambda_invoke._abi import ClientPointer, RequestPointer, ResultPointer, StreamPointer

Raise = Callable[[], Any]
Maker = Callable[..., Client]


class Broken:
    """Raises in any of its methods that are named, and in the attributes that are."""

    def __new__(cls, base: type, raise_it: Raise, *names: str, properties: tuple[str, ...] = ()) -> Any:
        methods: dict[str, Any] = {name: lambda *_, **__: raise_it() for name in names}
        methods.update({name: property(lambda _: raise_it()) for name in properties})
        return type("Broken", (base,), methods)


class Handler(logging.Handler):
    def __init__(self, raise_it: Raise) -> None:
        super().__init__()
        self.raise_it = raise_it

    def emit(self, record: logging.LogRecord) -> None:
        self.raise_it()


def logger_with(raise_it: Raise) -> logging.Logger:
    logger = logging.Logger("broken", 5)
    logger.addHandler(Handler(raise_it))
    return logger


def raising_credentials(raise_it: Raise) -> Credentials:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise_it()
            return ""

    raise Unspeakable


def mapping(raise_it: Raise) -> Any:
    class Mine(Mapping):  # type: ignore[type-arg]
        def __getitem__(self, key: object) -> object:
            return raise_it()

        def __iter__(self) -> Iterator[str]:
            return iter("a")

        def __len__(self) -> int:
            return 1

    return Mine()


def items(raise_it: Raise) -> Iterator[int]:
    yield 1
    raise_it()


class AsyncItems:
    def __init__(self, raise_it: Raise) -> None:
        self.raise_it = raise_it

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        self.raise_it()
        return 1


async def all_of(client: Client, payloads: Any) -> None:
    async for item in client.map_async("echo", payloads):
        assert not isinstance(item, BaseException)


# Where a call, or the making of a client, runs code of the caller.
PLACES: dict[str, Callable[[Maker, Raise], object]] = {
    "payload.items": lambda make, r: make().invoke("echo", Broken(dict, r, "items")(a=1)),
    "payload.__iter__": lambda make, r: make().invoke("echo", Broken(list, r, "__iter__")([1])),
    "payload.__class__": lambda make, r: make().invoke("echo", Broken(object, r, properties=("__class__",))()),
    "payload.__bytes__": lambda make, r: make().invoke("echo", Broken(bytearray, r, "__bytes__")(b"x")),
    "client_context": lambda make, r: make().invoke("echo", client_context=mapping(r)),
    "function_name.__eq__": lambda make, r: make().invoke(Broken(str, r, "__eq__", "__hash__")("echo")),
    "function_name.__str__": lambda make, r: make().invoke(Broken(str, r, "__str__", "encode", "isprintable")("echo")),
    "trace_header.__eq__": lambda make, r: make().invoke("echo", trace_header=Broken(str, r, "__eq__")("Root=1-1")),
    "qualifier.__class__": lambda make, r: make().invoke("echo", qualifier=Broken(str, r, "encode")("live")),
    "timeout.__float__": lambda make, r: make().invoke("echo", timeout=Broken(object, r, "__float__")()),
    "timeout.__index__": lambda make, r: make().invoke("echo", timeout=Broken(object, r, "__index__")()),
    "timeout.__repr__": lambda make, r: make().invoke("echo", timeout=Broken(float, r, "__repr__")(-1)),
    "retry.__hash__": lambda make, r: make().invoke("echo", retry=Broken(object, r, "__hash__")()),
    "invocation_type.__eq__": lambda make, r: make().invoke(
        "echo", log=True, invocation_type=Broken(str, r, "__eq__", "__hash__")("Event")
    ),
    "stop": lambda make, r: make().invoke("hanging", stop=r),
    "stop.is_set": lambda make, r: make().invoke("hanging", stop=Broken(object, r, "is_set")()),
    "stop.is_set, found": lambda make, r: make().invoke("hanging", stop=Broken(object, r, properties=("is_set",))()),
    "stop.__code__": lambda make, r: make().invoke(
        "hanging", stop=Broken(object, r, "__call__", properties=("__code__",))()
    ),
    "stop.__bool__": lambda make, r: make().invoke("hanging", stop=lambda: Broken(object, r, "__bool__")()),
    "stop of a stream": lambda make, r: list(make().invoke_stream("counting", 1, stop=r)),
    "stop of a map": lambda make, r: list(make().map("hanging", [1], stop=r)),
    "payloads": lambda make, r: list(make().map("echo", items(r))),
    "payloads.__iter__": lambda make, r: list(make().map("echo", Broken(list, r, "__iter__")([1]))),
    "payload of a map": lambda make, r: list(
        make().map("echo", [1, Broken(dict, r, "items")(a=1)], raise_on_error=True)
    ),
    "asynchronous payload": lambda make, r: asyncio.run(make().invoke_async("echo", Broken(dict, r, "items")(a=1))),
    "asynchronous payloads": lambda make, r: asyncio.run(all_of(make(), AsyncItems(r))),
    "credentials": lambda make, r: make(credentials=r).invoke("echo"),
    "credentials of a stream": lambda make, r: list(make(credentials=r).invoke_stream("counting", 1)),
    "credentials.expires": lambda make, r: make(
        credentials=lambda: Credentials("a", "b", expires=Broken(object, r, "__float__")())
    ).invoke("echo"),
    "credentials, timestamp": lambda make, r: make(
        credentials=lambda: Credentials("a", "b", expires=Broken(object, r, properties=("timestamp",))())
    ).invoke("echo"),
    "error of credentials": lambda make, r: make(credentials=lambda: raising_credentials(r)).invoke("echo"),
    "logger": lambda make, r: make(logger=logger_with(r)).invoke("echo"),
    "logger of a stream": lambda make, r: list(make(logger=logger_with(r)).invoke_stream("counting", 1)),
    "logger.isEnabledFor": lambda make, r: make(logger=Broken(logging.Logger, r, "isEnabledFor")("x")).invoke("echo"),
    "ca_bundle": lambda make, r: make(ca_bundle=Broken(os.PathLike, r, "__fspath__")()),
    "max_attempts": lambda make, r: make(max_attempts=Broken(object, r, "__index__")()),
}
# What they raise that is lost, on purpose: nothing of it concerns the call.
LOST = ("logger", "logger of a stream")
# These are not called at all.
UNUSED = ("function_name.__eq__", "function_name.__str__", "trace_header.__eq__", "qualifier.__class__")
ERRORS = (ValueError, TypeError, RecursionError, StopIteration, StopAsyncIteration)
ENDS: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit, GeneratorExit)


def live() -> dict[str, int]:
    while gc.collect():
        pass
    kinds = (ClientPointer, RequestPointer, ResultPointer, StreamPointer)
    found = [type(thing) for thing in gc.get_objects()]
    return {kind.__name__: found.count(kind) for kind in kinds}


def told(error: BaseException | None, raised: list[BaseException]) -> bool:
    """Tells whether an error is one of those that were raised, or has it for a cause."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return any(link is one for link in chain for one in raised)


def check(place: str, kind: type[BaseException], make_client: ClientMaker) -> None:
    raised: list[BaseException] = []
    made: list[Client] = []

    def raise_it() -> Any:
        raised.append(kind("mine"))
        raise raised[-1]

    def make(**settings: Any) -> Client:
        if "credentials" in settings:
            settings.update(access_key_id=None, secret_access_key=None)
        made.append(make_client(**settings))
        return made[-1]

    error: BaseException | None = None
    try:
        PLACES[place](make, raise_it)
    except BaseException as caught:
        error = caught
    assert bool(raised) == (place not in UNUSED), "whether it is run"
    if place in UNUSED:
        assert error is None
    elif kind in ENDS:
        # A generator or a task cannot end by some of them.
        assert error in raised or (isinstance(error, RuntimeError) and told(error, raised)), repr(error)
    elif place in LOST or (place == "asynchronous payloads" and kind is StopAsyncIteration):
        assert error is None
    else:
        assert told(error, raised) or isinstance(error, (LambdaError, TypeError)), repr(error)
    for client in made:
        if not client._has_callbacks:
            assert client.invoke("echo", 1, stop=lambda: False).json() == 1
        client.close()
    assert not _interrupt._asking


@pytest.mark.parametrize("place", PLACES)
def test_what_it_raises(make_client: ClientMaker, capfd: pytest.CaptureFixture[str], place: str) -> None:
    before = live()
    for kind in (*ERRORS, *ENDS):
        check(place, kind, make_client)
    assert live() == before
    assert capfd.readouterr().err == ""
