"""The server that the cases are run against: what it can do, where it is, and endpoints that do not answer."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from conformance_table import HERE, REQUESTS, Case, Table, TableError, read_document

ROOT = HERE.parents[1]
LOCAL = ROOT / "local" / "lambda-local"
FUNCTIONS = HERE / "functions"
REQUEST_LOG = "request-log"


@dataclass(frozen=True)
class Description:
    """A file of servers/."""

    name: str
    abilities: frozenset[str]
    # By the name of a case: {"reason": ..., "skip": true} or {"reason": ..., "expect": {fields}}.
    overrides: Mapping[str, Mapping[str, Any]]
    # Where it is: endpoint_url, region, access_key_id, secret_access_key, session_token. None: the local endpoint,
    # which is started for the tests.
    connection: Mapping[str, str] | None

    def why_not(self, case: Case) -> str | None:
        """Why the case is not for this server."""
        if missing := case.needs - self.abilities:
            return f"{self.name} has no {', '.join(sorted(missing))}"
        override = self.overrides.get(case.name, {})
        return f"{self.name}: {override['reason']}" if override.get("skip") else None

    def expectations(self, case: Case) -> dict[str, Any]:
        expected = {**case.expectations, **self.overrides.get(case.name, {}).get("expect", {})}
        if REQUEST_LOG not in self.abilities:
            expected[REQUESTS] = "any"
        return expected


def read_description(name: str, table: Table) -> Description:
    """Of the server with this name, or of the file with this path."""
    path = Path(name) if name.endswith(".json") else HERE / "servers" / f"{name}.json"
    document = read_document(path, {"about", "abilities", "overrides", "connection"})
    for case, override in document["overrides"].items():
        if case not in table.cases:
            raise TableError(f"{path.name}: there is no case {case}")
        if not override.get("reason"):
            raise TableError(f"{path.name}: why is {case} overridden? It needs a reason")
        if unknown := set(override.get("expect", {})) - set(table.cases[case].expectations):
            raise TableError(f"{path.name}: {case}: no such fields: {sorted(unknown)}")
        if unknown := set(override) - {"reason", "skip", "expect"}:
            raise TableError(f"{path.name}: {case}: unknown members {sorted(unknown)}")
    return Description(
        name=path.stem,
        abilities=frozenset(document["abilities"]),
        overrides=document["overrides"],
        connection=document.get("connection"),
    )


@dataclass
class RequestLog:
    """What reached the local endpoint."""

    path: Path
    _offset: int = field(default=0, init=False)

    def mark(self) -> None:
        self._offset = self.path.stat().st_size if self.path.exists() else 0

    def count(self, function: str) -> int:
        """The requests for this function since the mark."""
        if not self.path.exists():
            return 0
        part = f"/functions/{quote(function, safe='')}/"
        with self.path.open(encoding="utf-8") as file:
            file.seek(self._offset)
            return sum(part in (json.loads(line)["path"] or "") for line in file)


@dataclass(frozen=True)
class Server:
    connection: Mapping[str, str | None]
    endpoints: Mapping[str, str]
    log: RequestLog | None


@contextlib.contextmanager
def running(description: Description, folder: Path) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        log = None
        if description.connection is None:
            log = RequestLog(folder / "requests.jsonl")
            connection = stack.enter_context(local_endpoint(log.path))
        else:
            connection = description.connection
        complete = {"session_token": None, **connection}
        endpoints = {
            "closed": stack.enter_context(closed_endpoint()),
            "full": stack.enter_context(full_endpoint()),
            "tls": f"https://{urlsplit(connection['endpoint_url']).netloc}",
        }
        yield Server(complete, endpoints, log)


@contextlib.contextmanager
def local_endpoint(log: Path) -> Iterator[dict[str, str]]:
    command = [sys.executable, str(LOCAL), "--log-requests", str(log), str(FUNCTIONS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("lambda-local ready "), f"{LOCAL.name} did not start: {line!r}"
        said = dict(part.split("=", 1) for part in line.split()[2:])
        said["endpoint_url"] = said.pop("endpoint")
        try:
            yield said
        finally:
            process.terminate()


@contextlib.contextmanager
def closed_endpoint() -> Iterator[str]:
    """Refuses connections: bound, so that nobody else gets the port, but nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield url(bound)


@contextlib.contextmanager
def full_endpoint() -> Iterator[str]:
    """Lets connections wait: its queue of those that nobody has accepted is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.5)
            try:
                waiting.connect(listener.getsockname())
            except socket.timeout:
                break
        yield url(listener)


def url(bound: socket.socket) -> str:
    host, port = bound.getsockname()
    return f"http://{host}:{port}"


def environment() -> dict[str, str]:
    """None of the settings of whoever runs the tests: a case has what it sets, and nothing else."""
    result = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "_X_AMZN_"))}
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        result[name] = os.devnull
    return {**result, "AWS_EC2_METADATA_DISABLED": "true"}
