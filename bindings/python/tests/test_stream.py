"""Responses that are read as they are made."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import shutil
import signal
import threading

import lambda_invoke
import pytest
from conftest import ClientMaker
from lambda_invoke import Client, Execution, Status


def test_an_iterator_of_bytes(client: Client) -> None:
    stream = client.invoke_stream("counting", 3)
    assert list(stream) == [b"0\n", b"1\n", b"2\n"]
    assert list(stream) == []
    assert (stream.result.status, stream.result.execution) == (Status.OK, Execution.RAN)
    assert (stream.result.payload, stream.result.executed_version) == (b"", "$LATEST")
    with client.invoke_stream("counting", 2) as stream:
        assert b"".join(stream) == b"0\n1\n"


def test_a_file(client: Client) -> None:
    for buffered in (io.BufferedReader, lambda raw: raw):
        with io.TextIOWrapper(buffered(client.invoke_stream("counting", 5).raw())) as lines:
            assert [json.loads(line) for line in lines] == [0, 1, 2, 3, 4]
    copied = io.BytesIO()
    shutil.copyfileobj(client.invoke_stream("counting", 300).raw(), copied)
    assert copied.getvalue().decode().split() == [str(number) for number in range(300)]
    raw = client.invoke_stream("streamed", b"chunk onetwo\ncomplete").raw()
    assert (raw.read(0), raw.read(2), raw.read(2), raw.read(), raw.read(1)) == (b"", b"on", b"et", b"wo", b"")
    raw.close()
    with pytest.raises(ValueError):
        raw.read(1)


def test_an_asynchronous_iterator(client: Client) -> None:
    async def read() -> list[bytes]:
        async with client.invoke_stream("counting", 3) as stream:
            return [chunk async for chunk in stream]

    assert asyncio.run(read()) == [b"0\n", b"1\n", b"2\n"]


def test_a_cancelled_task_ends_the_stream(client: Client) -> None:
    async def read() -> lambda_invoke.Result:
        async with client.invoke_stream("streamed", b"chunk one\nstall") as stream:
            assert await stream.__anext__() == b"one"
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(stream.__anext__(), 0.1)
        return stream.result

    assert asyncio.run(read()).status == Status.CANCELLED


@pytest.mark.parametrize(
    ("event", "before", "kind"),
    [
        (b'chunk one\ncomplete {"ErrorCode":"E"}', [b"one"], lambda_invoke.FunctionError),
        (b"chunk one", [b"one"], lambda_invoke.ConnectionLostError),
        (b"chunk one\nflip 90\nchunk two\ncomplete", [b"one"], lambda_invoke.ProtocolError),
    ],
)
def test_what_is_not_a_success_is_raised_at_the_end(
    client: Client, event: bytes, before: list[bytes], kind: type[lambda_invoke.LambdaError]
) -> None:
    stream = client.invoke_stream("streamed", event)
    read = []
    for _ in range(2):
        with pytest.raises(kind) as caught:
            read.extend(iter(stream.__next__, None))
        assert caught.value.result is stream.result
        assert caught.value.result.execution == Execution.RAN
    assert read == before
    with pytest.raises(kind):
        client.invoke_stream("streamed", event).raw().readall()


def test_refusals(client: Client) -> None:
    stream = client.invoke_stream("counting", 1, invocation_type="Event")
    with pytest.raises(lambda_invoke.InvalidArgumentError, match="invocation_type"):
        next(stream)
    with pytest.raises(lambda_invoke.InvalidArgumentError, match="not over"):
        _ = client.invoke_stream("counting", 1).result
    with pytest.raises(TypeError):
        copy.copy(client.invoke_stream("counting", 1))


def test_close_ends_it_wherever_it_is(client: Client) -> None:
    stream = client.invoke_stream("counting", 1)
    stream.close()
    assert (stream.result.status, stream.result.attempts) == (Status.CANCELLED, 0)
    with pytest.raises(lambda_invoke.CancelledError):
        next(stream)
    stream = client.invoke_stream("streamed", b"chunk one\nstall")
    assert next(stream) == b"one"
    raised = []

    def read() -> None:
        try:
            next(stream)
        except lambda_invoke.CancelledError as error:
            raised.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    stream.close()
    reader.join()
    assert (len(raised), stream.result.execution) == (1, Execution.RAN)


def test_stop(client: Client) -> None:
    stop = threading.Event()
    stream = client.invoke_stream("streamed", b"chunk one\nstall", stop=stop)
    assert next(stream) == b"one"
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(lambda_invoke.CancelledError):
        next(stream)


def test_ctrl_c_ends_a_wait(client: Client) -> None:
    stream = client.invoke_stream("streamed", b"chunk one\nstall")
    assert next(stream) == b"one"
    threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    stream.close()
    assert stream.result.status == Status.CANCELLED


def test_a_stream_outlives_its_client(make_client: ClientMaker) -> None:
    with make_client() as other:
        stream = other.invoke_stream("counting", 2)
    assert list(stream) == [b"0\n", b"1\n"]
