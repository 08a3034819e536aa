"""What README.md and the header show is compiled, and what is a program is run, against the local endpoint."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "build/lib"
CC = shlex.split(os.environ.get("CC", "cc"))
CXX = shlex.split(os.environ.get("CXX", "c++"))
GO_MODULE = "github.com/lambda-invoke/liblambda_invoke/bindings/go"
STRICT = ["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{ROOT / 'include'}"]
FRAGMENT = """
#include "lambda_invoke.h"
void fragment(lambda_request *request);
void fragment(lambda_request *request) {{
{code}
}}
"""


def snippets(file: str, language: str) -> list[str]:
    """The fenced blocks of a language, in a Markdown file or in the comments of a header."""
    text = re.sub(r"^ \* ?", "", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def compile_c(source: Path, *arguments: str) -> None:
    """Compiles as strictly as a careful user would."""
    done = subprocess.run([*CC, *STRICT, str(source), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


C_SNIPPETS = [*snippets("README.md", "c"), *snippets("include/lambda_invoke.h", "c")]
PROGRAMS = [code for code in C_SNIPPETS if "int main" in code]
FRAGMENTS = [code for code in C_SNIPPETS if "int main" not in code]


def run_local(*command: str, **environment: str) -> str:
    """What a command prints that invokes functions of the local endpoint and succeeds, silent on stderr."""
    done = subprocess.run(
        [str(ROOT / "local/lambda-local"), str(ROOT / "examples/functions"), "--", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def greets(*command: str, **environment: str) -> None:
    """The command prints the greeting of the function that it invokes."""
    assert "Hello, Ada!" in run_local(*command, **environment)


def only(language: str) -> str:
    """The one program that README.md shows in a language."""
    (code,) = snippets("README.md", language)
    return code


def test_there_are_snippets() -> None:
    assert PROGRAMS and FRAGMENTS and snippets("include/lambda_invoke.h", "c")


def test_the_cpp_program_runs(tmp_path: Path) -> None:
    source, program = tmp_path / "program.cpp", tmp_path / "program"
    source.write_text(only("cpp"), encoding="utf-8")
    flags = ["-std=c++17", "-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{ROOT / 'include'}"]
    link = [f"-L{LIBRARY}", "-llambda_invoke", f"-Wl,-rpath,{LIBRARY}", "-o", str(program)]
    done = subprocess.run([*CXX, *flags, str(source), *link], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    greets(str(program), LD_LIBRARY_PATH=str(LIBRARY))


def test_the_python_program_runs(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(only("python"), encoding="utf-8")
    greets(sys.executable, str(program), PYTHONPATH=str(ROOT / "bindings/python"))


def test_the_go_program_runs(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(only("go"), encoding="utf-8")
    (tmp_path / "go.mod").write_text(
        f"module program\n\ngo 1.21\n\nrequire {GO_MODULE} v0.0.0\n\nreplace {GO_MODULE} => {ROOT / 'bindings/go'}\n",
        encoding="utf-8",
    )
    (tmp_path / "lambda_invoke.pc").write_text(
        f"Name: lambda_invoke\nDescription: for this test\nVersion: 0.1.0\nCflags: -I{ROOT / 'include'}\n"
        f"Libs: -L{LIBRARY} -llambda_invoke\n",
        encoding="utf-8",
    )
    program = tmp_path / "program"
    done = subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=tmp_path,
        env={**os.environ, "PKG_CONFIG_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    greets(str(program), LD_LIBRARY_PATH=str(LIBRARY))


@pytest.mark.parametrize("code", PROGRAMS)
def test_programs_run(code: str, tmp_path: Path) -> None:
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(code, encoding="utf-8")
    compile_c(source, f"-L{LIBRARY}", "-llambda_invoke", f"-Wl,-rpath,{LIBRARY}", "-o", str(program))
    # The header's shows nothing.
    assert ("Hello, Ada!" in run_local(str(program))) == ("printf" in code)


@pytest.mark.parametrize("code", FRAGMENTS)
def test_fragments_compile(code: str, tmp_path: Path) -> None:
    source = tmp_path / "fragment.c"
    source.write_text(FRAGMENT.format(code=code), encoding="utf-8")
    compile_c(source, "-c", "-o", str(tmp_path / "fragment.o"))


def test_the_demo_shows_a_run_a_failure_and_a_missing_function() -> None:
    done = subprocess.run(
        [str(ROOT / "examples/run-demo"), str(ROOT / "build/demo")],
        env={key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "FUNCTION", "PAYLOAD"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for shown in (
        '{"greeting": "Hello, Ada!"}',
        "greeting Ada",
        "LAMBDA_FUNCTION_ERROR, the function ran",
        "ValueError: no order 7 in the database",
        "LAMBDA_E_SERVICE, the function did not run (HTTP 404",
        "ResourceNotFoundException: Function not found",
    ):
        assert shown in done.stdout


def test_the_demo_invokes_the_function_that_the_settings_name() -> None:
    command = [str(ROOT / "examples/run-demo"), str(ROOT / "build/demo")]
    printed = run_local(*command, FUNCTION="hello", PAYLOAD='{"name": "Grace"}')
    assert '{"greeting": "Hello, Grace!"}' in printed and "failing" not in printed
