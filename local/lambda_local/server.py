"""The HTTP server: a thread for each connection, one request after another on it."""

from __future__ import annotations

import base64
import itertools
import socket
import threading
import time
import traceback
import uuid
from dataclasses import dataclass
from typing import Callable

from .answers import Answer, Refusal, error, refusal, throttled
from .connections import Connections, connection_limit
from .eventstream import CONTENT_TYPE, http_chunk, invoke_complete, payload_chunk
from .function import Function, Outcome, Registry, Throttled
from .invocation import Invocation, parse_invocation, payload_limit
from .message import Disconnected, Framing, Head, Stalled, Stream, TooLarge, parse_framing, parse_head
from .notes import note
from .origin import bracketed, check_origin, host_names, local_names
from .requestlog import RequestLog
from .respond import Connection, Request, Responder
from .signature import Credentials, Verifier
from .target import Address, Target, parse_address


@dataclass(frozen=True)
class Endpoint:
    """The account and region that the server represents, and the credentials that it accepts."""

    region: str
    account: str
    credentials: Credentials

    def arn(self, target: Target) -> str:
        function = target.function
        region, account = function.region or self.region, function.account or self.account
        arn = f"arn:{function.partition}:lambda:{region}:{account}:function:{function.name}"
        return f"{arn}:{target.qualifier}" if target.qualifier else arn


class Server:
    def __init__(
        self,
        host: str,
        port: int,
        endpoint: Endpoint,
        registry: Registry,
        request_log: RequestLog,
        request_seconds: float,
    ) -> None:
        """Starts to listen. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{bracketed(host)}:{self.port}"
        self.endpoint = endpoint
        self.registry = registry
        self.request_log = request_log
        self.request_seconds = request_seconds
        self.verifier = Verifier(endpoint.credentials)
        self.hosts = host_names(host, self.port)
        self.connections = Connections(connection_limit())
        self._numbers = itertools.count(1)

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends all workers. Threads that still serve a connection end with the process."""
        self._listener.close()
        self.registry.close()

    def _accept(self) -> None:
        troubled = False
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as problem:
                if self._listener.fileno() < 0:
                    return
                # Most likely no descriptor is left; connections that end free some.
                if not troubled:
                    note(f"cannot accept connections for now: {problem}")
                troubled = True
                time.sleep(0.05)
                continue
            troubled = False
            self.connections.admit(connection)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                conversation = Conversation(self, connection, next(self._numbers))
                threading.Thread(target=conversation.run, daemon=True).start()
            except (OSError, RuntimeError) as problem:
                # The client has closed the connection already, or no further thread can be started.
                if isinstance(problem, RuntimeError):
                    note(f"cannot serve a connection: {problem}")
                connection.close()
                self.connections.leave(connection)


class Conversation:
    """All requests of one connection."""

    def __init__(self, server: Server, connection: socket.socket, number: int) -> None:
        """Raises OSError when the connection has ended already."""
        self._server = server
        self._stream = Stream(connection, server.request_seconds)
        self._number = number
        self._hosts = server.hosts | local_names(connection)

    def run(self) -> None:
        connection = self._stream.socket
        try:
            while self._serve():
                pass
        except (OSError, Disconnected):
            # The client has closed the connection, so there is nobody to report the error to.
            return
        finally:
            connection.close()
            self._server.connections.leave(connection)

    def _serve(self) -> bool:
        """Serves one request. Returns whether the connection stays open."""
        head = None
        try:
            self._server.connections.wait(self._stream.socket)
            if not self._stream.wait_for_request():
                return False
            head = parse_head(self._stream.read_head())
            framing = parse_framing(head)
        except Refusal as refused:
            # The start of the next request is unknown now.
            return self._end(refused.answer, head)
        except Stalled:
            return self._end(timed_out(self._server.request_seconds), head)
        return Exchange(self._server, self._stream, self._number, head, framing, self._hosts).run()

    def _end(self, answer: Answer, head: Head | None) -> bool:
        self._server.request_log.write(self._number, head, None, answer.status)
        self._stream.send(answer.encode(str(uuid.uuid4()), close=True))
        self._stream.linger()
        return False


def timed_out(seconds: float) -> Answer:
    return error("RequestTimeoutException", f"The request did not arrive completely within {seconds:g} seconds.")


class Exchange:
    """One request with a valid head, and its response."""

    def __init__(
        self, server: Server, stream: Stream, number: int, head: Head, framing: Framing, hosts: frozenset[str]
    ) -> None:
        self._server = server
        self._stream = stream
        self._number = number
        self._head = head
        self._framing = framing
        self._hosts = hosts
        self._request_id = str(uuid.uuid4())
        self._body: bytes | None = None
        self._logged = False
        self._address: Address | None = None
        self._target: Target | None = None
        self._refused: Refusal | None = None
        try:
            self._address = parse_address(head.method, head.path, head.query)
            self._target = self._address.resolve()
        except Refusal as refused:
            # Kept until the body is read and the signature is checked, which come first.
            self._refused = refused

    def run(self) -> bool:
        try:
            if self._address is not None:
                # Before the body is read: whether the function checks signatures makes no difference here.
                check_origin(self._head, self._hosts)
        except Refusal as refused:
            return self._send(refused.answer, close=True, unread=True)
        function = self._find()
        responder = function if isinstance(function, Responder) else None
        early = responder is not None and responder.settings.before_body
        if not early and (unacceptable := self._receive()):
            return self._send(unacceptable, close=True, unread=True)
        # The function may run from here on, so the connection must be one that the response can take.
        if not self._server.connections.work(self._stream.socket):
            raise Disconnected(self._body or b"")
        self._stream.end_request()
        unread = early and self._framing.length != 0
        try:
            self._authenticate(responder)
            if isinstance(function, Responder):
                return self._respond(function, unread)
            if self._target is not None and self._target.streaming:
                return self._stream_answer(function, unread)
            answer = self._invoke(function)
        except Refusal as refused:
            answer = refused.answer
        return self._send(answer, close=unread or self._head.wants_close, unread=unread)

    def _receive(self) -> Answer | None:
        """Reads the body. Returns the response to a request whose body is not acceptable. Raises Disconnected."""
        limit = payload_limit(self._head)
        try:
            self._read_body(limit)
        except TooLarge:
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            return error("RequestTooLargeException", message)
        except Refusal as refused:
            return refused.answer
        except Stalled as stalled:
            self._body = stalled.received
            return timed_out(self._server.request_seconds)
        except Disconnected as cut:
            self._body = cut.received
            self._log(None)
            raise
        return None

    def _find(self) -> Function | Responder | None:
        if self._target is None or (self._target.function.account or self._account) != self._account:
            return None
        return self._server.registry.get(self._target.function.name)

    @property
    def _account(self) -> str:
        return self._server.endpoint.account

    def _read_body(self, limit: int) -> None:
        if (self._head.get("expect") or "").lower() == "100-continue" and (self._framing.length or 0) <= limit:
            self._stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._body = self._stream.read_body(self._framing, limit)

    def _authenticate(self, responder: Responder | None) -> None:
        """Raises Refusal also for what was wrong with the address."""
        if self._address is not None and not (responder and responder.settings.unsigned):
            region = self._address.region or self._server.endpoint.region
            self._server.verifier.verify(self._head, region, self._body)
        if self._refused is not None:
            raise self._refused

    def _resolve(self, function: Function | None) -> tuple[Function, Invocation]:
        """Raises Refusal."""
        target = self._target
        assert target is not None
        arn = self._server.endpoint.arn(target)
        version = function.settings.version(target.qualifier) if function else None
        if function is None or version is None:
            raise refusal("ResourceNotFoundException", f"Function not found: {arn}")
        raw = function.settings.raw
        return function, parse_invocation(self._head, self._body or b"", raw, self._request_id, version, arn)

    def _invoke(self, function: Function | None) -> Answer:
        function, invocation = self._resolve(function)
        if invocation.kind == "DryRun":
            return Answer(204)
        if invocation.kind == "Event":
            function.enqueue(invocation)
            return Answer(202)
        try:
            return answer_outcome(function.invoke(invocation), invocation.version)
        except Throttled:
            return throttled()
        except OSError as problem:
            return no_worker(function, problem)

    def _stream_answer(self, function: Function | None, unread: bool) -> bool:
        function, invocation = self._resolve(function)
        close = unread or self._head.wants_close
        if invocation.kind == "Event":
            message = "Value 'Event' at 'invocationType' must be one of RequestResponse, DryRun."
            raise refusal("InvalidParameterValueException", message)
        if invocation.kind == "DryRun":
            return self._send(Answer(204), close, unread)
        streamed = StreamedAnswer(self._stream, self._request_id, invocation.version, close, self._log)
        try:
            outcome = function.invoke(invocation, streamed.send_chunk)
        except Throttled:
            return self._send(throttled(), close, unread)
        except OSError as problem:
            return self._send(no_worker(function, problem), close, unread)
        streamed.end(outcome)
        if unread:
            self._stream.linger()
        return not close

    def _respond(self, responder: Responder, unread: bool) -> bool:
        assert self._target is not None
        connection = Connection(self._stream, self._request_id, unread or self._head.wants_close, self._log)
        request = Request(
            method=self._head.method,
            path=self._head.path,
            query=self._head.query,
            headers={name.lower(): value for name, value in self._head.headers},
            body=self._body,
            function_name=self._target.function.name,
            qualifier=self._target.qualifier,
            count=responder.next_count(),
        )
        try:
            responder.respond(request, connection)
        except ConnectionError:
            # The client has closed the connection, as it may after a fault.
            self._log(None)
            return False
        except Exception as problem:
            note(f"{responder.path}: respond() failed:\n{traceback.format_exc()}")
            if connection.untouched:
                message = f"{responder.path.name}: respond() failed: {type(problem).__name__}: {problem}"
                return self._send(error("ServiceException", message), close=True, unread=unread)
        self._log(None)
        if connection.reusable:
            return True
        if not connection.closed and not connection.untouched:
            self._stream.linger()
        return False

    def _send(self, answer: Answer, close: bool, unread: bool = False) -> bool:
        self._log(answer.status)
        self._stream.send(answer.encode(self._request_id, close))
        if unread:
            self._stream.linger()
        return not close

    def _log(self, status: int | None) -> None:
        if not self._logged:
            self._logged = True
            self._server.request_log.write(self._number, self._head, self._body, status)


class StreamedAnswer:
    """A response that is sent while the function makes it. Its head leaves with the first chunk or with the end."""

    def __init__(
        self, stream: Stream, request_id: str, version: str, close: bool, on_head: Callable[[int], None]
    ) -> None:
        self._stream = stream
        self._head: bytes | None = Answer(
            200,
            headers={
                "X-Amz-Executed-Version": version,
                "Content-Type": CONTENT_TYPE,
                "Transfer-Encoding": "chunked",
            },
        ).encode(request_id, close)
        self._on_head = on_head

    def send_chunk(self, data: bytes) -> None:
        """Raises Disconnected if the client is gone: then nobody needs the rest."""
        self._send(payload_chunk(data))

    def end(self, outcome: Outcome) -> None:
        document = {}
        if outcome.failed:
            document = {"ErrorCode": "Unhandled", "ErrorDetails": outcome.payload.decode()}
        elif outcome.payload:
            self._send(payload_chunk(outcome.payload))
        if outcome.log:
            document["LogResult"] = base64.b64encode(outcome.log).decode()
        self._send(invoke_complete(document), last=True)

    def _send(self, data: bytes, last: bool = False) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._on_head(200)
        try:
            self._stream.send((head or b"") + http_chunk(data) + (http_chunk(b"") if last else b""))
        except OSError as problem:
            raise Disconnected(b"") from problem


def no_worker(function: Function, problem: OSError) -> Answer:
    return error("ServiceException", f"Cannot start a worker for the function {function.name}: {problem}")


def answer_outcome(outcome: Outcome, version: str) -> Answer:
    headers = {"X-Amz-Executed-Version": version}
    if outcome.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    if outcome.log:
        headers["X-Amz-Log-Result"] = base64.b64encode(outcome.log).decode()
    if outcome.binary:
        headers["Content-Type"] = "application/octet-stream"
    return Answer(200, outcome.payload, headers)
