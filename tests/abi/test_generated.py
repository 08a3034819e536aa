"""What is generated from the header is fresh, the header explains all it declares, and the ABI only grows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import c_header  # noqa: E402
import generate_bindings  # noqa: E402
from generate_bindings import AbiError, generate  # noqa: E402

TEXT = c_header.PATH.read_text(encoding="utf-8")
HEADER = c_header.parse(TEXT)
FUNCTION = "uint32_t lambda_version_number(void);"
NEWER = re.sub(r"(#define LAMBDA_VERSION_MINOR) \d+", r"\1 999", TEXT)
NEW = f"{HEADER.version[0]}.999.{HEADER.version[2]}"
ABI = ROOT / "tests" / "abi"


@pytest.mark.parametrize("name", generate_bindings.GENERATED)
def test_a_generated_file_is_fresh(name: str) -> None:
    path = ROOT / name
    assert path.read_text(encoding="utf-8") == generate(HEADER)[path], f"{name} is stale; renew it with: make header"


def test_the_header_is_read_in_full() -> None:
    code = re.sub(r"/\*.*?\*/", "", TEXT, flags=re.DOTALL)
    functions = re.findall(r"\b(lambda_\w+)\(", code)
    assert [function.name for function in HEADER.functions] == functions
    numbers = re.findall(r"^#define (LAMBDA_(?!VERSION_|INVOKE_H|MUST_USE)\w+)", code, re.MULTILINE)
    assert [number.name for number in HEADER.numbers] == numbers
    types = {*HEADER.opaque, *(one.name for one in (*HEADER.structs, *HEADER.callbacks)), "lambda_status"}
    assert types == set(re.findall(r"^(?:typedef .*?|\} )\(?\*?(lambda_\w+)(?:;|\)\()", code, re.MULTILINE))


def test_everything_in_the_header_has_a_comment() -> None:
    assert HEADER.undocumented == []


COMMENT = r"/\*\*(?:(?!\*/).)*\*/\s*"
DECLARATIONS = {
    "number": "#define LAMBDA_OK 0",
    "status": "typedef int32_t lambda_status;",
    "type": "typedef struct lambda_client lambda_client;",
    "callback": "typedef void (*lambda_release_fn)(void *user_data);",
    "struct": "typedef struct lambda_result {",
    "field": "  size_t payload_len;",
    "function": FUNCTION,
    "version": "#define LAMBDA_VERSION_MAJOR 0",
}


@pytest.mark.parametrize("kind", DECLARATIONS)
def test_a_missing_comment_is_found(kind: str) -> None:
    declaration = DECLARATIONS[kind]
    without, count = re.subn(rf"{COMMENT}(?={re.escape(declaration)})", "", TEXT, flags=re.DOTALL)
    assert count == 1
    (name,) = c_header.parse(without).undocumented
    assert name.split(".")[-1] in declaration


def test_what_cannot_be_read_is_no_header() -> None:
    with pytest.raises(c_header.HeaderError, match="struct lambda_other"):
        c_header.parse(TEXT.replace(FUNCTION, f"struct lambda_other {{ int a; }};\n{FUNCTION}"))


def test_what_is_new_comes_with_the_version_of_the_header() -> None:
    number = "/** New. */\n#define LAMBDA_E_NEW -99\n"
    text = NEWER.replace(
        FUNCTION, f"{FUNCTION}\n/** New. */\nlambda_status lambda_new(struct lambda_client *client);\n"
    )
    texts = generate(c_header.parse(text.replace("#include <stdint.h>\n", f"#include <stdint.h>\n{number}")))
    for name, line in (
        ("tests/abi/symbols.txt", f"lambda_new {NEW}"),
        ("tests/abi/numbers.txt", f"LAMBDA_E_NEW -99 {NEW}"),
        ("tests/abi/prototypes.c", "lambda_status lambda_new(lambda_client *);"),
        ("bindings/python/lambda_invoke/_table.py", '    "lambda_new": (c_int32, ClientPointer),'),
        ("bindings/python/lambda_invoke/_table.py", '    NEW = "NEW", -99'),
        ("bindings/go/numbers.go", "\tStatusNew Status = C.LAMBDA_E_NEW"),
    ):
        assert line in texts[ROOT / name].splitlines()
    for name in ("symbols.txt", "numbers.txt", "prototypes.c"):
        old = (ABI / name).read_text(encoding="utf-8").splitlines()
        assert set(old) < set(texts[ABI / name].splitlines()), "an old entry has changed"


BREAKS = {
    "function removed": (FUNCTION, "", "lambda_version_number, listed in tests/abi/symbols.txt"),
    "number removed": ("#define LAMBDA_RETRY_NONE 1", "", "LAMBDA_RETRY_NONE, listed in tests/abi/numbers.txt"),
    "number changed": ("LAMBDA_RETRY_NONE 1", "LAMBDA_RETRY_NONE 7", "LAMBDA_RETRY_NONE is 7, .* built with 1"),
    "result changed": (FUNCTION, FUNCTION.replace("uint32_t", "int64_t"), "lambda_version_number is declared as"),
    "parameter changed": ("uint64_t ms);", "uint32_t ms);", "lambda_config_set_connect_timeout_ms is declared as"),
    "callback changed": (
        "(*lambda_interrupt_fn)(void *user_data)",
        "(*lambda_interrupt_fn)(int32_t more, void *user_data)",
        "lambda_request_set_interrupt is declared as",
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_break_of_the_abi_is_refused(kind: str) -> None:
    old, new, message = BREAKS[kind]
    # What is removed goes with its comment.
    pattern = re.escape(old) if new else COMMENT + re.escape(old)
    text, count = re.subn(pattern, new, NEWER, flags=re.DOTALL)
    assert count > 0
    with pytest.raises(AbiError, match=message):
        generate(c_header.parse(text))
