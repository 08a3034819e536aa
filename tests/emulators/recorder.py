"""Stands between a caller and a server, changes nothing, and keeps what both said: what was signed, with which keys."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

PATIENCE_S = 30.0
# Of one connection, not of what goes over it; the length is set anew.
OWN_HEADERS = {"connection", "content-length", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. A signature names its key and the service that it is for."""

    place: str
    signature: str | None
    body: str
    status: int
    answer: str

    @property
    def parameters(self) -> dict[str, str]:
        """Of a request to STS."""
        return dict(parse_qsl(self.body))

    @property
    def what(self) -> str:
        """An action of STS, or the service that the signature is for."""
        return self.parameters.get("Action") or self._scope[1]

    @property
    def signer(self) -> str | None:
        """The access key's id."""
        return None if self.signature is None else self._scope[0]

    @property
    def _scope(self) -> tuple[str, str]:
        # A key's id, day, region and service.
        found = re.search(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/", self.signature or "")
        assert found is not None, f"no signature: {self}"
        return found.group(1), found.group(2)

    def given(self, name: str) -> str:
        """The credentials in a response of STS."""
        found = re.search(f"<{name}>(.*?)</{name}>", self.answer)
        assert found is not None, f"no {name}: {self}"
        return found.group(1)


@dataclass(frozen=True)
class Recorder:
    """Several places before one server, each with a URL of its own."""

    urls: dict[str, str] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)


class Place(ThreadingHTTPServer):
    def __init__(self, name: str, target: str, exchanges: list[Exchange]) -> None:
        self.name, self.target, self.exchanges = name, urlsplit(target), exchanges
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Place
    protocol_version = "HTTP/1.1"
    # Headers and body are two segments; the second must not wait for an acknowledgement of the first.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, answer = self._ask(body)
        signature = self.headers.get("Authorization")
        self.server.exchanges.append(Exchange(self.server.name, signature, body.decode(), status, answer.decode()))
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OWN_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = self.server.target
        with contextlib.closing(http.client.HTTPConnection(target.hostname, target.port, timeout=PATIENCE_S)) as server:
            # All as it came, the Host that is part of the signature too.
            server.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                server.putheader(name, value)
            server.endheaders(body)
            answer = server.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def recorder(target: str, *places: str) -> Iterator[Recorder]:
    started = Recorder()
    with contextlib.ExitStack() as stack:
        for name in places:
            place = stack.enter_context(Place(name, target, started.exchanges))
            started.urls[name] = f"http://127.0.0.1:{place.server_port}"
            threading.Thread(target=place.serve_forever, daemon=True).start()
            stack.callback(place.shutdown)
        yield started
