"""The command line: which functions to serve, and for how long."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .environment import client_environment, worker_environment
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
    # The code of respond() files runs in this process and may print, but stdout is for the ready line alone.
    stdout = os.dup(1)
    os.dup2(2, 1)
    server = open_server(options)
    server.start()
    status = serve(server, stdout) if command is None else run_command(command, server, stdout)
    server.close()
    sys.stderr.flush()
    # Exits at once, since threads that still serve connections must not run while the interpreter is finalised.
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
        "handler(event, context) or respond(request, connection), or a folder of them. With COMMAND, runs it in an "
        "environment in which AWS clients reach this endpoint and nothing else, and ends with its exit status.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any that is free)")
    parser.add_argument("--region", type=region, default="us-east-1", help="default: %(default)s")
    parser.add_argument("--access-key-id", type=word, default="local", metavar="ID", help="default: %(default)s")
    parser.add_argument("--secret-access-key", type=word, default="local-secret", metavar="SECRET")
    parser.add_argument("--session-token", type=word, metavar="TOKEN", help="default: requests have none")
    parser.add_argument("--account", type=account, default="123456789012", help="default: %(default)s")
    parser.add_argument(
        "--request-timeout",
        type=seconds,
        default=20.0,
        metavar="SECONDS",
        help="how long a client may take to send a request it has begun (default: %(default)g)",
    )
    parser.add_argument("--log-requests", type=Path, metavar="FILE", help="append one JSON line a request to FILE")
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"argument --port: {options.port} is not a valid port: give one of 0 to 65535")
    return options


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    # NaN compares as false.
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError(f"{value!r} is not a valid number of seconds: give one above 0, up to 3600")
    return number


def region(value: str) -> str:
    if not re.fullmatch("(?!-)[a-z0-9-]{1,63}(?<!-)", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a valid region: give one such as us-east-1")
    return value


def account(value: str) -> str:
    if not re.fullmatch("[0-9]{12}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a valid account: give its 12 digits")
    return value


def word(value: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        # The value may be a secret, so the message does not repeat it.
        raise argparse.ArgumentTypeError("must be one or more ASCII characters without spaces")
    return value


def open_server(options: argparse.Namespace) -> Server:
    credentials = Credentials(options.access_key_id, options.secret_access_key, options.session_token)
    endpoint = Endpoint(options.region, options.account, credentials)
    try:
        registry = load_registry(options.paths, worker_environment(os.environ, options.region))
    except SettingsError as problem:
        fail(str(problem), USAGE_ERROR)
    except OSError as problem:
        fail(f"cannot read the functions: {problem}", 1)
    try:
        request_log = RequestLog(options.log_requests)
    except OSError as problem:
        fail(f"--log-requests: cannot write {options.log_requests}: {problem.strerror}", 1)
    try:
        return Server(options.host, options.port, endpoint, registry, request_log, options.request_timeout)
    except OSError as problem:
        fail(f"cannot listen on {options.host} port {options.port}: {problem.strerror or problem}", 1)


def fail(message: str, status: int) -> NoReturn:
    note(message)
    sys.exit(status)


def serve(server: Server, stdout: int) -> int:
    signals = catch_signals()
    credentials = server.endpoint.credentials
    line = (
        f"lambda-local ready endpoint={server.url} region={server.endpoint.region} "
        f"access_key_id={credentials.access_key_id} secret_access_key={credentials.secret_access_key}"
    )
    if credentials.session_token is not None:
        line += f" session_token={credentials.session_token}"
    # One write, so that a reader never sees half of the line. A caller that does not read may have closed the pipe.
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
    endpoint = server.endpoint
    environment = client_environment(os.environ, server.url, endpoint.region, endpoint.credentials)
    try:
        process = subprocess.Popen(command, stdout=stdout, env=environment)
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
        # The terminal interrupts the command as well, which decides what to do.
        if number != signal.SIGINT:
            process.send_signal(number)
