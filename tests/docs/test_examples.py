"""The C and C++ programs of examples run, each where what it needs is installed, as in CI.

Tests of the Python package run those in Python, test_demo.py runs the demo.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LIBRARY = ROOT / "build" / "lib"
CC = [*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-D_DEFAULT_SOURCE"]
CXX = [*shlex.split(os.environ.get("CXX", "c++")), "-std=c++17", "-pthread"]
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{ROOT / 'include'}"]
LINK = [f"-L{LIBRARY}", "-llambda_invoke", f"-Wl,-rpath,{LIBRARY}"]
IN_CI = os.environ.get("CI") == "true"
LONGEST_PAGE = 90


def has_header(name: str) -> bool:
    source = f"#include <{name}>\n"
    command = [*CC, "-x", "c", "-fsyntax-only", "-"]
    return subprocess.run(command, input=source, text=True, capture_output=True, check=False).returncode == 0


def needs(header: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not IN_CI and not has_header(header), reason=f"{package} is not installed: its example was not built"
    )


def build(name: str, output: Path, *options: str) -> Path:
    source = EXAMPLES / name
    compiler = CXX if source.suffix == ".cpp" else CC
    command = [*compiler, *STRICT, str(source), *LINK, *options, "-o", str(output)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


def endpoint(functions: Path) -> list[str]:
    """The beginning of a command that runs on the local endpoint."""
    return [sys.executable, str(ROOT / "local" / "lambda-local"), str(functions), "--"]


def settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def run(*command: str, functions: Path = EXAMPLES / "functions") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*endpoint(functions), *command], env=settings(), text=True, capture_output=True, check=False, timeout=100
    )


def printed(*command: str) -> str:
    done = run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


GREETINGS = {name: f'{{"greeting": "Hello, {name}!"}}' for name in ("Ada", "Grace", "Margaret")}


@pytest.mark.timeout(120)
def test_epoll(tmp_path: Path) -> None:
    program = build("epoll.c", tmp_path / "epoll")
    assert printed(str(program)) == "2000 succeeded, 0 failed\n"


def test_epoll_counts_what_fails(tmp_path: Path) -> None:
    program = build("epoll.c", tmp_path / "epoll")
    done = run(str(program), "3", functions=ROOT / "tests" / "conformance" / "functions")
    assert (done.returncode, done.stdout) == (1, "0 succeeded, 3 failed\n")
    assert done.stderr.count("hello: ") == 3


@needs("uv.h", "libuv1-dev")
def test_libuv(tmp_path: Path) -> None:
    program = build("libuv.c", tmp_path / "libuv", "-luv")
    lines = printed(str(program)).splitlines()
    assert sorted(lines) == [f"{name}: {greeting}" for name, greeting in GREETINGS.items()]


@pytest.fixture
def sqlite(tmp_path: Path) -> list[str]:
    """The command that runs SQL with the extension."""
    if shutil.which("sqlite3") is None and not IN_CI:
        pytest.skip("sqlite3 is not installed: the extension is not loaded")
    extension = build("sqlite.c", tmp_path / "lambda.so", "-shared", "-fPIC")
    return ["sqlite3", "-cmd", f".load {extension.with_suffix('')}", ":memory:"]


@needs("sqlite3ext.h", "libsqlite3-dev")
def test_sqlite(sqlite: list[str]) -> None:
    assert printed(*sqlite, "SELECT lambda('hello', '{\"name\": \"Ada\"}')") == GREETINGS["Ada"] + "\n"
    assert (
        printed(
            *sqlite,
            "SELECT lambda('hello', json_object('name', value)) ->> 'greeting' FROM json_each('[\"Ada\", \"Grace\"]')",
        )
        == "Hello, Ada!\nHello, Grace!\n"
    )
    done = run(*sqlite, "SELECT lambda('failing', '{\"order\": 7}')")
    assert done.returncode != 0 and "no order 7 in the database" in done.stderr
    for none in ("lambda('hello')", "lambda('hello', NULL)"):
        assert printed(*sqlite, f"SELECT {none}") == '{"greeting": "Hello, world!"}\n'
    assert "function_name" in run(*sqlite, "SELECT lambda(NULL)").stderr


def test_futures(tmp_path: Path) -> None:
    program = build("futures.cpp", tmp_path / "futures")
    assert printed(str(program)).splitlines() == [*GREETINGS.values(), "missing: service, did it run? none"]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build("stream.c", tmp_path_factory.mktemp("stream") / "stream"))


def test_stream(stream: str) -> None:
    assert printed(stream, "counting", "3") == "0\n1\n2\n"


def test_stream_prints_what_has_arrived(stream: str) -> None:
    # The function would take ten minutes.
    command = [*endpoint(EXAMPLES / "functions"), stream, "counting", "6000"]
    with subprocess.Popen(command, env=settings(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        process.terminate()


@pytest.mark.parametrize(
    ("function", "named"),
    [("failing", "LAMBDA_FUNCTION_ERROR: no order 42"), ("missing", "LAMBDA_E_SERVICE: "), ("", "function_name")],
)
def test_stream_tells_a_failure_on_stderr(stream: str, function: str, named: str) -> None:
    done = run(stream, function, "{}")
    assert (done.returncode, done.stdout) == (1, "")
    assert named in done.stderr


def test_stream_without_a_client(stream: str) -> None:
    done = run("env", "AWS_REGION=not a region", stream)
    assert (done.returncode, done.stdout) == (1, "")
    assert "AWS_REGION" in done.stderr


def test_each_is_a_page_and_has_a_test() -> None:
    built = re.findall(r'build\("(.*?)"', Path(__file__).read_text(encoding="utf-8"))
    # The demo is longer, and test_demo.py runs it.
    sources = {path.name: path for path in EXAMPLES.glob("*.c*") if path.name != "demo.c"}
    assert set(built) == set(sources)
    for path in sources.values():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_PAGE, path
