"""What programs that were built once rely on: names, numbers, types, layout, and how the library is loaded."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]

import c_header  # noqa: E402
from compilers import standard_option  # noqa: E402

HEADER = c_header.read()
LIBRARY = ROOT / "build" / "lib" / "liblambda_invoke.so"
CC = shlex.split(os.environ.get("CC", "cc"))
CXX = shlex.split(os.environ.get("CXX", "c++"))
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{ROOT / 'include'}"]

# The C library in its parts, what unwinds, and the loader.
SYSTEM_LIBRARIES = {"libc.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "libm.so.6", "librt.so.1"}


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def symbols() -> list[str]:
    return [line.split()[0] for line in (HERE / "symbols.txt").read_text().splitlines()]


def dynamic(tag: str) -> list[str]:
    lines = output("readelf", "--dynamic", "--wide", str(LIBRARY)).splitlines()
    return [line for line in lines if f"({tag})" in line]


def exports() -> list[str]:
    """Returns the names with their versions, without the version itself, which is an absolute symbol."""
    rows = [line.split() for line in output("nm", "--dynamic", "--defined-only", str(LIBRARY)).splitlines()]
    return sorted(row[-1] for row in rows if row[-2] != "A")


def test_symbols_are_sorted_and_written_once() -> None:
    assert symbols() == sorted(set(symbols()))


def test_the_library_exports_these_functions_and_nothing_else() -> None:
    assert exports() == [f"{name}@@LAMBDA_0" for name in symbols()]


def test_the_types_of_functions_compile_beside_the_header() -> None:
    output(*CC, "-std=c11", *STRICT, "-fsyntax-only", str(HERE / "prototypes.c"))


def test_the_result_has_its_layout() -> None:
    output(*CC, "-std=c11", *STRICT, "-fsyntax-only", str(HERE / "layout.c"))


def test_the_layout_names_every_member() -> None:
    declared = [field.name for field in HEADER.struct("lambda_result").fields]
    assert declared == re.findall(r"^MEMBER\((\w+),", (HERE / "layout.c").read_text(), re.MULTILINE)


def numbers() -> dict[str, int]:
    lines = (HERE / "numbers.txt").read_text().splitlines()
    return {name: int(value) for name, value, _ in (line.split() for line in lines)}


def test_every_status_has_its_name() -> None:
    library = ctypes.CDLL(str(LIBRARY))
    library.lambda_status_name.restype = ctypes.c_char_p
    # Those from LAMBDA_OK on; the numbers of other families begin with other words.
    families = ("LAMBDA_EXECUTION_", "LAMBDA_INVOCATION_", "LAMBDA_LOG_", "LAMBDA_RETRY_")
    statuses = {name: value for name, value in numbers().items() if not name.startswith(families)}
    assert len(set(statuses.values())) == len(statuses)
    for name, value in statuses.items():
        assert library.lambda_status_name(value) == name.encode()


def test_the_library_has_the_version_of_the_header() -> None:
    library = ctypes.CDLL(str(LIBRARY))
    library.lambda_version.restype = ctypes.c_char_p
    library.lambda_version_number.restype = ctypes.c_uint32
    assert library.lambda_version().decode() == HEADER.dotted_version
    assert library.lambda_version_number() == HEADER.version_number


def test_the_name_says_which_abi_it_is() -> None:
    (line,) = dynamic("SONAME")
    assert line.endswith("[liblambda_invoke.so.0]")
    assert LIBRARY.resolve().name == "liblambda_invoke.so.0"


def test_the_code_stays_when_the_library_is_closed() -> None:
    (line,) = dynamic("FLAGS_1")
    assert "NODELETE" in line


def test_it_needs_only_what_every_system_has() -> None:
    needed = {re.search(r"\[(.+)\]", line)[1] for line in dynamic("NEEDED")}
    assert not {name for name in needed if name not in SYSTEM_LIBRARIES and not name.startswith("ld-linux")}


def test_it_can_be_loaded_where_no_stack_is_executable() -> None:
    (stack,) = [
        line for line in output("readelf", "--segments", "--wide", str(LIBRARY)).splitlines() if "GNU_STACK" in line
    ]
    assert "RWE" not in stack
    assert not dynamic("TEXTREL")
    assert not dynamic("RPATH") and not dynamic("RUNPATH")


LANGUAGES = [
    *((CC, "c", standard) for standard in ("c90", "c99", "c11", "c17")),
    *((CXX, "c++", standard) for standard in ("c++11", "c++17", "c++20")),
]

CALLS = """\
#include <lambda_invoke.h>
#include <lambda_invoke.h>

int {name}(void);
int {name}(void) {{
    lambda_result_free(0);
    return lambda_version_number() >= LAMBDA_VERSION_NUMBER ? LAMBDA_OK : LAMBDA_E_INTERNAL;
}}
"""

MAIN = """
int second(void);
int main(void) {
    return first() + second();
}
"""


@pytest.mark.parametrize(("compiler", "language", "standard"), LANGUAGES, ids=[entry[2] for entry in LANGUAGES])
def test_the_header_alone(compiler: list[str], language: str, standard: str, tmp_path: Path) -> None:
    source = tmp_path / "alone.txt"
    source.write_text("#include <lambda_invoke.h>\n")
    option = standard_option(compiler, standard)
    output(*compiler, "-x", language, option, *STRICT, "-fsyntax-only", str(source))


@pytest.mark.parametrize(("compiler", "language", "standard"), LANGUAGES, ids=[entry[2] for entry in LANGUAGES])
def test_the_header_twice_in_two_units(compiler: list[str], language: str, standard: str, tmp_path: Path) -> None:
    units = []
    option = standard_option(compiler, standard)
    for name, more in (("first", MAIN), ("second", "")):
        source, unit = tmp_path / f"{name}.txt", tmp_path / f"{name}.o"
        source.write_text(CALLS.format(name=name) + more)
        output(*compiler, "-x", language, option, *STRICT, "-c", str(source), "-o", str(unit))
        units.append(str(unit))
    program = tmp_path / "program"
    folder = str(LIBRARY.parent)
    output(*compiler, *units, f"-L{folder}", "-llambda_invoke", f"-Wl,-rpath,{folder}", "-o", str(program))
    output(str(program))


def test_c_and_cpp_link_together(tmp_path: Path) -> None:
    first, second, program = tmp_path / "first.o", tmp_path / "second.o", tmp_path / "program"
    (tmp_path / "first.c").write_text(CALLS.format(name="first"))
    (tmp_path / "second.cpp").write_text('extern "C" int first(void);\n' + CALLS.format(name="second") + MAIN)
    output(*CC, "-std=c11", *STRICT, "-c", str(tmp_path / "first.c"), "-o", str(first))
    output(*CXX, "-std=c++17", *STRICT, "-c", str(tmp_path / "second.cpp"), "-o", str(second))
    folder = str(LIBRARY.parent)
    output(*CXX, str(first), str(second), f"-L{folder}", "-llambda_invoke", f"-Wl,-rpath,{folder}", "-o", str(program))
    output(str(program))
