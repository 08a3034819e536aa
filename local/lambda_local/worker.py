"""The child process that runs one function's handler, one invocation at a time.

It is started as a script, with the descriptor of its socket and the function's file as arguments, and imports nothing
of this package: a handler must find the modules beside it, not these. The server imports only the frames.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.util
import json
import os
import queue
import resource
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from types import GeneratorType, ModuleType
from typing import Any, Callable

NONCE_SIZE = 16
PREFIX = struct.Struct(f"!{NONCE_SIZE}sII")
Request = tuple[bytes, dict[str, Any], bytes]
Reply = tuple[dict[str, Any], bytes]


class Desynchronised(Exception):
    """The bytes on the channel are not the response to the request that was sent."""


def write_frame(connection: socket.socket, nonce: bytes, header: dict[str, Any], body: bytes = b"") -> None:
    """Writes a request under a nonce of its own, or the response to it under the same nonce.

    Code of the function shares a process with the channel and may write to it, by mistake or not. Bytes that do not
    begin with the nonce of the request under way are thereby told apart from its response.
    """
    encoded = json.dumps(header).encode()
    connection.sendall(PREFIX.pack(nonce, len(encoded), len(body)) + encoded)
    connection.sendall(body)


def read_request(connection: socket.socket) -> Request:
    nonce, header_length, body_length = PREFIX.unpack(read_exactly(connection, PREFIX.size))
    header = json.loads(read_exactly(connection, header_length))
    return nonce, header, read_exactly(connection, body_length)


def read_reply(connection: socket.socket, nonce: bytes, deadline: float) -> Reply:
    """Raises Desynchronised."""
    # Before the lengths, which are meaningless if this is something else.
    if read_exactly(connection, NONCE_SIZE, deadline) != nonce:
        raise Desynchronised
    lengths = read_exactly(connection, PREFIX.size - NONCE_SIZE, deadline)
    _, header_length, body_length = PREFIX.unpack(nonce + lengths)
    try:
        header = json.loads(read_exactly(connection, header_length, deadline))
    except (ValueError, RecursionError):
        raise Desynchronised from None
    if not isinstance(header, dict):
        raise Desynchronised
    return header, read_exactly(connection, body_length, deadline)


def read_exactly(connection: socket.socket, count: int, deadline: float | None = None) -> bytes:
    parts = []
    while count:
        if deadline is not None:
            # A timeout of zero would mean non-blocking.
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
        data = connection.recv(min(count, 256 * 1024))
        if not data:
            raise EOFError
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


class Client:
    installation_id: Any = None
    app_title: Any = None
    app_version_name: Any = None
    app_version_code: Any = None
    app_package_name: Any = None

    def __init__(self, raw: dict[str, Any]) -> None:
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, raw.get(name))


class ClientContext:
    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.custom = raw.get("custom")
        self.env = raw.get("env")
        client = raw.get("client")
        self.client = Client(client) if isinstance(client, dict) else None


class Context:
    identity = None
    memory_limit_in_mb = 128

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.function_name: str = invocation["function_name"]
        self.function_version: str = invocation["function_version"]
        self.invoked_function_arn: str = invocation["invoked_function_arn"]
        self.aws_request_id: str = invocation["request_id"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        raw = invocation["client_context"]
        self.client_context = None if raw is None else ClientContext(raw)
        self.tenant_id: str | None = invocation["tenant_id"]
        self.durable_execution_name: str | None = invocation["durable_execution_name"]
        self.trace_header: str | None = invocation["trace_header"]
        self._deadline: float = invocation["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


class Failure(Exception):
    """Returns why there is no handler, as Lambda reports it."""

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.report = {"errorMessage": message, "errorType": kind, "requestId": "", "stackTrace": stack or []}


def load_handler(path: str) -> Callable[[Any, Context], Any]:
    folder, file = os.path.split(path)
    name = os.path.splitext(file)[0]
    # Replaces this script's own folder.
    sys.path[0] = folder
    module = load_module(name, path)
    handler: Callable[[Any, Context], Any] | None = getattr(module, "handler", None)
    if not callable(handler):
        raise Failure("Runtime.HandlerNotFound", f"Handler 'handler' missing on module '{name}'")
    return handler


def load_module(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Failure("Runtime.ImportModuleError", f"Unable to import module '{name}': {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (ImportError, FileNotFoundError) as error:
        if isinstance(error, FileNotFoundError) and error.filename != path:
            raise
        raise Failure("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from error
    except SyntaxError as error:
        stack = [f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").strip()}\n']
        raise Failure("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}", stack) from error
    return module


def describe(error: BaseException, request_id: str) -> dict[str, Any]:
    try:
        message = str(error)
    except Exception as inner:
        message = f"<the exception's __str__ raised {type(inner).__name__}>"
    return {
        "errorMessage": message,
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(user_frames(error)),
    }


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    start = 0
    while start < len(frames) and (frames[start].filename == __file__ or frames[start].filename.startswith("<frozen ")):
        start += 1
    return list(frames[start:])


def log_error(report: dict[str, Any]) -> None:
    text = f"[ERROR] {report['errorType']}: {report['errorMessage']}\n"
    if report["stackTrace"]:
        text += "Traceback (most recent call last):\n" + "".join(report["stackTrace"])
    print(text, end="" if text.endswith("\n") else "\n")


def run(
    handler: Callable[[Any, Context], Any], header: dict[str, Any], payload: bytes, emit: Callable[[bytes], None]
) -> Reply:
    """Returns the handler's response; what it yields is emitted first if the response is streamed. Exits and interrupts
    pass through and end the process, as at Lambda."""
    request_id = header["request_id"]
    set_trace_header(header["trace_header"])
    try:
        event = payload if header["raw"] else json.loads(payload or b"{}")
        value = handler(event, Context(header))
        if isinstance(value, GeneratorType):
            return {"error": False, "bytes": True}, collect(value, emit if header["streaming"] else None)
    except Failure as failure:
        report = {**failure.report, "requestId": request_id}
    except Exception as error:
        report = describe(error, request_id)
    else:
        if header["raw"] and isinstance(value, (bytes, bytearray, memoryview)):
            return {"error": False, "bytes": True}, bytes(value)
        try:
            return {"error": False, "bytes": False}, json.dumps(value).encode()
        except (TypeError, ValueError, RecursionError) as error:
            report = Failure("Runtime.MarshalError", f"Unable to marshal response: {error}").report
            report["requestId"] = request_id
    log_error(report)
    return failed(report)


def collect(pieces: GeneratorType[Any, Any, Any], emit: Callable[[bytes], None] | None) -> bytes:
    """Emits what a handler yields, or returns all of it if that is not possible."""
    collected = []
    for piece in pieces:
        if isinstance(piece, str):
            data = piece.encode()
        elif isinstance(piece, (bytes, bytearray, memoryview)):
            data = bytes(piece)
        else:
            kind = type(piece).__name__
            raise Failure("Runtime.MarshalError", f"Unable to stream a {kind}: a handler yields bytes or str")
        if emit is None:
            collected.append(data)
        else:
            # What it printed comes before.
            flush()
            emit(data)
    return b"".join(collected)


def failed(report: dict[str, Any]) -> Reply:
    return {"error": True, "type": report["errorType"], "message": report["errorMessage"]}, json.dumps(report).encode()


def set_trace_header(value: str | None) -> None:
    if value is None:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    else:
        os.environ["_X_AMZN_TRACE_ID"] = value


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # The handler has closed or replaced it, which it may.
            continue


def unbuffer_c_output() -> None:
    """Flushes what C code prints into the log of its own invocation, so that a killed process does not lose it."""
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        stream = ctypes.c_void_p.in_dll(libc, "__stdoutp" if sys.platform == "darwin" else "stdout")
        unbuffered = 2
        libc.setvbuf(stream, None, unbuffered, 0)
    except (ImportError, OSError, ValueError):
        return


def receive(connection: socket.socket, requests: queue.SimpleQueue[Request]) -> None:
    """Reads ahead on its own thread, so that the end of the server is noticed even while a handler runs."""
    try:
        while True:
            requests.put(read_request(connection))
    except (OSError, EOFError):
        if os.getpgrp() == os.getpid():
            # Includes everything that the handler started.
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(0)


def open_channel(descriptor: int) -> socket.socket:
    """Moves the channel to a high number that differs from worker to worker.

    The lowest numbers are those that code uses by mistake, such as one that it has closed already.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = 4096 if soft == resource.RLIM_INFINITY else min(soft, 4096)
    lowest = highest // 2 + int.from_bytes(os.urandom(2), "big") % max(1, highest // 4)
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    os.close(descriptor)
    return socket.socket(fileno=moved)


def main() -> None:
    connection, path = open_channel(int(sys.argv[1])), sys.argv[2]
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=receive, args=(connection, requests), daemon=True).start()
    unbuffer_c_output()
    # The first request asks to load the handler.
    nonce, _, _ = requests.get()
    try:
        handler = load_handler(path)
        reply: Reply = ({"error": False, "bytes": False}, b"")
    except Failure as failure:
        log_error(failure.report)
        reply = failed(failure.report)
    except Exception as error:
        report = describe(error, "")
        log_error(report)
        reply = failed(report)
    flush()
    write_frame(connection, nonce, *reply)
    if reply[0]["error"]:
        return
    worker = os.getpid()

    def respond(header: dict[str, Any], body: bytes) -> None:
        if os.getpid() != worker:
            # A child that the handler has forked comes back from it too. Two responses at once would mix.
            os._exit(0)
        flush()
        write_frame(connection, nonce, header, body)

    while True:
        nonce, header, payload = requests.get()
        respond(*run(handler, header, payload, functools.partial(respond, {"chunk": True})))


if __name__ == "__main__":
    main()
