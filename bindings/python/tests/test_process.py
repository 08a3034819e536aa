"""Programs of their own, with the wheel, on every version of Python that the machine has."""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import time

import pytest
from conftest import Installed, version_of

ROUNDS = 20
PROMISED = 0.2
# For the slowest of all, on a machine that is busy with other tests.
LIMIT = 0.5


def test_everything(installed: Installed) -> None:
    assert installed.run("everything.py") == "done\n"


@pytest.mark.parametrize("program", ["ctrl_c.py", "ctrl_c_async.py asyncio", "ctrl_c_async.py map"])
def test_ctrl_c(installed: Installed, program: str) -> None:
    process = installed.start(*program.split(), str(ROUNDS))
    assert process.stdout is not None
    took = []
    for _ in range(ROUNDS):
        assert process.stdout.readline() == "calling\n"
        time.sleep(random.uniform(0.1, 0.3))
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        kind, end = process.stdout.readline().split()
        assert kind == "KeyboardInterrupt"
        took.append(float(end) - begin)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0
    worst, median = max(took) * 1000, statistics.median(took) * 1000
    print(f"Python {version_of(str(installed.python))}: Ctrl-C took {median:.0f} ms, at most {worst:.0f} ms")
    assert median < PROMISED * 1000
    assert max(took) < LIMIT


def test_ctrl_c_that_nobody_catches_ends_the_program(installed: Installed) -> None:
    process = installed.start("ctrl_c.py", "0")
    assert process.stdout is not None
    assert process.stdout.readline() == "calling\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert errors.endswith("KeyboardInterrupt\n")
    assert "ignored" not in errors


def test_ctrl_c_in_a_loop_of_short_calls_is_never_lost(installed: Installed) -> None:
    assert installed.run("short_calls.py", "300") == "300 of 300\n"


def test_ctrl_c_in_callbacks_is_never_lost(installed: Installed) -> None:
    assert installed.run("short_calls.py", "2000", "callbacks") == "2000 of 2000\n"


@pytest.mark.parametrize("how", ["client", "call", "call_with_stop", "callbacks", "atexit", "thread"])
def test_the_end_of_the_interpreter(installed: Installed, how: str) -> None:
    begin = time.monotonic()
    assert installed.run("ending.py", how) == "last line\n"
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("callbacks", [[], ["callbacks"]])
@pytest.mark.parametrize("how", ["run", "loop_in_a_thread", "map", "map_in_a_thread"])
def test_the_end_of_the_interpreter_with_a_queue(installed: Installed, how: str, callbacks: list[str]) -> None:
    begin = time.monotonic()
    assert installed.run("ending_async.py", how, *callbacks) == "last line\n"
    assert time.monotonic() - begin < 5


def test_fork_of_a_server_that_loads_its_application_first(installed: Installed) -> None:
    assert installed.run("forking_async.py") == "done\n"


@pytest.mark.parametrize("how", ["fork", "multiprocessing", "fork callbacks", "multiprocessing callbacks"])
def test_fork(installed: Installed, how: str) -> None:
    assert installed.run("forking.py", *how.split()) == "done\n"


def test_the_end_of_the_stack(installed: Installed) -> None:
    assert installed.run("recursion.py") == "done\n"


def test_subinterpreters(installed: Installed) -> None:
    assert installed.run("subinterpreters.py") == "done\n"


def test_nothing_of_the_repository_is_used(installed: Installed) -> None:
    program = "import lambda_invoke, lambda_invoke._abi as abi; print(lambda_invoke.__file__, abi.library._name)"
    output = subprocess.run(
        [str(installed.python), "-c", program], env=installed.environment, cwd=os.sep, capture_output=True, text=True
    ).stdout
    folder = str(installed.python.parents[1])
    assert [path.startswith(folder) for path in output.split()] == [True, True]
