"""Starts the endpoint on functions that a test writes, and calls it with botocore, which was written by others."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

PROGRAM = Path(__file__).resolve().parents[2] / "local" / "lambda-local"
PATIENCE = 20.0

HELLO = """
def handler(event, context):
    return {"hello": event.get("name", "world")}
"""

ECHO = """
def handler(event, context):
    return event
"""

RAW = """
RAW = True


def handler(event, context):
    return event[::-1]
"""

CONTEXT = """
VERSIONS = ["1", "2"]
ALIASES = {"live": "2"}


def handler(event, context):
    seen = dict(vars(context))
    client_context = seen.pop("client_context")
    if client_context is not None:
        seen["custom"] = client_context.custom
        seen["env"] = client_context.env
        seen["app_title"] = client_context.client and client_context.client.app_title
        seen["raw"] = client_context.raw
    seen["identity"] = context.identity
    seen["memory_limit_in_mb"] = context.memory_limit_in_mb
    seen["remaining"] = context.get_remaining_time_in_millis()
    return seen
"""

FAILURES = """
import os
import signal
import sys


class CustomError(Exception):
    pass


def handler(event, context):
    how = event["how"]
    if how == "raise":
        raise CustomError("no good")
    if how == "marshal":
        return object()
    if how == "large":
        return "x" * 6_291_556
    if how == "exit":
        sys.exit(event["status"])
    if how == "_exit":
        os._exit(event["status"])
    if how == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    return "well"
"""

PRINTING = """
import ctypes
import subprocess
import sys


def handler(event, context):
    print("from Python")
    print("from Python, too", file=sys.stderr)
    subprocess.run(["echo", "from a child process"], check=True)
    ctypes.CDLL(None).printf(b"from C\\n")
    print("x" * event.get("padding", 0))
    if event.get("fail"):
        raise ValueError("printed and failed")
    sys.stdout.write("no newline")
"""

# Its invocations say where they are and wait until the test lets them go.
GATE = """
import os
import socket


def handler(event, context):
    with socket.create_connection(("127.0.0.1", event["port"])) as gate:
        gate.sendall(str(os.getpid()).encode() + b"\\n")
        return gate.recv(10).decode()
"""


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.01)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


def is_gone(pid: int) -> bool:
    try:
        # A zombie that its new parent has not yet collected runs nothing.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class Gate:
    """Where invocations of GATE arrive."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self.payload = json.dumps({"port": self._listener.getsockname()[1]}).encode()

    def arrival(self) -> Visitor:
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        return Visitor(connection)

    def close(self) -> None:
        self._listener.close()


class Visitor:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(connection.makefile().readline())

    def release(self, word: str = "go") -> None:
        self._connection.sendall(word.encode())
        self._connection.close()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str | None:
        return self.headers.get("x-amzn-errortype")

    @property
    def message(self) -> str:
        parsed = json.loads(self.body)
        return parsed.get("message") or parsed.get("Message")


class Wire:
    """A connection on which a test writes what it wants."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer:
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        body = response.read()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)

    def ends(self) -> bool:
        return self.socket.recv(1) == b""

    def close(self) -> None:
        self.socket.close()


@dataclass
class Endpoint:
    process: subprocess.Popen[str]
    url: str
    port: int
    region: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None
    log_file: Path

    def client(self, **overrides: Any) -> Any:
        arguments = {
            "endpoint_url": self.url,
            "region_name": self.region,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "aws_session_token": self.session_token,
            "config": Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE, max_pool_connections=50),
        }
        return botocore.session.get_session().create_client("lambda", **{**arguments, **overrides})

    def invoke(self, function: str, payload: bytes = b"{}", **parameters: Any) -> dict[str, Any]:
        return self.invoke_with(self.client(), function, payload, **parameters)

    @staticmethod
    def invoke_with(client: Any, function: str, payload: bytes = b"{}", **parameters: Any) -> dict[str, Any]:
        response = client.invoke(FunctionName=function, Payload=payload, **parameters)
        response["Payload"] = response["Payload"].read()
        return response

    def result(self, function: str, event: Any = None, **parameters: Any) -> Any:
        """What the handler returned; it must not have failed."""
        payload = b"{}" if event is None else json.dumps(event).encode()
        response = self.invoke(function, payload, **parameters)
        assert "FunctionError" not in response, response["Payload"]
        return json.loads(response["Payload"])

    def failure(self, function: str, **parameters: Any) -> dict[str, Any]:
        """What the handler's failure looks like."""
        response = self.invoke(function, **parameters)
        assert response["StatusCode"] == 200
        assert response["FunctionError"] == "Unhandled"
        return json.loads(response["Payload"])

    def wire(self) -> Wire:
        return Wire(self.port)

    def signed(
        self,
        path: str = "/2015-03-31/functions/hello/invocations",
        body: bytes = b"{}",
        headers: dict[str, str] | None = None,
        region: str | None = None,
        service: str = "lambda",
    ) -> SignedRequest:
        request = AWSRequest("POST", self.url + path, data=body, headers={"Host": f"127.0.0.1:{self.port}"})
        for name, value in (headers or {}).items():
            del request.headers[name]
            request.headers[name] = value
        credentials = Credentials(self.access_key_id, self.secret_access_key, self.session_token)
        SigV4Auth(credentials, service, region or self.region).add_auth(request)
        return SignedRequest(path, [list(header) for header in request.headers.items()], body)

    def exchange(self, data: bytes) -> Answer:
        wire = self.wire()
        try:
            wire.send(data)
            return wire.answer()
        finally:
            wire.close()

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.process.communicate()
        return status


@dataclass
class SignedRequest:
    """What a client would send, open to be tampered with."""

    path: str
    headers: list[list[str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return next(value for key, value in self.headers if key.lower() == name.lower())

    def __setitem__(self, name: str, value: str) -> None:
        self.headers = [header for header in self.headers if header[0].lower() != name.lower()]
        self.headers.append([name, value])

    def head(self, framing: str | None = None) -> bytes:
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        lines.append(framing or f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def encode(self) -> bytes:
        return self.head() + self.body


def write_functions(folder: Path, functions: dict[str, str]) -> list[str]:
    folder.mkdir(exist_ok=True)
    paths = []
    for name, source in functions.items():
        path = folder / f"{name}.py"
        path.write_text(textwrap.dedent(source))
        paths.append(str(path))
    return paths


def program(*arguments: str) -> list[str]:
    return [sys.executable, str(PROGRAM), *arguments]


class Starter:
    """Starts endpoints whose functions are given as source texts by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._endpoints: list[Endpoint] = []

    def __call__(self, *options: str, descriptors: int | None = None, **functions: str) -> Endpoint:
        """Starts it with so many file descriptors, or with as many as the tests have."""
        log_file = self._folder / "requests.jsonl"
        paths = write_functions(self._folder / "functions", functions or {"hello": HELLO})
        limit = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"] if descriptors else []
        process = subprocess.Popen(
            [*limit, *program("--log-requests", str(log_file), *options, *paths)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("lambda-local ready "), process.stderr.read()
        fields = dict(field.split("=", 1) for field in line.split()[2:])
        endpoint = Endpoint(
            process=process,
            url=fields["endpoint"],
            port=int(fields["endpoint"].rpartition(":")[2]),
            region=fields["region"],
            access_key_id=fields["access_key_id"],
            secret_access_key=fields["secret_access_key"],
            session_token=fields.get("session_token"),
            log_file=log_file,
        )
        self._endpoints.append(endpoint)
        return endpoint

    def stop(self) -> None:
        for endpoint in self._endpoints:
            endpoint.stop()


@pytest.fixture(autouse=True, scope="session")
def no_aws_configuration() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.stop()


@pytest.fixture(scope="session")
def endpoint(no_aws_configuration: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """One for all tests that need no settings, no functions and no state of their own."""
    starter = Starter(tmp_path_factory.mktemp("endpoint"))
    yield starter(hello=HELLO, context=CONTEXT, echo=ECHO, raw=RAW, gate=GATE, failures=FAILURES, printing=PRINTING)
    starter.stop()


@pytest.fixture
def hello(start: Starter) -> Endpoint:
    """One of the test's own."""
    return start(hello=HELLO)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.close()


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as executor:
        yield executor
