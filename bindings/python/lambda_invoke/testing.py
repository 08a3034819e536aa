"""For the tests of programs that invoke functions: a Lambda endpoint on this machine.

With pytest, the fixture lambda_local starts one. Tests with Result.fake() and exceptions need no endpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ._client import Client
from .local.environment import client_environment
from .local.signature import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["LambdaLocal", "LocalEndpoint"]

# The package is imported from where it is, whatever the folder and the environment of the tests are.
_PROGRAM = "import sys; sys.path[0] = sys.argv.pop(1); from lambda_invoke.testing import _serve; _serve()"


class LambdaLocal(Protocol):
    """The type of the pytest fixture lambda_local."""

    def __call__(self, *paths: str | os.PathLike[str], functions: Mapping[str, str] | None = None) -> LocalEndpoint: ...


class LocalEndpoint:
    """Serves functions through Lambda's Invoke API on 127.0.0.1, in a process that ends with this one.

    It is `python -m lambda_invoke.local`, whose page describes the functions' files and their settings.

    paths: Python files that define handler(event, context), or folders of them. A file's name is the function's name.
    functions: the source of such a file by the function's name; it may be indented.

    A function that cannot be served, such as one with an invalid setting, raises a RuntimeError that names it. What the
    endpoint reports while it runs, such as events that failed, is written to sys.stderr by close().
    """

    url: str
    region: str
    access_key_id: str
    secret_access_key: str

    def __init__(self, *paths: str | os.PathLike[str], functions: Mapping[str, str] | None = None) -> None:
        with contextlib.ExitStack() as resources:
            folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="lambda_invoke-")))
            self._requests, self._notes = folder / "requests", folder / "notes"
            sources = [os.fspath(path) for path in paths]
            if functions:
                sources.append(os.fspath(_write_functions(folder / "functions", functions)))
            if not sources:
                raise ValueError("there is no function to serve: give a path or functions={name: source}")
            self._process = self._start(sources)
            resources.callback(self._stop)
            assert self._process.stdout is not None
            ready = dict(re.findall(r"(\w+)=(\S+)", self._process.stdout.readline()))
            if "endpoint" not in ready:
                self._process.wait()
                reason = self._notes.read_text(encoding="utf-8", errors="replace").strip()
                raise RuntimeError(f"the local endpoint did not start: {reason}")
            self.url, self.region = ready["endpoint"], ready["region"]
            self.access_key_id, self.secret_access_key = ready["access_key_id"], ready["secret_access_key"]
            self._resources = resources.pop_all()

    def client(self, **settings: Any) -> Client:
        """Returns a client of this endpoint. Takes the settings of Client."""
        own = {
            "endpoint_url": self.url,
            "region": self.region,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            # Whatever the environment has, a proxy cannot reach this machine's 127.0.0.1.
            "proxy": "",
        }
        return Client(**{**own, **settings})

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, in which every AWS client reaches this endpoint and no other host."""
        credentials = Credentials(self.access_key_id, self.secret_access_key)
        return client_environment(os.environ, self.url, self.region, credentials)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """All requests so far. A request is there before its response is sent.

        Each has the members connection, method, path, query, headers, body_length, body (base64) and status.
        """
        return [json.loads(line) for line in self._requests.read_text(encoding="utf-8").splitlines()]

    def close(self) -> None:
        """Ends the endpoint and its functions. Closing again does nothing."""
        self._resources.close()

    def __enter__(self) -> LocalEndpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, sources: list[str]) -> subprocess.Popen[str]:
        self._requests.touch()
        package = Path(__file__).resolve().parent
        with self._notes.open("wb") as notes:
            return subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(package.parent), "--log-requests", str(self._requests), *sources],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=notes,
                text=True,
            )

    def _stop(self) -> None:
        running = self._process.poll() is None
        self._process.terminate()
        # Waits.
        self._process.communicate()
        notes = self._notes.read_text(encoding="utf-8", errors="replace")
        if running and notes:
            sys.stderr.write(notes)


def _write_functions(folder: Path, functions: Mapping[str, str]) -> Path:
    folder.mkdir()
    for name, source in functions.items():
        if not re.fullmatch("[A-Za-z0-9-][A-Za-z0-9_-]{0,63}", name):
            raise ValueError(
                f"functions: {name!r} is not a valid name: 1 to 64 letters, digits, '-' and '_', not beginning with '_'"
            )
        (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return folder


def _serve() -> None:
    """Runs the endpoint until the process that started it closes its stdin, as it does by ending in whatever way."""
    from .local import command

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    command.main()
