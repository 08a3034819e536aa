"""The ctypes table against the header."""

from __future__ import annotations

import ctypes
import re
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)

import lambda_invoke
import pytest
from conftest import ROOT
from lambda_invoke import Execution, Status, _abi

HEADER = re.sub(r"//.*|/\*.*?\*/", "", (ROOT / "include" / "lambda_invoke.h").read_text())
NUMBERS = {name: int(value) for name, value in re.findall(r"#define (LAMBDA_\w+) (-?\d+)$", HEADER, re.MULTILINE)}
# Answers of functions that this package does not use yet.
UNUSED_STATUSES = {"END", "PENDING"}

TYPES = {
    "void": None,
    "int32_t": c_int32,
    "lambda_status": c_int32,
    "uint32_t": c_uint32,
    "uint64_t": c_uint64,
    "int64_t": c_int64,
    "size_t": c_size_t,
    "char *": c_char_p,
    "void *": c_void_p,
    "uint8_t *": POINTER(c_uint8),
    "lambda_interrupt_fn": _abi.InterruptFn,
    "lambda_credentials_fn": _abi.CredentialsFn,
    "lambda_log_fn": _abi.LogFn,
    "lambda_release_fn": c_void_p,
    # As numbers: Python only passes them on.
    "lambda_credentials *": c_ssize_t,
    "lambda_client *": _abi.ClientPointer,
    "lambda_config *": _abi.ConfigPointer,
    "lambda_error *": _abi.ErrorPointer,
    "lambda_request *": _abi.RequestPointer,
    "lambda_result *": _abi.ResultPointer,
    "lambda_client **": POINTER(_abi.ClientPointer),
    "lambda_error **": POINTER(_abi.ErrorPointer),
}


def declarations() -> dict[str, list[tuple[object, str]]]:
    """By function: what it returns, then its parameters, each with its name."""
    found = {}
    pattern = r"^(?!#|typedef)([\w *]+?)\b(lambda_\w+)\(([^)]*)\);"
    for returned, name, parameters in re.findall(pattern, HEADER, re.MULTILINE):
        listed = [] if parameters.strip() == "void" else [typed(parameter) for parameter in parameters.split(",")]
        found[name] = [typed(f"{returned} {name}"), *listed]
    return found


def typed(declaration: str) -> tuple[object, str]:
    if re.match(r"\s*char \*", declaration):
        # Not const: the caller owns it.
        return _abi.StringPointer, declaration.split("*")[1].strip()
    words = re.sub(r"\b(const|struct)\b", "", declaration.replace("*", " * ")).split()
    *kind, name = words
    stars = "".join(word for word in kind if word == "*")
    base = " ".join(word for word in kind if word != "*")
    return TYPES[f"{base} {stars}".strip()], name


DECLARATIONS = declarations()


def test_the_header_was_understood() -> None:
    assert len(DECLARATIONS) == len(set(re.findall(r"\b(lambda_\w+)\(", HEADER)))
    assert len(DECLARATIONS) > 30


def test_the_table_has_every_function_and_no_other() -> None:
    assert sorted(_abi.FUNCTIONS) == sorted(DECLARATIONS)


@pytest.mark.parametrize("name", DECLARATIONS)
def test_a_function_has_the_types_of_the_header(name: str) -> None:
    function = getattr(_abi.library, name)
    assert [function.restype, *function.argtypes] == [kind for kind, _ in DECLARATIONS[name]]


def test_the_result_has_the_layout_of_the_header() -> None:
    body = re.search(r"typedef struct lambda_result \{(.*?)\}", HEADER, re.DOTALL)
    assert body
    fields = [typed(line.strip()) for line in body[1].split(";") if line.strip()]
    names = [name for _, name in fields]
    expected = [
        (name, POINTER(c_char) if kind is c_char_p and f"{name}_len" in names else kind) for kind, name in fields
    ]
    assert list(_abi.ResultStruct._fields_) == expected


def test_the_numbers_are_those_of_the_header() -> None:
    statuses = {name: number for name, number in NUMBERS.items() if name.startswith("LAMBDA_E_")}
    statuses.update({name: NUMBERS[name] for name in ("LAMBDA_OK", "LAMBDA_FUNCTION_ERROR")})
    assert {status.name: status.value for status in Status} == {
        re.sub("^LAMBDA_(E_)?", "", name): number for name, number in statuses.items()
    }
    assert {f"LAMBDA_EXECUTION_{execution.name}": execution.value for execution in Execution} == {
        name: number for name, number in NUMBERS.items() if name.startswith("LAMBDA_EXECUTION_")
    }
    for name, number in NUMBERS.items():
        short = name[len("LAMBDA_") :]
        if short.startswith(("INVOCATION_", "LOG_", "RETRY_")):
            assert getattr(_abi, short) == number
        else:
            known = short.startswith(("E_", "EXECUTION_", "VERSION_")) or short in {"OK", "FUNCTION_ERROR"}
            assert known or short in UNUSED_STATUSES, f"{name} is new"


def test_the_versions_agree() -> None:
    major, minor, patch = (NUMBERS[f"LAMBDA_VERSION_{part}"] for part in ("MAJOR", "MINOR", "PATCH"))
    assert major * 1_000_000 + minor * 1_000 + patch == _abi.HEADER_VERSION
    assert lambda_invoke.__version__ == f"{major}.{minor}.{patch}"


@pytest.mark.parametrize("status", Status)
def test_the_library_calls_a_status_the_same(status: Status) -> None:
    name = _abi.library.lambda_status_name(status).decode()
    assert re.sub("^LAMBDA_(E_)?", "", name) == status.name


def test_ctypes_refuses_one_pointer_in_place_of_another() -> None:
    request = _abi.library.lambda_request_new()
    with pytest.raises(ctypes.ArgumentError):
        _abi.library.lambda_invoke(request, request)
