"""The functions of the endpoint: their versions, their concurrency and their pools of workers."""

from __future__ import annotations

import json
import math
import re
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .invocation import SYNCHRONOUS_LIMIT, Invocation
from .notes import note
from .process import LOG_LIMIT, Exited, InitFailed, OnChunk, TimedOut, WorkerProcess
from .respond import Responder
from .settings import Settings, SettingsError, read_settings
from .worker import Context


class Throttled(Exception):
    """As many invocations are under way as the function's concurrency allows."""


@dataclass(frozen=True)
class Outcome:
    failed: bool
    payload: bytes
    # Whether the payload is whatever bytes the handler returned, and not JSON.
    binary: bool = False
    log: bytes = b""
    summary: str = ""


class Function:
    def __init__(self, name: str, path: Path, settings: Settings, environment: Mapping[str, str]) -> None:
        self.name = name
        self.settings = settings
        self._path = path
        self._environment = environment
        self._changed = threading.Condition()
        self._running = 0
        self._closing = False
        self._workers: set[WorkerProcess] = set()
        # The worker that was used last is used first, since it is the warmest.
        self._idle: dict[str, list[WorkerProcess]] = {}
        self._events: deque[Invocation] = deque()
        self._event_threads = 0

    def invoke(self, invocation: Invocation, on_chunk: OnChunk | None = None) -> Outcome:
        """Gives on_chunk what the handler yields, if the response is streamed. Raises what that raises."""
        with self._changed:
            if self._running >= self.settings.concurrency:
                raise Throttled
            self._running += 1
        return self._run(invocation, on_chunk)

    def enqueue(self, invocation: Invocation) -> None:
        """Runs an event in the background; unlike a synchronous invocation it waits when the concurrency is used up."""
        with self._changed:
            self._events.append(invocation)
            if self._event_threads >= self.settings.concurrency:
                return
            self._event_threads += 1
        threading.Thread(target=self._run_events, daemon=True).start()

    def close(self) -> list[WorkerProcess]:
        """Ends the workers, which may take a moment to exit."""
        with self._changed:
            self._closing = True
            workers = list(self._workers)
        for process in workers:
            process.kill()
        return workers

    def _run_events(self) -> None:
        while True:
            with self._changed:
                if not self._events:
                    self._event_threads -= 1
                    return
                self._changed.wait_for(lambda: self._running < self.settings.concurrency)
                # Other threads take from the same queue while this one waits.
                if not self._events:
                    continue
                self._running += 1
                invocation = self._events.popleft()
            try:
                outcome = self._run(invocation)
            except OSError as error:
                self._tell(invocation, f"is lost, cannot start a worker: {error}")
                continue
            if outcome.failed:
                self._tell(invocation, f"failed: {outcome.summary}")

    def _tell(self, invocation: Invocation, what: str) -> None:
        # The end of the endpoint ends its workers, which is not their failure.
        if not self._closing:
            note(f"function {self.name}: event {invocation.request_id} {what}")

    def _run(self, invocation: Invocation, on_chunk: OnChunk | None = None) -> Outcome:
        """Runs an invocation whose place was taken by incrementing _running, and returns that place."""
        try:
            process = self._take_worker(invocation.version)
            started = time.monotonic()
            reusable = False
            try:
                outcome = self._run_in(process, invocation, on_chunk)
                reusable = True
            except InitFailed as failure:
                outcome = Outcome(True, failure.reply[1], summary=f"{failure.reply[0]['type']}: {failure}")
            except TimedOut as error:
                outcome = sandbox_failure("Sandbox.Timedout", f"RequestId: {invocation.request_id} Error: {error}")
            except Exited as error:
                outcome = sandbox_failure("Runtime.ExitError", f"RequestId: {invocation.request_id} Error: {error}")
            finally:
                if not reusable:
                    process.kill()
                log = process.take_log()
                self._give_back(process, invocation.version, reusable)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify()
        if not invocation.tail:
            return outcome
        framed = frame_log(log, invocation, time.monotonic() - started)
        return Outcome(outcome.failed, outcome.payload, outcome.binary, framed, outcome.summary)

    def _run_in(self, process: WorkerProcess, invocation: Invocation, on_chunk: OnChunk | None) -> Outcome:
        header = {
            "function_name": self.name,
            "function_version": invocation.version,
            "invoked_function_arn": invocation.arn,
            "request_id": invocation.request_id,
            "client_context": invocation.client_context,
            "tenant_id": invocation.tenant_id,
            "durable_execution_name": invocation.durable_execution_name,
            "trace_header": invocation.trace_header,
            "raw": self.settings.raw,
            "streaming": on_chunk is not None,
        }
        reply, body = process.invoke(header, invocation.payload, self.settings.timeout, on_chunk)
        if reply["error"]:
            return Outcome(True, body, summary=f"{reply['type']}: {reply['message']}")
        if len(body) > SYNCHRONOUS_LIMIT and not self.settings.raw and on_chunk is None:
            return sandbox_failure(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({SYNCHRONOUS_LIMIT} bytes).",
            )
        return Outcome(False, body, binary=reply["bytes"])

    def _take_worker(self, version: str) -> WorkerProcess:
        with self._changed:
            idle = self._idle.get(version, [])
            while idle:
                process = idle.pop()
                if process.usable:
                    return process
                self._workers.discard(process)
                process.close()
            if self._closing:
                raise OSError("the endpoint is closing")
        stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{version}]{uuid.uuid4().hex}"
        process = WorkerProcess(
            self._path,
            {
                **self._environment,
                "AWS_LAMBDA_FUNCTION_VERSION": version,
                "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            },
        )
        with self._changed:
            self._workers.add(process)
            if self._closing:
                process.kill()
        return process

    def _give_back(self, process: WorkerProcess, version: str, reusable: bool) -> None:
        with self._changed:
            if reusable and process.alive:
                self._idle.setdefault(version, []).append(process)
                return
            self._workers.discard(process)
        process.close()


class Registry:
    def __init__(self, functions: Mapping[str, Function | Responder]) -> None:
        self._functions = functions

    def get(self, name: str) -> Function | Responder | None:
        return self._functions.get(name)

    def close(self) -> None:
        workers = []
        for function in self._functions.values():
            if isinstance(function, Function):
                workers += function.close()
        deadline = time.monotonic() + 5
        for process in workers:
            process.wait(max(0.0, deadline - time.monotonic()))


def load_registry(paths: Iterable[Path], environment: Mapping[str, str]) -> Registry:
    """Raises SettingsError."""
    functions: dict[str, Function | Responder] = {}
    files: dict[str, Path] = {}
    for path in paths:
        for file in function_files(path):
            name = file.stem
            if not re.fullmatch("[A-Za-z0-9_-]{1,64}", name):
                raise SettingsError(
                    f"{file}: a function's name has 1 to 64 letters, digits, '-' or '_': rename the file"
                )
            if name in functions:
                raise SettingsError(f"{file}: {files[name]} is a function named {name} already: rename one of them")
            settings = read_settings(file)
            files[name] = file
            if settings.responds:
                functions[name] = Responder(name, file, settings)
            else:
                functions[name] = Function(
                    name, file, settings, function_environment(name, file, settings, environment)
                )
    return Registry(functions)


def function_files(path: Path) -> list[Path]:
    path = path.absolute()
    if path.is_dir():
        files = sorted(file for file in path.glob("*.py") if not file.name.startswith("_"))
        if not files:
            raise SettingsError(f"{path}: this folder holds no function: no *.py whose name does not begin with '_'")
        return files
    if not path.exists():
        raise SettingsError(f"{path}: no such file or folder")
    if path.suffix != ".py":
        raise SettingsError(f"{path}: a function is a Python file, whose name ends with .py")
    return [path]


def function_environment(name: str, file: Path, settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    return {
        **environment,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(Context.memory_limit_in_mb),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "LAMBDA_TASK_ROOT": str(file.parent),
        "_HANDLER": f"{name}.handler",
    }


def sandbox_failure(kind: str, message: str) -> Outcome:
    body = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return Outcome(True, body, summary=f"{kind}: {message}")


def frame_log(log: bytes, invocation: Invocation, seconds: float) -> bytes:
    milliseconds = seconds * 1000
    report = (
        f"REPORT RequestId: {invocation.request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Billed Duration: {math.ceil(milliseconds)} ms\tMemory Size: {Context.memory_limit_in_mb} MB\t\n"
    )
    start = f"START RequestId: {invocation.request_id} Version: {invocation.version}\n"
    newline = b"" if not log or log.endswith(b"\n") else b"\n"
    framed = start.encode() + log + newline + f"END RequestId: {invocation.request_id}\n{report}".encode()
    return framed[-LOG_LIMIT:]
