"""What the documents and the header show is compiled; programs are run, against the local endpoint.

A block that includes or imports what it needs is a file of its own, and a program if it has a main function. Any other
block is a fragment: it is compiled inside a function that has the objects of which the text speaks.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, book, languages, snippets

LIBRARY = ROOT / "build/lib"
CC = shlex.split(os.environ.get("CC", "cc"))
CXX = shlex.split(os.environ.get("CXX", "c++"))
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{ROOT / 'include'}"]
C_FLAGS = ["-std=c11", *STRICT]
CPP_FLAGS = ["-std=c++17", *STRICT]
LINK = [f"-L{LIBRARY}", "-llambda_invoke", f"-Wl,-rpath,{LIBRARY}"]
GO_MODULE = "github.com/lambda-invoke/liblambda_invoke/bindings/go"

# In the book, the pages of Python and Go are the README files of the bindings; one page has the header's declarations.
DOCUMENTS = (
    *("README.md", "bindings/python/README.md", "bindings/go/README.md"),
    *(name for name in book() if name != "docs/src/reference/functions.md"),
)
# Compiled below, or by `cargo test` (src/lib.rs), or by tests/install, which builds with CMake.
KNOWN = {"c", "cpp", "python", "go", "rust", "sh", "toml", "cmake"}

C_FRAGMENT = """
#include <stdio.h>
#include <string.h>

#include "lambda_invoke.h"

void fragment(lambda_config *config, lambda_client *client, lambda_request *request, lambda_queue *queue);
void fragment(lambda_config *config, lambda_client *client, lambda_request *request, lambda_queue *queue) {{
    (void)config, (void)client, (void)request, (void)queue;
    {{
{code}
    }}
}}
"""
CPP_FRAGMENT = """
#include <iostream>
#include <vector>

#include "lambda_invoke.hpp"

void fragment([[maybe_unused]] const lambda::client &client, [[maybe_unused]] lambda::request &request);
void fragment([[maybe_unused]] const lambda::client &client, [[maybe_unused]] lambda::request &request) {{
    {{
{code}
    }}
}}
"""
PYTHON_NAMES = {
    "lambda_invoke": "import lambda_invoke",
    "logging": "import logging",
    "threading": "import threading",
    "session": "from typing import Any\n\nsession: Any = None",
    "client": "from lambda_invoke import Client as _Client\n\nclient = _Client()",
}
GO_FRAGMENT = """
package fragments

import (
	"context"
	"errors"
	"log/slog"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

type sdkCredentials{number} struct {{
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}}

type sdkProvider{number} interface {{
	Retrieve(context.Context) (sdkCredentials{number}, error)
}}

var _ = errors.Is
var _ = slog.Default

func fragment{number}(client *lambdainvoke.Client, err error, sdk struct{{ Credentials sdkProvider{number} }}) {{
	{{
{code}
		_, _ = client, err
	}}
}}
"""


def shown(language: str, *more: str) -> list[str]:
    return [code for file in (*DOCUMENTS, *more) for code in snippets(file, language)]


C = shown("c", "include/lambda_invoke.h")
CPP = shown("cpp")
PYTHON = shown("python")
GO = shown("go")
SH = shown("sh")


def are_files(blocks: list[str]) -> list[str]:
    return [code for code in blocks if "#include" in code]


def build(compiler: list[str], source: Path, code: str, *arguments: str) -> None:
    """Compiles as strictly as a careful user would."""
    source.write_text(code, encoding="utf-8")
    done = subprocess.run([*compiler, str(source), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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


def compile_or_run(compiler: list[str], source: Path, code: str) -> None:
    """Runs a program, which prints the greeting if it prints at all; compiles anything else."""
    if "int main" not in code:
        build(compiler, source, code, "-c", "-o", str(source.with_suffix(".o")))
        return
    program = source.with_suffix("")
    build(compiler, source, code, *LINK, "-o", str(program))
    # The header's program shows nothing.
    assert ("Hello, Ada!" in run_local(str(program))) == ("printf" in code or "cout" in code)


def test_every_language_is_shown_and_checked() -> None:
    assert {language for file in DOCUMENTS for language in languages(file)} == KNOWN
    for blocks in (C, CPP):
        assert [code for code in blocks if "int main" in code] and [code for code in blocks if "#include" not in code]
    assert snippets("include/lambda_invoke.h", "c")


@pytest.mark.parametrize("code", are_files(C))
def test_c_files(code: str, tmp_path: Path) -> None:
    compile_or_run([*CC, *C_FLAGS], tmp_path / "program.c", code)


@pytest.mark.parametrize("code", [code for code in C if "#include" not in code])
def test_c_fragments(code: str, tmp_path: Path) -> None:
    source = tmp_path / "fragment.c"
    build([*CC, *C_FLAGS], source, C_FRAGMENT.format(code=code), "-c", "-o", str(tmp_path / "fragment.o"))


@pytest.mark.parametrize("code", are_files(CPP))
def test_cpp_files(code: str, tmp_path: Path) -> None:
    compile_or_run([*CXX, *CPP_FLAGS], tmp_path / "program.cpp", code)


@pytest.mark.parametrize("code", [code for code in CPP if "#include" not in code])
def test_cpp_fragments(code: str, tmp_path: Path) -> None:
    source = tmp_path / "fragment.cpp"
    build([*CXX, *CPP_FLAGS], source, CPP_FRAGMENT.format(code=code), "-c", "-o", str(tmp_path / "fragment.o"))


def with_names(code: str) -> str:
    """A Python block with what the text around it has defined."""
    given = [
        definition
        for name, definition in PYTHON_NAMES.items()
        if re.search(rf"\b{name}\b", code)
        and not re.search(rf"^{name} = |\bimport {name}\b|\bas {name}\b", code, re.MULTILINE)
    ]
    return "\n".join([*given, "", code])


def test_python_blocks_fit_the_package(tmp_path: Path) -> None:
    for number, code in enumerate(PYTHON):
        (tmp_path / f"block_{number}.py").write_text(with_names(code), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--check-untyped-defs", f"--cache-dir={tmp_path / 'cache'}", str(tmp_path)],
        env={**os.environ, "MYPYPATH": str(ROOT / "bindings/python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("code", [code for code in PYTHON if "print(" in code and "Client() as client" in code])
def test_python_programs(code: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(code, encoding="utf-8")
    greets(sys.executable, str(program), PYTHONPATH=str(ROOT / "bindings/python"))


def go_build(folder: Path, *arguments: str) -> None:
    (folder / "go.mod").write_text(
        f"module program\n\ngo 1.21\n\nrequire {GO_MODULE} v0.0.0\n\nreplace {GO_MODULE} => {ROOT / 'bindings/go'}\n",
        encoding="utf-8",
    )
    (folder / "lambda_invoke.pc").write_text(
        f"Name: lambda_invoke\nDescription: for this test\nVersion: 0.1.0\nCflags: -I{ROOT / 'include'}\n"
        f"Libs: -L{LIBRARY} -llambda_invoke\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["go", "build", *arguments, "."],
        cwd=folder,
        env={**os.environ, "PKG_CONFIG_PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", [code for code in GO if "package main" in code])
def test_go_programs(code: str, tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(code, encoding="utf-8")
    go_build(tmp_path, "-o", "program")
    greets(str(tmp_path / "program"), LD_LIBRARY_PATH=str(LIBRARY))


def test_go_fragments(tmp_path: Path) -> None:
    for number, code in enumerate(code for code in GO if "package main" not in code):
        (tmp_path / f"fragment_{number}.go").write_text(GO_FRAGMENT.format(number=number, code=code), encoding="utf-8")
    go_build(tmp_path)


def test_rust_blocks_are_compiled_by_cargo_test() -> None:
    library = (ROOT / "src/lib.rs").read_text(encoding="utf-8")
    compiled = set(re.findall(r'#\[doc = include_str!\("\.\./(.*?)"\)\]', library))
    assert {file for file in DOCUMENTS if "rust" in languages(file)} == compiled


@pytest.mark.parametrize("code", SH)
def test_commands_are_valid(code: str) -> None:
    done = subprocess.run(["sh", "-n"], input=code, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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
        "ResourceNotFoundException: missing: Function not found",
    ):
        assert shown in done.stdout


def test_the_demo_invokes_the_function_that_the_settings_name() -> None:
    command = [str(ROOT / "examples/run-demo"), str(ROOT / "build/demo")]
    printed = run_local(*command, FUNCTION="hello", PAYLOAD='{"name": "Grace"}')
    assert '{"greeting": "Hello, Grace!"}' in printed and "failing" not in printed
