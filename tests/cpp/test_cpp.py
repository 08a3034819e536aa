"""Compiles the C++ programs of this folder and runs them on the local endpoint, and once more under valgrind."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from compilers import standard_option  # noqa: E402
from tested_library import LIBRARY, WATCHES_THREADS, allowed_s  # noqa: E402

LOCAL = ROOT / "local" / "lambda-local"
# Those of the conformance suite serve here as well.
STREAMING = [ROOT / "tests" / "functions" / f"{name}.py" for name in ("counting", "streamed")]
FUNCTIONS = [HERE / "functions", ROOT / "tests" / "conformance" / "functions", *STREAMING]
IN_CI = os.environ.get("CI") == "true"

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Wconversion", "-Weffc++", "-Werror"]
STANDARDS = ["c++17", "c++20", "c++23"]
WITHOUT_EXCEPTIONS = "-fno-exceptions"

# Leaks on purpose.
LEAKY = "leak"
# Has a data race on purpose.
RACY = "race"
# From several files.
UNITS = "units"
PROGRAMS = sorted({path.stem for path in HERE.glob("*.cpp")} - {LEAKY, RACY})

DEFAULT_COMPILER = shlex.split(os.environ.get("CXX", "c++"))
# clang knows warnings and an attribute that g++ does not.
COMPILERS = [
    pytest.param(DEFAULT_COMPILER, id=DEFAULT_COMPILER[0]),
    pytest.param(
        ["clang++"],
        id="clang++",
        marks=pytest.mark.skipif(
            shutil.which("clang++") is None and not IN_CI, reason="clang++ is not installed: it was not asked"
        ),
    ),
]

VALGRIND = shutil.which("valgrind")
FOUND_BY_VALGRIND = 99
# A handle that is forgotten is lost for certain. What only may be lost is for tests/c to judge: Rust points into the
# middle of some blocks that live as long as the process, which valgrind cannot tell from a leak.
LOST = "definite,indirect"
without_valgrind = pytest.mark.skipif(
    VALGRIND is None and not IN_CI, reason="valgrind is not installed: memory is not checked"
)


def compile_cpp(
    arguments: Sequence[str], compiler: Sequence[str] = DEFAULT_COMPILER
) -> subprocess.CompletedProcess[str]:
    command = [*compiler, *STRICT, f"-I{ROOT / 'include'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def compiled(arguments: Sequence[str], compiler: Sequence[str] = DEFAULT_COMPILER) -> None:
    done = compile_cpp(arguments, compiler)
    assert done.returncode == 0, done.stderr


def link(objects: Sequence[str], program: Path, standard: str) -> None:
    options = [f"-std={standard}", "-O1", "-g", "-pthread", f"-L{LIBRARY}", f"-Wl,-rpath,{LIBRARY}"]
    compiled([*options, *objects, "-llambda_invoke", "-o", str(program)])


class Programs:
    """Built when a test first asks for them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[tuple[str, str], Path] = {}

    def get(self, name: str, standard: str) -> Path:
        if (name, standard) not in self._built:
            program = self._folder / f"{name}-{standard}"
            link(self._units(standard) if name == UNITS else [str(HERE / f"{name}.cpp")], program, standard)
            self._built[name, standard] = program
        return self._built[name, standard]

    def _units(self, standard: str) -> list[str]:
        objects = []
        for source in sorted((HERE / UNITS).glob("*.cpp")):
            target = self._folder / f"{source.stem}-{standard}.o"
            options = [WITHOUT_EXCEPTIONS] if source.stem == "without_exceptions" else []
            compiled([f"-std={standard}", "-g", *options, "-c", str(source), "-o", str(target)])
            objects.append(str(target))
        return objects


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))


def run_local(
    command: Sequence[str], functions: Sequence[Path], light: bool = False
) -> subprocess.CompletedProcess[str]:
    endpoint = [sys.executable, str(LOCAL), *map(str, functions), "--"]
    return subprocess.run([*endpoint, *command], capture_output=True, text=True, check=False, env=environment(light))


def environment(light: bool) -> dict[str, str]:
    """None of the settings of whoever runs the tests, nor of the machine that they run on."""
    result = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CHECK_"))}
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        result[name] = os.devnull
    result["AWS_EC2_METADATA_DISABLED"] = "true"
    return {**result, "CHECK_LIGHT": "1"} if light else result


def is_well(done: subprocess.CompletedProcess[str]) -> None:
    # Programs print only what failed, and the library prints nothing, whatever happens.
    said = (done.returncode, done.stdout, done.stderr)
    assert said == (0, "", ""), f"exit status {done.returncode}\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(allowed_s(120))
@pytest.mark.parametrize("standard", ["c++17", "c++20"])
@pytest.mark.parametrize("name", [*PROGRAMS, UNITS])
def test_program(name: str, standard: str, programs: Programs) -> None:
    is_well(run_local([str(programs.get(name, standard))], FUNCTIONS, light=WATCHES_THREADS))


if "-fsanitize=address" in os.environ.get("CXX", ""):

    def test_program_that_leaks_is_found(programs: Programs) -> None:
        done = run_local([str(programs.get(LEAKY, "c++20"))], FUNCTIONS)
        assert done.returncode != 0
        assert "LeakSanitizer" in done.stderr


if WATCHES_THREADS:

    def test_a_race_is_found(programs: Programs) -> None:
        done = run_local([str(programs.get(RACY, "c++20"))], FUNCTIONS)
        assert done.returncode != 0
        assert "ThreadSanitizer: data race" in done.stderr


def under_valgrind(programs: Programs, name: str, folder: Path) -> tuple[subprocess.CompletedProcess[str], str]:
    assert VALGRIND is not None, "CI must check memory: install valgrind"
    report = folder / "valgrind"
    options = [
        f"--error-exitcode={FOUND_BY_VALGRIND}",
        "--leak-check=full",
        f"--show-leak-kinds={LOST}",
        f"--errors-for-leak-kinds={LOST}",
        "--num-callers=40",
        f"--log-file={report}",
    ]
    done = run_local([VALGRIND, *options, str(programs.get(name, "c++20"))], FUNCTIONS, light=True)
    return done, report.read_text(errors="replace")


@without_valgrind
@pytest.mark.timeout(120)
def test_a_leak_is_found(programs: Programs, tmp_path: Path) -> None:
    done, report = under_valgrind(programs, LEAKY, tmp_path)
    assert done.returncode == FOUND_BY_VALGRIND, report
    assert "lambda_request_clone" in report


@without_valgrind
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [*PROGRAMS, UNITS])
def test_program_under_valgrind(name: str, programs: Programs, tmp_path: Path) -> None:
    done, report = under_valgrind(programs, name, tmp_path)
    assert done.returncode == 0, f"{done.stderr}\n{report}"
    is_well(done)


@pytest.mark.parametrize(
    "options",
    [[], [WITHOUT_EXCEPTIONS], ["-fno-rtti"], ["-O2", "-Wsign-conversion", "-Wold-style-cast", "-Woverloaded-virtual"]],
)
@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_header_compiles_alone(
    compiler: Sequence[str], standard: str, options: Sequence[str], tmp_path: Path
) -> None:
    source = tmp_path / "alone.cpp"
    source.write_text("#include <lambda_invoke.hpp>\nint main() {}\n")
    compiled([standard_option(compiler, standard), *options, "-fsyntax-only", str(source)], compiler)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_programs_use_compiles(compiler: Sequence[str], name: str) -> None:
    """Templates show their warnings only where they are used."""
    compiled([standard_option(compiler, "c++17"), "-fsyntax-only", str(HERE / f"{name}.cpp")], compiler)


# How compilers say that they do not know a standard.
OLD_COMPILER = """#!/bin/sh
case " $* " in
    *" -std={known} "*) exit 0 ;;
    *" -std="*) echo "error: invalid value in '-std='" >&2; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("known", "standard", "option"),
    [
        ("c++23", "c++23", "-std=c++23"),
        ("c++2b", "c++23", "-std=c++2b"),
        ("c++2a", "c++20", "-std=c++2a"),
        ("c++17", "c++23", None),
        ("c11", "c17", None),
    ],
)
def test_a_standard_has_the_name_that_the_compiler_knows(
    known: str, standard: str, option: str | None, tmp_path: Path
) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text(OLD_COMPILER.format(known=known))
    compiler.chmod(0o755)
    if option is None:
        with pytest.raises(pytest.skip.Exception, match=f"does not know {re.escape(standard)}"):
            standard_option([str(compiler)], standard)
    else:
        assert standard_option([str(compiler)], standard) == option


# What must not compile, with a part of what the compiler says.
MISUSES = {
    "a payload that is a null pointer": ("void f(lambda::request &r) { r.payload(nullptr); }", "deleted function"),
    "a copy of a client": ("void f(lambda::client &c) { lambda::client copy(c); }", "deleted function"),
    "a copy of a result": ("void f(lambda::result &r) { lambda::result copy(r); }", "deleted function"),
    "a copy of a queue": ("void f(lambda::queue &q) { lambda::queue copy(q); }", "deleted function"),
    "a copy of a dispatcher": ("void f(lambda::dispatcher &d) { lambda::dispatcher copy(d); }", "deleted function"),
    "a number for a duration": ("void f(lambda::request &r) { r.timeout(5); }", "timeout"),
    "a number for a switch": ("void f(lambda::config &c) { c.use_fips(-1); }", "deleted function"),
    "a number for no time": ("void f(lambda::config &c) { c.timeout(0); }", "timeout"),
    "a payload of wide numbers": ("void f(lambda::request &r) { r.payload(std::vector<int>{1}); }", "payload"),
    "an interrupt that takes something": (
        "void f(lambda::request &r) { r.interrupt([](int) { return true; }); }",
        "interrupt",
    ),
    "a double that is not one": ("struct f : lambda::invoker {}; f g;", "abstract"),
    "a config that is lost": ('void f() { lambda::config().region("us-east-1"); }', "nodiscard"),
    "a request that is lost": ('void f() { lambda::request("f").payload("1"); }', "nodiscard"),
    "a payload that is lost": ('void f() { lambda::request("f").payload({1, 2}); }', "nodiscard"),
    "a client that is lost": ("void f() { lambda::client::try_make(); }", "nodiscard"),
    "a copy that is lost": ("void f(const lambda::result &r) { r.clone(); }", "nodiscard"),
    "a result of try_invoke that is lost": (
        "void f(lambda::client &c, lambda::request &r) { c.try_invoke(r); }",
        "nodiscard",
    ),
    "a future that is lost": (
        "void f(lambda::dispatcher &d, lambda::client &c, lambda::request &r) { d.invoke(c, r); }",
        "nodiscard",
    ),
    "a status of a queue that is lost": (
        "void f(lambda::queue &q, lambda::client &c, lambda::request &r) { q.try_submit(c, r, 1); }",
        "nodiscard",
    ),
    "a result of any invoker that is lost": (
        "void f(lambda::invoker &c, lambda::request &r) { c.invoke(r); }",
        "nodiscard",
    ),
    "a token that is none": ("void f(lambda::client &c, lambda::request &r) { (void)c.invoke(r, 5); }", "invoke"),
    "a result that nobody looks at": ("void f(lambda::client &c, lambda::request &r) { c.invoke(r); }", "nodiscard"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_misuse_does_not_compile(misuse: str, tmp_path: Path) -> None:
    code, message = MISUSES[misuse]
    source = tmp_path / "misuse.cpp"
    source.write_text(f"#include <lambda_invoke.hpp>\n#include <vector>\n{code}\n")
    done = compile_cpp(["-std=c++17", "-fsyntax-only", str(source)])
    assert done.returncode != 0, "it compiled"
    assert message in done.stderr, done.stderr


def test_a_header_that_is_older_is_refused(tmp_path: Path) -> None:
    header = (ROOT / "include" / "lambda_invoke.h").read_text()
    older = tmp_path / "lambda_invoke.h"
    older.write_text(header.replace("#define LAMBDA_VERSION_MAJOR 0", "#define LAMBDA_VERSION_MAJOR 1"))
    shutil.copy(ROOT / "include" / "lambda_invoke.hpp", tmp_path)
    source = tmp_path / "program.cpp"
    source.write_text('#include "lambda_invoke.hpp"\n')
    done = compile_cpp(["-std=c++17", "-fsyntax-only", str(source)])
    assert done.returncode != 0 and "needs the lambda_invoke.h that it came with" in done.stderr
