"""Values that callers pass: what is refused, under which name, and what they become."""

from __future__ import annotations

import array
import copy
import json
import pickle
import sys
import threading
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from conftest import ClientMaker
from lambda_invoke import (
    Client,
    EncodeError,
    Execution,
    InvalidArgumentError,
    InvocationType,
    LambdaError,
    Result,
    Retry,
    Status,
    _values,
)


class LyingBytes(bytes):
    """C would read so far."""

    def __len__(self) -> int:
        return 1 << 30


class LyingText(str):
    def encode(self, *_: object) -> bytes:
        raise AssertionError

    def __contains__(self, _: object) -> bool:
        return False


def test_subclasses_of_bytes_and_str_are_what_they_hold(client: Client) -> None:
    assert client.invoke(LyingText("echo"), LyingBytes(b"abc")).payload == b"abc"
    assert client.invoke("echo", LyingText("abc")).payload == b"abc"
    with pytest.raises(InvalidArgumentError, match="holds a NUL"):
        client.invoke(LyingText("echo\0"))


CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)
DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]

# By name, since some cannot be shown.
NOT_JSON: dict[str, object] = {
    "set": {1, 2},
    "nan": float("nan"),
    "infinity": [float("inf")],
    "object": object(),
    "generator": (number for number in [1]),
    "array": array.array("i", [1]),
    "datetime": datetime.now(),
    "key": {(1,): 1},
    "circle": CIRCLE,
    "nested": DEEP,
    "half a surrogate pair": {"a": "\ud800"},
}


class TestNotJson:
    @pytest.mark.parametrize("parameter", ["payload", "client_context"])
    @pytest.mark.parametrize("name", NOT_JSON)
    def test_is_not_sent(self, client: Client, name: str, parameter: str) -> None:
        value = NOT_JSON[name] if parameter == "payload" else {"a": NOT_JSON[name]}
        arguments: dict[str, Any] = {parameter: value}
        with pytest.raises(EncodeError, match=f"^echo: {parameter}: cannot be encoded as ") as caught:
            client.invoke("echo", **arguments)
        # As json's own errors are.
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, TypeError)
        result = caught.value.result
        assert (result.status, result.execution) == (Status.INVALID_ARGUMENT, Execution.NONE)
        assert "surrogate" in name or caught.value.__cause__ is not None

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has no such limit")
    def test_an_int_of_too_many_digits(self, client: Client) -> None:
        with pytest.raises(EncodeError, match="payload"):
            client.invoke("echo", 10**5000)

    def test_a_str(self, client: Client) -> None:
        with pytest.raises(EncodeError, match="payload: cannot be encoded as UTF-8: .* at character 1$"):
            client.invoke("echo", "a\ud800 secret")

    def test_a_memoryview_that_was_released(self, client: Client) -> None:
        view = memoryview(b"a")
        view.release()
        with pytest.raises(InvalidArgumentError, match="payload: .*released"):
            client.invoke("echo", view)

    def test_what_the_callers_own_code_raises_comes_out(self, client: Client) -> None:
        class Mine(dict):  # type: ignore[type-arg]
            def items(self) -> Any:
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            client.invoke("echo", Mine(a=1))


async def answer() -> bool:
    raise AssertionError


class Waiting:
    """As asyncio.Event.wait is."""

    async def wait(self) -> bool:
        raise AssertionError


@pytest.mark.parametrize(
    "arguments",
    [
        {"function_name": None},
        {"function_name": b"echo"},
        {"qualifier": 1},
        {"tenant_id": b"a"},
        {"log": "None"},
        {"log": "Tail"},
        {"log": 1},
        {"log": None},
        {"timeout": "1"},
        {"timeout": True},
        {"timeout": timedelta(seconds=1)},
        {"timeout": 1j},
        {"timeout": []},
        {"stop": 1},
        {"stop": threading.Event},
        {"stop": answer},
        {"stop": Waiting().wait},
        {"client_context": b"e30="},
        {"client_context": [1]},
    ],
)
def test_what_has_the_wrong_type_is_a_type_error(client: Client, arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"^{next(iter(arguments))} must be ") as caught:
        client.invoke(**{"function_name": "echo", **arguments})
    assert not isinstance(caught.value, LambdaError)


class Index:
    """A number that is no int, such as NumPy's."""

    def __index__(self) -> int:
        return 2


class Float:
    def __float__(self) -> float:
        return 0.25


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, 1000),
        (0.3, 300),
        (1.1, 1100),
        (0.0004, 1),
        (1e-300, 1),
        (0.0015, 2),
        (0.0101, 11),
        (910.0, 910_000),
        (Decimal("0.5"), 500),
        (Fraction(1, 4), 250),
        (Index(), 2000),
        (Float(), 250),
    ],
)
def test_times_are_rounded_up(seconds: Any, expected: int) -> None:
    assert _values.milliseconds("timeout", seconds) == expected


def test_counts_need_not_be_int(make_client: ClientMaker) -> None:
    assert make_client(max_attempts=Index()).describe()["max_attempts"]["value"] == 2


class TestEnums:
    @pytest.mark.parametrize("member", [*Status, *Execution, *InvocationType, *Retry, Status(-99), Status(99)])
    def test_are_text_everywhere(self, member: Any) -> None:
        value = str.__str__(member)
        assert (member, member.value, hash(member)) == (value, value, hash(value))
        assert [f"{member}", str(member), "%s" % member, "".join([member])] == [value] * 4  # noqa: UP031
        assert f"{member:>30}" == value.rjust(30)
        assert json.dumps({member: member}) == f'{{"{value}": "{value}"}}'
        assert type(member)(value) == member
        for again in (copy.copy(member), copy.deepcopy(member), pickle.loads(pickle.dumps(member))):
            assert (again, type(again), again.name) == (member, type(member), member.name)
            assert getattr(again, "number", None) == getattr(member, "number", None)

    def test_those_of_a_result_are_called_as_the_documents_do(self) -> None:
        result = Result(Status.TIMEOUT, Execution.RAN)
        assert f"{result.status} {result.execution}" == "TIMEOUT RAN"
        assert {f"{member}" for kind in (Status, Execution) for member in kind} == {
            member.name for kind in (Status, Execution) for member in kind
        }
