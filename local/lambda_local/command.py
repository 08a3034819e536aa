"""The command line: what to serve, and for how long."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from .function import load_registry
from .notes import note
from .requestlog import RequestLog
from .server import Endpoint, Server
from .settings import SettingsError
from .signature import Credentials

USAGE_ERROR = 2
COMMAND_NOT_RUNNABLE = 126
COMMAND_NOT_FOUND = 127


def main() -> NoReturn:
    arguments, command = split_command(sys.argv[1:])
    options = parse_arguments(arguments)
    # Code of respond() files runs in this process and may print: stdout is for the ready line alone.
    stdout = os.dup(1)
    os.dup2(2, 1)
    server = open_server(options)
    server.start()
    status = serve(server, stdout) if command is None else run_command(command, server, stdout)
    server.close()
    sys.stderr.flush()
    # At once: threads that still serve connections must not see the interpreter fall apart around them.
    os._exit(status)


def split_command(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    if "--" not in arguments:
        return list(arguments), None
    at = arguments.index("--")
    return list(arguments[:at]), list(arguments[at + 1 :])


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lambda-local",
        usage="lambda-local [OPTIONS] PATH... [-- COMMAND ARGS...]",
        description="Plays the Invoke API of AWS Lambda on this machine. Each PATH is a Python file that defines "
        "handler(event, context) or respond(request, connection), or a folder of them. With COMMAND, runs it with the "
        "environment of an AWS client of this endpoint, and ends with its exit status.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any that is free)")
    parser.add_argument("--region", type=region, default="us-east-1", help="default: %(default)s")
    parser.add_argument("--access-key-id", type=word, default="local", metavar="ID", help="default: %(default)s")
    parser.add_argument("--secret-access-key", type=word, default="local-secret", metavar="SECRET")
    parser.add_argument("--session-token", type=word, metavar="TOKEN", help="default: requests have none")
    parser.add_argument("--account", type=account, default="123456789012", help="default: %(default)s")
    parser.add_argument("--log-requests", type=Path, metavar="FILE", help="append one JSON line a request to FILE")
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"argument --port: {options.port} is no port: give one of 0 to 65535")
    return options


def region(value: str) -> str:
    if not re.fullmatch("(?!-)[a-z0-9-]{1,63}(?<!-)", value):
        raise argparse.ArgumentTypeError(f"{value!r} is no region: give one such as us-east-1")
    return value


def account(value: str) -> str:
    if not re.fullmatch("[0-9]{12}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is no account: give its 12 digits")
    return value


def word(value: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        # The value may be a secret: it is not repeated.
        raise argparse.ArgumentTypeError("must be one or more ASCII characters without spaces")
    return value


def open_server(options: argparse.Namespace) -> Server:
    credentials = Credentials(options.access_key_id, options.secret_access_key, options.session_token)
    endpoint = Endpoint(options.region, options.account, credentials)
    try:
        registry = load_registry(options.paths, worker_environment(options.region))
    except SettingsError as problem:
        fail(str(problem), USAGE_ERROR)
    except OSError as problem:
        fail(f"cannot read the functions: {problem}", 1)
    try:
        request_log = RequestLog(options.log_requests)
    except OSError as problem:
        fail(f"--log-requests: cannot write {options.log_requests}: {problem.strerror}", 1)
    try:
        return Server(options.host, options.port, endpoint, registry, request_log)
    except OSError as problem:
        fail(f"cannot listen on {options.host} port {options.port}: {problem.strerror or problem}", 1)


def fail(message: str, status: int) -> NoReturn:
    note(message)
    sys.exit(status)


def worker_environment(region_name: str) -> dict[str, str]:
    """No AWS variable of the caller: a function that is tried out here must not reach a real account by accident."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**environment, "AWS_REGION": region_name, "AWS_DEFAULT_REGION": region_name}


def serve(server: Server, stdout: int) -> int:
    signals = catch_signals()
    credentials = server.endpoint.credentials
    line = (
        f"lambda-local ready endpoint={server.url} region={server.endpoint.region} "
        f"access_key_id={credentials.access_key_id} secret_access_key={credentials.secret_access_key}"
    )
    if credentials.session_token is not None:
        line += f" session_token={credentials.session_token}"
    # One write: whoever waits for the line must not see half of it. Whoever does not wait may have closed the pipe.
    with contextlib.suppress(BrokenPipeError):
        os.write(stdout, line.encode() + b"\n")
    os.read(signals, 1)
    return 0


def catch_signals() -> int:
    """A descriptor from which the numbers of the signals to end come, a byte each.

    The interpreter runs a handler only between two of its own steps, so a signal that comes just before this process
    begins to wait would be seen after the wait; and there is nothing else to end it.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return reader


def run_command(command: list[str], server: Server, stdout: int) -> int:
    if not command:
        note("there is no COMMAND after '--': give one, or leave '--' out to serve until interrupted")
        return USAGE_ERROR
    signals = catch_signals()
    try:
        process = subprocess.Popen(command, stdout=stdout, env=client_environment(server, os.environ))
    except FileNotFoundError:
        note(f"{command[0]}: command not found")
        return COMMAND_NOT_FOUND
    except OSError as problem:
        note(f"{command[0]}: cannot run it: {problem.strerror}")
        return COMMAND_NOT_RUNNABLE
    threading.Thread(target=hand_on_signals, args=(signals, process), daemon=True).start()
    status = process.wait()
    return status if status >= 0 else 128 - status


def hand_on_signals(signals: int, process: subprocess.Popen[bytes]) -> None:
    while True:
        number = os.read(signals, 1)[0]
        # The terminal interrupts the command as well; what becomes of it is the command's decision.
        if number != signal.SIGINT:
            process.send_signal(number)


def client_environment(server: Server, environment: Mapping[str, str]) -> dict[str, str]:
    credentials = server.endpoint.credentials
    unwanted = (
        "AWS_ENDPOINT_URL",
        # It would send the command to the real Lambda.
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
    )
    result = {name: value for name, value in environment.items() if name not in unwanted}
    result.update(
        AWS_ENDPOINT_URL_LAMBDA=server.url,
        AWS_REGION=server.endpoint.region,
        # The only one that boto3 and the AWS command line look at.
        AWS_DEFAULT_REGION=server.endpoint.region,
        AWS_ACCESS_KEY_ID=credentials.access_key_id,
        AWS_SECRET_ACCESS_KEY=credentials.secret_access_key,
    )
    if credentials.session_token is not None:
        result["AWS_SESSION_TOKEN"] = credentials.session_token
    return result
