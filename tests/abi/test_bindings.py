"""What the bindings write by hand has every setter, result field and number of the header."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import c_header  # noqa: E402
from generate_bindings import OF_STREAMS  # noqa: E402

HEADER = c_header.read()


def sources(folder: str, pattern: str, *generated: str) -> str:
    """The code of a binding without its tests, its comments and what is generated."""
    paths = sorted(path for path in (ROOT / folder).glob(pattern) if path.name not in generated)
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths if not path.name.endswith("_test.go"))
    return re.sub(r"^\s*(//|#(?! *(include|define|if|endif))).*$", "", text, flags=re.MULTILINE)


SOURCES = {
    "c++": sources("include", "*.hpp"),
    "python": sources("bindings/python/lambda_invoke", "*.py", "_table.py"),
    "go": sources("bindings/go", "*.go", "numbers.go"),
}
# How a binding reads a field of struct lambda_result. Python unpacks it; what begins with an underscore is not used.
READS = {
    "c++": r"get\(\)->{}\b",
    "python": r"\b(?:raw|ResultStruct)\.{0}\b|^        {0}(?:_number|_at)?,$",
    "go": r"\b(?:r|result)\.{}\b",
}
# Fields that a binding does not read, and why.
UNREAD = {language: {"reserved": "0"} for language in SOURCES}
# Functions that a binding does not call, and why.
UNUSED = {
    "c++": {"lambda_error_status": "lambda_client_new returns it"},
    "python": {
        "lambda_error_status": "lambda_client_new returns it",
        "lambda_queue_in_flight": "the futures of a loop and the tags of a map are counted",
        "lambda_queue_wake": "a thread that waits looks every 100 ms, for Ctrl-C",
        "lambda_result_clone": "a Result is a copy",
        "lambda_status_name": "Status has names",
        "lambda_version": "__version__ is that of the package",
    },
    "go": {
        "lambda_error_status": "lambda_client_new returns it",
        "lambda_queue_in_flight": "Go counts the calls of a client",
        "lambda_queue_wake": "no thread waits in the queue",
        "lambda_request_clone": "a Request is a Go struct",
        "lambda_request_set_interrupt": "lambda_queue_cancel ends a call",
        "lambda_result_clone": "a Result is a copy",
    },
}
LANGUAGES = list(SOURCES)


def is_called(function: str, language: str) -> bool:
    if re.search(rf"\b{function}\b", SOURCES[language]):
        return True
    # Python calls a setter by the name of its argument; times are in seconds there.
    setter = re.fullmatch(r"(lambda_(?:config|request)_set_)(\w+?)(?:_ms)?", function) if language == "python" else None
    return bool(setter and f'f"{setter[1]}{{' in SOURCES[language] and f'"{setter[2]}"' in SOURCES[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_function_is_called(language: str) -> None:
    names = {function.name for function in HEADER.functions}
    if language == "python":
        # The generated table has them called with the last reference (FREED_BY).
        names = {name for name in names if not name.endswith("_free")}
    missing = {name for name in names if not is_called(name, language)}
    assert missing == set(UNUSED[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_of_the_result_is_read(language: str) -> None:
    fields = [field.name for field in HEADER.struct("lambda_result").fields]
    unread = {name for name in fields if not re.search(READS[language].format(name), SOURCES[language], re.MULTILINE)}
    assert unread == set(UNREAD[language])


def test_python_unpacks_the_result_in_the_order_of_its_fields() -> None:
    unpacked = re.search(r"    \(\n((?:        \w+,\n)+)    \) = _LAYOUT\.unpack", SOURCES["python"])
    assert unpacked
    names = re.findall(r"^        _?(\w+?)(?:_number|_at)?,$", unpacked[1], re.MULTILINE)
    assert names == [field.name for field in HEADER.struct("lambda_result").fields]


def test_the_cpp_header_names_every_number() -> None:
    named = set(re.findall(r"= (LAMBDA_\w+),", SOURCES["c++"]))
    assert named == {number.name for number in HEADER.numbers} - set(OF_STREAMS)
