"""Compiles the C++ programs of this folder and runs them on the local endpoint, and once more under valgrind."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARY = ROOT / "build" / "lib"
LOCAL = ROOT / "local" / "lambda-local"
# Those of the conformance suite serve here as well.
FUNCTIONS = [HERE / "functions", ROOT / "tests" / "conformance" / "functions"]
IN_CI = os.environ.get("CI") == "true"

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Wconversion", "-Werror"]
STANDARDS = ["c++17", "c++20", "c++23"]
WITHOUT_EXCEPTIONS = "-fno-exceptions"

# Leaks on purpose.
LEAKY = "leak"
# From several files.
UNITS = "units"
PROGRAMS = sorted({path.stem for path in HERE.glob("*.cpp")} - {LEAKY})

# The default one, and clang where there is one: it knows warnings and an attribute that g++ does not.
COMPILERS = [shlex.split(os.environ.get("CXX", "c++"))]
if shutil.which("clang++") and "clang" not in COMPILERS[0][0]:
    COMPILERS.append(["clang++"])

VALGRIND = shutil.which("valgrind")
FOUND_BY_VALGRIND = 99
# A handle that is forgotten is lost for certain. What only may be lost is for tests/c to judge: Rust points into the
# middle of some blocks that live as long as the process, which valgrind cannot tell from a leak.
LOST = "definite,indirect"
without_valgrind = pytest.mark.skipif(
    VALGRIND is None and not IN_CI, reason="valgrind is not installed: memory is not checked"
)


def compile_cpp(arguments: Sequence[str], compiler: Sequence[str] = COMPILERS[0]) -> subprocess.CompletedProcess[str]:
    command = [*compiler, *STRICT, f"-I{ROOT / 'include'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def compiled(arguments: Sequence[str], compiler: Sequence[str] = COMPILERS[0]) -> None:
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


@pytest.mark.timeout(120)
@pytest.mark.parametrize("standard", ["c++17", "c++20"])
@pytest.mark.parametrize("name", [*PROGRAMS, UNITS])
def test_program(name: str, standard: str, programs: Programs) -> None:
    is_well(run_local([str(programs.get(name, standard))], FUNCTIONS))


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
    "options", [[], [WITHOUT_EXCEPTIONS], ["-fno-rtti"], ["-O2", "-Wsign-conversion", "-Wold-style-cast"]]
)
@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("compiler", COMPILERS, ids=lambda command: command[0])
def test_the_header_compiles_alone(
    compiler: Sequence[str], standard: str, options: Sequence[str], tmp_path: Path
) -> None:
    source = tmp_path / "alone.cpp"
    source.write_text("#include <lambda_invoke.hpp>\nint main() {}\n")
    compiled([f"-std={standard}", *options, "-fsyntax-only", str(source)], compiler)


# What must not compile, with a part of what the compiler says.
MISUSES = {
    "a payload that is a null pointer": ("void f(lambda::request &r) { r.payload(nullptr); }", "deleted function"),
    "a copy of a client": ("void f(lambda::client &c) { lambda::client copy(c); }", "deleted function"),
    "a copy of a result": ("void f(lambda::result &r) { lambda::result copy(r); }", "deleted function"),
    "a number for a duration": ("void f(lambda::request &r) { r.timeout(5); }", "timeout"),
    "a number for a switch": ("void f(lambda::config &c) { c.use_fips(-1); }", "deleted function"),
    "half a millisecond": ("void f(lambda::request &r) { r.timeout(std::chrono::microseconds(500)); }", "timeout"),
    "a token that is none": ("void f(lambda::client &c, lambda::request &r) { (void)c.invoke(r, 5); }", "invoke"),
    "a result that nobody looks at": ("void f(lambda::client &c, lambda::request &r) { c.invoke(r); }", "nodiscard"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_misuse_does_not_compile(misuse: str, tmp_path: Path) -> None:
    code, message = MISUSES[misuse]
    source = tmp_path / "misuse.cpp"
    source.write_text(f"#include <lambda_invoke.hpp>\nvoid f();\n{code}\n")
    done = compile_cpp(["-std=c++17", "-Wno-missing-declarations", "-fsyntax-only", str(source)])
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
