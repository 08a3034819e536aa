"""The generated ctypes table against the records of the ABI, and against the library."""

from __future__ import annotations

import ctypes
import re

import lambda_invoke
import pytest
from conftest import ROOT
from lambda_invoke import Execution, Status, _abi

ABI = ROOT / "tests" / "abi"
NUMBERS = {
    name: int(value)
    for name, value, _ in (line.split() for line in (ABI / "numbers.txt").read_text(encoding="utf-8").splitlines())
}


def test_the_numbers_are_those_of_the_abi() -> None:
    found = {f"LAMBDA_{'E_' * (status.number < 0)}{status.name}": status.number for status in Status}
    found.update({f"LAMBDA_EXECUTION_{execution.name}": execution.number for execution in Execution})
    for name in NUMBERS:
        if name.startswith(("LAMBDA_INVOCATION_", "LAMBDA_LOG_", "LAMBDA_RETRY_", "LAMBDA_END", "LAMBDA_PENDING")):
            found[name] = getattr(_abi, name[len("LAMBDA_") :])
    assert found == NUMBERS


def test_the_result_has_its_layout() -> None:
    rows = re.findall(r"^MEMBER\((\w+), (\d+),", (ABI / "layout.c").read_text(encoding="utf-8"), re.MULTILINE)
    found = [(name, getattr(_abi.ResultStruct, name).offset) for name, _ in _abi.ResultStruct._fields_]
    assert found == [(name, int(offset)) for name, offset in rows]


def test_every_function_is_declared() -> None:
    symbols = [line.split()[0] for line in (ABI / "symbols.txt").read_text(encoding="utf-8").splitlines()]
    assert sorted(_abi.FUNCTIONS) == symbols
    for name, (returned, *taken) in _abi.FUNCTIONS.items():
        function = getattr(_abi.library, name)
        assert (function.restype, list(function.argtypes)) == (returned, taken)


def test_the_versions_agree() -> None:
    assert _abi.library.lambda_version_number() == _abi.HEADER_VERSION
    assert lambda_invoke.__version__ == _abi.library.lambda_version().decode()


@pytest.mark.parametrize("status", Status)
def test_the_library_calls_a_status_the_same(status: Status) -> None:
    name = _abi.library.lambda_status_name(status.number).decode()
    assert re.sub("^LAMBDA_(E_)?", "", name) == status.name


def test_ctypes_refuses_one_pointer_in_place_of_another() -> None:
    request = _abi.library.lambda_request_new()
    with pytest.raises(ctypes.ArgumentError):
        _abi.library.lambda_invoke(request, request)
