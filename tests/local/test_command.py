from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import HELLO, PATIENCE, PROGRAM, Starter, eventually, is_gone, program, write_functions


def run(
    *arguments: str, environment: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(*arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **(environment or {})},
        input=stdin,
    )


@pytest.fixture
def hello_file(tmp_path: Path) -> str:
    return write_functions(tmp_path / "functions", {"hello": HELLO})[0]


def test_ready_line(hello_file: str) -> None:
    process = subprocess.Popen([str(PROGRAM), hello_file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    match = re.fullmatch(
        r"lambda-local ready endpoint=http://127\.0\.0\.1:(\d+) region=us-east-1 access_key_id=local "
        r"secret_access_key=local-secret\n",
        line,
    )
    assert match, line
    socket.create_connection(("127.0.0.1", int(match[1]))).close()
    process.terminate()
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0


def test_port_and_host(start: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # Connections in progress: the port stays taken.
        result = run("--port", str(port), str(PROGRAM.parent / "lambda_local" / "notes.py"))
    assert (result.returncode, result.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1 port {port}: " in result.stderr
    endpoint = start("--port", str(port), "--host", "localhost")
    assert endpoint.url == f"http://localhost:{port}"
    assert endpoint.result("hello") == {"hello": "world"}


def test_folder(tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    write_functions(functions, {"one": HELLO, "two": HELLO, "_helper": "raise SystemExit"})
    (functions / "notes.txt").write_text("no function")
    code = (
        "import botocore.session, os\n"
        "client = botocore.session.get_session().create_client('lambda', region_name=os.environ['AWS_REGION'])\n"
        "for name in ('one', 'two', '_helper'):\n"
        "    try: print(client.invoke(FunctionName=name)['StatusCode'])\n"
        "    except client.exceptions.ResourceNotFoundException: print('none')\n"
    )
    result = run(str(functions), "--", sys.executable, "-c", code)
    assert (result.stdout, result.stderr, result.returncode) == ("200\n200\nnone\n", "", 0)


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 17", 17), ("kill -9 $$", 137)])
def test_exit_status(hello_file: str, script: str, status: int) -> None:
    result = run(hello_file, "--", "sh", "-c", script)
    assert (result.returncode, result.stdout, result.stderr) == (status, "", "")


def test_standard_streams_are_the_commands(hello_file: str) -> None:
    result = run(hello_file, "--", "sh", "-c", "cat; echo err >&2", stdin="in\n")
    assert (result.stdout, result.stderr) == ("in\n", "err\n")


def test_arguments_are_handed_on(hello_file: str) -> None:
    assert run(hello_file, "--", "echo", "--port", "--", "a b").stdout == "--port -- a b\n"


def test_workers_end_with_the_command(tmp_path: Path) -> None:
    paths = write_functions(
        tmp_path / "functions", {"pid": "import os\ndef handler(event, context): return os.getpid()"}
    )
    code = (
        "import botocore.session, os\n"
        "client = botocore.session.get_session().create_client('lambda', region_name=os.environ['AWS_REGION'])\n"
        "print(client.invoke(FunctionName='pid')['Payload'].read().decode())\n"
    )
    result = run(*paths, "--", sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr
    assert is_gone(int(result.stdout))


def test_termination_reaches_the_command(hello_file: str) -> None:
    process = subprocess.Popen(
        program(hello_file, "--", "sh", "-c", "echo $$; exec sleep 1000"), stdout=subprocess.PIPE, text=True
    )
    pid = int(process.stdout.readline())
    process.terminate()
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    eventually(lambda: is_gone(pid), "the end of the command")
    process.communicate()


def test_command_that_does_not_exist(hello_file: str, tmp_path: Path) -> None:
    result = run(hello_file, "--", "no-such-command")
    assert (result.returncode, result.stderr) == (127, "lambda-local: no-such-command: command not found\n")
    folder = run(hello_file, "--", str(tmp_path))
    assert folder.returncode == 126
    assert str(tmp_path) in folder.stderr
    assert run(hello_file, "--").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--region", "Nowhere!", "FILE"], "'Nowhere!' is not a valid region"),
        (["--account", "12", "FILE"], "'12' is not a valid account"),
        (["--port", "70000", "FILE"], "70000 is not a valid port"),
        (["--access-key-id", "a b", "FILE"], "--access-key-id: must be"),
        (["--request-timeout", "0", "FILE"], "'0' is not a valid number of seconds"),
        (["--request-timeout", "nan", "FILE"], "'nan' is not a valid number of seconds"),
        (["--request-timeout", "soon", "FILE"], "'soon' is not a valid number of seconds"),
        ([], "PATH"),
        (["no-such-file.py"], "no-such-file.py: no such file or folder"),
        (["/dev/null"], "/dev/null: a function is a Python file"),
        (["FILE", "FILE"], "is a function named hello already"),
        (["EMPTY"], "this folder holds no function"),
    ],
)
def test_arguments_that_make_no_sense(hello_file: str, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "empty").mkdir()
    names = {"FILE": hello_file, "EMPTY": str(tmp_path / "empty")}
    result = run(*(names.get(argument, argument) for argument in arguments))
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


def test_secrets_are_not_repeated(hello_file: str) -> None:
    result = run("--secret-access-key", "very secret", hello_file)
    assert result.returncode == 2
    assert "very" not in result.stderr


def test_log_that_cannot_be_written(hello_file: str) -> None:
    result = run("--log-requests", "/dev/null/folder/log", hello_file)
    assert result.returncode == 1
    assert "--log-requests: cannot write /dev/null/folder/log" in result.stderr


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nCONCURRENCY = -1", "hello.py:2: CONCURRENCY must be a number"),
        ("CONCURRENCY = True", "CONCURRENCY must be"),
        ("TIMEOUT: int = 0", "TIMEOUT must be a number of seconds"),
        ("TIMEOUT = 2 * 3", "written as a literal"),
        ("VERSIONS = [1]", "VERSIONS must be a list"),
        ("ALIASES = {'live': '2'}", "'live' stands for version '2', which VERSIONS does not name"),
        ("RAW = 'yes'", "RAW must be True or False"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, source: str, message: str) -> None:
    (path,) = write_functions(tmp_path / "functions", {"hello": source})
    result = run(path)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


def test_file_whose_name_is_no_functions_name(tmp_path: Path) -> None:
    (path,) = write_functions(tmp_path / "functions", {"a b": HELLO})
    result = run(path)
    assert result.returncode == 2
    assert "rename the file" in result.stderr
