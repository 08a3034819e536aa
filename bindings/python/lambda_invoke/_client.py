"""The client."""

from __future__ import annotations

import ctypes
import functools
import json
import operator
import os
from collections.abc import AsyncIterable, Iterable, Mapping
from ctypes import byref
from typing import TYPE_CHECKING, Any, overload

from . import _abi, _interrupt
from ._abi import ClientPointer, ConfigPointer, ErrorPointer, RequestPointer, library
from ._base import StrEnum
from ._callback import Callbacks, in_logger, level_of
from ._errors import CredentialsError, InvalidArgumentError, LambdaError, error_for, failed, refused
from ._request import outcome_of, set_payload
from ._result import Result, Status, read
from ._stream import Stream
from ._values import (
    UINT32_MAX,
    UINT64_MAX,
    choice,
    count,
    json_bytes,
    milliseconds,
    switch,
    text,
    wrong_type,
)

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from types import TracebackType
    from typing import Literal, NoReturn, TypedDict, Union

    from typing_extensions import Unpack

    from . import _map
    from ._abi import ResultPointer
    from ._callback import Credentials


class InvocationType(StrEnum):
    """How Lambda treats the request."""

    REQUEST_RESPONSE = "RequestResponse"
    """Waits for the function's response."""
    EVENT = "Event"
    """Queues the event; Lambda runs the function later."""
    DRY_RUN = "DryRun"
    """Only checks that the caller may invoke the function."""


class Retry(StrEnum):
    """Which failed attempts are retried."""

    SAFE = "safe"
    """Retries only attempts that certainly did not run."""
    NONE = "none"
    """Never retries."""
    ALWAYS = "always"
    """Retries also attempts that may have run: for functions that may run twice."""


if TYPE_CHECKING:
    InvocationTypeName = Union[InvocationType, Literal["RequestResponse", "Event", "DryRun"]]
    RetryName = Union[Retry, Literal["safe", "none", "always"]]

    class Options(TypedDict, total=False):
        """The options of every call of a map, as those of invoke."""

        qualifier: str | None
        invocation_type: InvocationTypeName | None
        log: bool
        client_context: Mapping[str, object] | str | None
        tenant_id: str | None
        durable_execution_name: str | None
        trace_header: str | None
        timeout: float | None
        retry: RetryName | None


# Of the options of calls.
_IMMUTABLE = frozenset((type(None), bool, int, float, str, InvocationType, Retry))
# How many functions have a template.
_MAX_TEMPLATES = 256
# How many requests of a function may be idle.
_MAX_IDLE = 64
# Looking it up in its class takes longer.
_OK = Status.OK.number
_TRACE_HEADER = "_X_AMZN_TRACE_ID"
_TRACE_HEADER_BYTES = os.fsencode(_TRACE_HEADER)
_INVOCATION_TYPES = {
    InvocationType.REQUEST_RESPONSE: _abi.INVOCATION_REQUEST_RESPONSE,
    InvocationType.EVENT: _abi.INVOCATION_EVENT,
    InvocationType.DRY_RUN: _abi.INVOCATION_DRY_RUN,
}
_RETRIES = {Retry.SAFE: _abi.RETRY_SAFE, Retry.NONE: _abi.RETRY_NONE, Retry.ALWAYS: _abi.RETRY_ALWAYS}


@functools.cache
def _awaiting() -> Callable[[ClientPointer, RequestPointer, str], Awaitable[ResultPointer]]:
    """Imports asyncio, which takes longer than all of this package, with the first call that needs it."""
    from . import _async

    return _async.invoke


def _retry(name: str, value: object) -> int:
    return _RETRIES[choice(name, Retry, value)]


def _invocation_type(name: str, value: object) -> int:
    return _INVOCATION_TYPES[choice(name, InvocationType, value)]


def _uint32(name: str, value: int) -> int:
    return count(name, value, UINT32_MAX)


def _uint64(name: str, value: int) -> int:
    return count(name, value, UINT64_MAX)


def _proxy(name: str, value: str) -> bytes:
    return text(name, value, may_be_empty=True)


def _path(name: str, value: str | os.PathLike[str]) -> bytes:
    return text(name, os.fspath(value) if isinstance(value, os.PathLike) else value)


# For each parameter how its value becomes C's.
_SETTINGS: dict[str, Callable[[str, Any], bytes | int]] = {
    "region": text,
    "profile": text,
    "endpoint_url": text,
    "use_fips": switch,
    "use_dual_stack": switch,
    "ca_bundle": _path,
    "proxy": _proxy,
    "app_id": text,
    "timeout": milliseconds,
    "connect_timeout": milliseconds,
    "retry": _retry,
    "max_attempts": _uint32,
    "max_connections": _uint32,
    "max_response_bytes": _uint64,
}
_KEYS = ("access_key_id", "secret_access_key", "session_token")
_FIELDS: dict[str, Callable[[str, Any], bytes | int]] = {
    "qualifier": text,
    "invocation_type": _invocation_type,
    "tenant_id": text,
    "durable_execution_name": text,
    "trace_header": text,
    "timeout": milliseconds,
    "retry": _retry,
}
# Of every kind of call, in the order in which each passes them on. The trace header is apart: it may be Lambda's.
_OPTIONS = (
    "qualifier",
    "invocation_type",
    "log",
    "client_context",
    "tenant_id",
    "durable_execution_name",
    "timeout",
    "retry",
)
# Where they are not the same.
_C_NAMES = {"timeout": "timeout_ms", "connect_timeout": "connect_timeout_ms"}


class Client:
    """Settings and connections for calls, for any number of threads at once.

    Settings that are not given come from the environment and the shared AWS files, as for every AWS tool. They are read
    when the client is made. Times are in seconds.

    profile: a profile that must exist; its credentials take precedence over the environment's.
    credentials: a callable that returns Credentials. It is called when there are none yet and shortly before they
        expire, never twice at once; what it raises is the cause of the call's CredentialsError. access_key_id,
        secret_access_key and session_token take precedence over it.
    ca_bundle: a PEM file with the certificates to trust, instead of the system's.
    proxy: a URL, with user:password@ if the proxy asks for them; "" for no proxy.
    app_id: names the application in User-Agent.
    max_attempts: includes the first one; 1 is no retry.
    logger: gets the events of calls, never a secret, up to the level that is enabled now (5 is the most detailed).
    """

    # No __slots__: tests replace invoke on one client (unittest.mock.patch.object), which needs its __dict__.

    def __init__(
        self,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        use_fips: bool | None = None,
        use_dual_stack: bool | None = None,
        credentials: Callable[[], Credentials] | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        ca_bundle: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        app_id: str | None = None,
        logger: logging.Logger | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        retry: RetryName | None = None,
        max_attempts: int | None = None,
        max_connections: int | None = None,
        max_response_bytes: int | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if value is not None}
        # None once closed. Each call under way holds the pointer as well, so the last of them to end frees the client.
        # That needs no lock, which a fork or a signal's handler could find taken.
        self._pointer: ClientPointer | None = None
        self._templates: dict[str, _Template] = {}
        _interrupt.reserve_stack()
        config: ConfigPointer = library.lambda_config_new()
        if not config:
            raise failed(Status.NO_MEMORY, "no memory for a client's settings")
        callbacks = Callbacks()
        # What the setters refuse, lambda_client_new tells.
        for name, convert in _SETTINGS.items():
            if name in given:
                getattr(library, f"lambda_config_set_{_C_NAMES.get(name, name)}")(config, convert(name, given[name]))
        if credentials is not None:
            library.lambda_config_set_credentials_callback(config, *callbacks.ask(credentials))
        keys = {name: text(name, given[name]) for name in _KEYS if name in given}
        if keys:
            for name in _KEYS[:2]:
                if name not in keys:
                    raise refused(f"{name}: is missing; {' and '.join(keys)} cannot be used without it")
            library.lambda_config_set_credentials(config, *map(keys.get, _KEYS))
        if logger is not None:
            library.lambda_config_set_log(config, level_of(logger), *callbacks.log(logger))

        client, error = ClientPointer(), ErrorPointer()
        status = library.lambda_client_new(config, byref(client), byref(error))
        callbacks.raised()
        if status != Status.OK.number:
            message: bytes = library.lambda_error_message(error)
            raise failed(Status(status), message.decode())
        # C calls them for as long as the pointer lives, and every call holds the pointer.
        client.callbacks = callbacks
        self._has_callbacks = credentials is not None or logger is not None
        self._pointer = client

    def invoke(
        self,
        function_name: str,
        payload: object = None,
        *,
        qualifier: str | None = None,
        invocation_type: InvocationTypeName | None = None,
        log: bool = False,
        client_context: Mapping[str, object] | str | None = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        trace_header: str | None = None,
        timeout: float | None = None,
        retry: RetryName | None = None,
        stop: _interrupt.Stop | None = None,
    ) -> Result:
        """Invokes a function and waits. Whatever is not a success is raised, with its result (LambdaError).

        function_name: a name, a partial ARN or an ARN.
        payload: bytes, or a str of JSON, are sent as they are; None sends none; anything else is encoded as JSON.
        invocation_type: RequestResponse by default.
        log: asks for the end of the function's log.
        client_context: a mapping, which is sent as JSON, or a str that is base64 of JSON already.
        trace_header: by default _X_AMZN_TRACE_ID, which is set inside Lambda, so that Lambda can stop endless loops.
        timeout, retry: by default the client's. The timeout covers the whole call, its retries included.
        stop: a callable, or a flag such as threading.Event, that is asked at least every 100 ms and ends the call if it
            is true. On the main thread a signal's handler that raises, as that of Ctrl-C does, needs none of it.
        """
        _interrupt.reserve_stack()
        options = (qualifier, invocation_type, log, client_context, tenant_id, durable_execution_name, timeout, retry)
        pointer, template, request = self._prepare(function_name, payload, options, trace_header)
        raised = None
        if self._has_callbacks:
            callbacks: Callbacks = pointer.callbacks
            callbacks.prepare()
            try:
                # Asked also so that the interpreter does not end while C may call Python.
                ended = _interrupt.invoke(pointer, request, function_name, stop, callbacks.interrupted)
            finally:
                raised = callbacks.raised()
        else:
            ended = _interrupt.invoke(pointer, request, function_name, stop)
        result = read(ended)
        template.give_back(request)
        failure = error_for(result, function_name)
        if isinstance(failure, CredentialsError):
            raise failure from raised
        if failure is not None:
            raise failure
        return result

    def invoke_stream(
        self,
        function_name: str,
        payload: object = None,
        *,
        qualifier: str | None = None,
        invocation_type: InvocationTypeName | None = None,
        log: bool = False,
        client_context: Mapping[str, object] | str | None = None,
        tenant_id: str | None = None,
        trace_header: str | None = None,
        timeout: float | None = None,
        retry: RetryName | None = None,
        stop: _interrupt.Stop | None = None,
    ) -> Stream:
        """Invokes a function whose response is read as it is made: an iterator of bytes (see Stream).

        Nothing is sent before the first chunk is asked for. The arguments are those of invoke; an Event cannot be
        streamed. The timeout covers the whole call, the reading included, and begins with the first chunk.
        """
        _interrupt.reserve_stack()
        options = (qualifier, invocation_type, log, client_context, tenant_id, None, timeout, retry)
        pointer, _, request = self._prepare(function_name, payload, options, trace_header)
        return Stream(pointer, request, function_name, stop, self._has_callbacks)

    async def invoke_async(
        self,
        function_name: str,
        payload: object = None,
        *,
        qualifier: str | None = None,
        invocation_type: InvocationTypeName | None = None,
        log: bool = False,
        client_context: Mapping[str, object] | str | None = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        trace_header: str | None = None,
        timeout: float | None = None,
        retry: RetryName | None = None,
    ) -> Result:
        """Invokes a function as invoke does, and lets the event loop of asyncio go on meanwhile.

        Cancelling the task cancels the call. The asyncio.CancelledError then has the call's `result`, whose execution
        tells whether the function may have run; it may even be a success that came in the same moment.
        """
        options = (qualifier, invocation_type, log, client_context, tenant_id, durable_execution_name, timeout, retry)
        pointer, _, request = self._prepare(function_name, payload, options, trace_header)
        outcome = outcome_of(await _awaiting()(pointer, request, function_name), pointer, function_name)
        if isinstance(outcome, LambdaError):
            raise outcome
        return outcome

    @overload
    def map(
        self,
        function_name: str,
        payloads: Iterable[object],
        *,
        concurrency: int = ...,
        progress: bool = ...,
        raise_on_error: Literal[False] = ...,
        stop: _interrupt.Stop | None = ...,
        **options: Unpack[Options],
    ) -> Generator[Result | LambdaError, None, None]: ...
    @overload
    def map(
        self,
        function_name: str,
        payloads: Iterable[object],
        *,
        concurrency: int = ...,
        progress: bool = ...,
        raise_on_error: Literal[True],
        stop: _interrupt.Stop | None = ...,
        **options: Unpack[Options],
    ) -> Generator[Result, None, None]: ...
    @overload
    def map(
        self,
        function_name: str,
        payloads: Iterable[object],
        *,
        concurrency: int = ...,
        progress: bool = ...,
        raise_on_error: bool,
        stop: _interrupt.Stop | None = ...,
        **options: Unpack[Options],
    ) -> Generator[Result | LambdaError, None, None]: ...
    def map(
        self,
        function_name: str,
        payloads: Iterable[object],
        *,
        concurrency: int = 16,
        progress: bool = False,
        raise_on_error: bool = False,
        stop: _interrupt.Stop | None = None,
        **options: Unpack[Options],
    ) -> Generator[Result | LambdaError, None, None]:
        """Invokes a function once for each payload, and yields what became of it, in the order of the payloads.

        A call that failed yields the exception that invoke would have raised, a LambdaError with its result, and the
        map goes on. Nothing is sent before the first item is asked for. If the map is closed or abandoned half-way, the
        calls under way are cancelled. What the iterable raises comes after the results of the payloads before it.

        payloads: an iterable, from which no payload is taken before its turn.
        concurrency: how many payloads at most are taken, and their results not yet yielded.
        progress: shows a progress bar, if tqdm is installed.
        raise_on_error: raises the first failure instead, which ends the map.
        stop: ends the map with a CancelledError, as it ends a call of invoke.
        options: those of invoke, for every call. The timeout of each begins when its payload is taken.
        """
        from . import _map

        job = self._job(function_name, payloads, concurrency, progress, raise_on_error, options)
        if not isinstance(payloads, Iterable):
            raise wrong_type("payloads", "an iterable", payloads)
        return _map.run(job, payloads, _interrupt.as_callable(stop))

    @overload
    def map_async(
        self,
        function_name: str,
        payloads: Iterable[object] | AsyncIterable[object],
        *,
        concurrency: int = ...,
        progress: bool = ...,
        raise_on_error: Literal[False] = ...,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Result | LambdaError, None]: ...
    @overload
    def map_async(
        self,
        function_name: str,
        payloads: Iterable[object] | AsyncIterable[object],
        *,
        concurrency: int = ...,
        progress: bool = ...,
        raise_on_error: Literal[True],
        **options: Unpack[Options],
    ) -> AsyncGenerator[Result, None]: ...
    @overload
    def map_async(
        self,
        function_name: str,
        payloads: Iterable[object] | AsyncIterable[object],
        *,
        concurrency: int = ...,
        progress: bool = ...,
        raise_on_error: bool,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Result | LambdaError, None]: ...
    def map_async(
        self,
        function_name: str,
        payloads: Iterable[object] | AsyncIterable[object],
        *,
        concurrency: int = 16,
        progress: bool = False,
        raise_on_error: bool = False,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Result | LambdaError, None]:
        """Does what map does, for `async for`.

        payloads: may also be an asynchronous iterable, whose next payload is awaited while calls are under way.
        """
        from . import _map_async

        job = self._job(function_name, payloads, concurrency, progress, raise_on_error, options)
        if not isinstance(payloads, (Iterable, AsyncIterable)):
            raise wrong_type("payloads", "an iterable or an asynchronous iterable", payloads)
        return _map_async.run(job, payloads)

    def _job(
        self,
        function_name: str,
        payloads: object,
        concurrency: int,
        progress: bool,
        raise_on_error: bool,
        options: Options,
    ) -> _map.Job:
        from . import _map

        if isinstance(payloads, (str, bytes, bytearray, memoryview, Mapping)):
            # Each is an iterable, and was meant as one payload.
            raise wrong_type("payloads", "an iterable of payloads", payloads)
        for name in options:
            if name not in _OPTIONS and name != "trace_header":
                raise TypeError(f"a call has no option {name!r}")
        at_once = count("concurrency", concurrency, UINT32_MAX)
        switch("progress", progress)
        switch("raise_on_error", raise_on_error)
        given = {"log": False, **options}
        trace_header = options.get("trace_header")
        pointer, _, request = self._prepare(function_name, None, tuple(map(given.get, _OPTIONS)), trace_header)
        return _map.Job(pointer, request, function_name, at_once, progress, raise_on_error)

    def describe(self) -> dict[str, dict[str, Any]]:
        """Returns the settings in force, by name: each a dict of its "value" and its "source". Never a secret."""
        description = library.lambda_client_describe(self._open())
        if not description:
            raise failed(Status.NO_MEMORY, "no memory for a description")
        described: dict[str, dict[str, Any]] = json.loads(ctypes.string_at(description.value))
        return described

    def release_idle(self) -> None:
        """Closes the idle connections now. Those in use stay open, and later calls open new ones."""
        library.lambda_client_release_idle(self._open())

    def close(self) -> None:
        """Closes the connections once the calls under way are over. Closing again does nothing."""
        self._pointer = None
        self._templates.clear()

    def _prepare(
        self, function_name: str, payload: object, options: tuple[object, ...], trace_header: str | None
    ) -> tuple[ClientPointer, _Template, RequestPointer]:
        """Returns the client, and the template and the request of a call.

        options: in the order of _OPTIONS.
        """
        if trace_header is None:
            trace_header = _trace_header_of_lambda()
        if type(function_name) is not str and isinstance(function_name, str):
            # A subclass may be equal to any other name.
            function_name = str.__str__(function_name)
        try:
            template = self._templates.get(function_name) if isinstance(function_name, str) else None
            if template is None or not template.serves(options, trace_header):
                template = _Template(function_name, options, trace_header)
                self._keep(template)
            request = template.take()
            if payload is not None:
                set_payload(request, payload)
            pointer = self._open()
            if in_logger():
                raise refused(
                    "a client's logger cannot invoke functions, since the call that it logs is still under way: let "
                    "another thread do it (logging.handlers.QueueHandler)"
                )
        except InvalidArgumentError as error:
            raise type(error)(error.result, function_name) from error.__cause__
        return pointer, template, request

    def _keep(self, template: _Template) -> None:
        """Keeps a template for the next calls of a function, if its options cannot change."""
        options = (*template.options, template.trace_header)
        if template.is_complete and all(type(option) in _IMMUTABLE for option in options):
            if len(self._templates) >= _MAX_TEMPLATES:
                self._templates.clear()
            self._templates[template.function_name] = template
            # In this order, since another thread may close the client meanwhile.
            if self._pointer is None:
                self._templates.clear()

    def _open(self) -> ClientPointer:
        if self._pointer is None:
            raise refused("the client is closed")
        return self._pointer

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuses copy, deepcopy and pickle: two clients would free what is there once."""
        raise TypeError(
            f"cannot copy or pickle a {type(self).__name__}, which holds connections and credentials: share this one "
            "between threads and forked children, and let a process that was started by spawn or forkserver make its "
            "own (such as in the initializer of multiprocessing.Pool or concurrent.futures.ProcessPoolExecutor)"
        )

    def __enter__(self) -> Client:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Template:
    """The request of a function's last call, without its payload: most calls have the options of the one before."""

    __slots__ = ("_idle", "_request", "function_name", "is_complete", "options", "trace_header")

    def __init__(self, function_name: str, options: tuple[object, ...], trace_header: str | None) -> None:
        given: dict[str, Any] = dict(zip(_OPTIONS, options), trace_header=trace_header)
        self._request, self.is_complete = _request(function_name, {name: given[name] for name in _FIELDS})
        self.is_complete &= _ask_for_log(self._request, given["log"], given["invocation_type"])
        _set_client_context(self._request, given["client_context"])
        self.function_name = function_name
        self.options = options
        self.trace_header = trace_header
        self._idle: list[RequestPointer] = []

    def serves(self, options: tuple[object, ...], trace_header: str | None) -> bool:
        # The same objects: what is equal may be of another type, such as 1 and True.
        if not all(map(operator.is_, options, self.options)):
            return False
        # Lambda's trace header is another object in each call.
        return trace_header is self.trace_header or (type(trace_header) is str and trace_header == self.trace_header)

    def take(self) -> RequestPointer:
        """Returns a request that no other call uses."""
        try:
            return self._idle.pop()
        except IndexError:
            pass
        request: RequestPointer = library.lambda_request_clone(self._request)
        if not request:
            raise failed(Status.NO_MEMORY, "no memory for a request", self.function_name)
        return request

    def give_back(self, request: RequestPointer) -> None:
        """Keeps the request of a call that has ended for another one, without its payload, which may be a secret.

        To take it out takes 4,000 instructions; to clone and free a request for each call would take 6,700.
        """
        if len(self._idle) < _MAX_IDLE and library.lambda_request_set_payload(request, None, 0) == _OK:
            self._idle.append(request)


def _trace_header_of_lambda() -> str | None:
    # os.environ catches a KeyError when it has no such variable: 8,500 instructions instead of 300.
    encoded = getattr(os.environ, "_data", None)
    if encoded is not None and _TRACE_HEADER_BYTES not in encoded:
        return None
    return os.environ.get(_TRACE_HEADER) or None


def _request(function_name: str, given: Mapping[str, object]) -> tuple[RequestPointer, bool]:
    """Makes a request, and tells whether it has all that was given."""
    request: RequestPointer = library.lambda_request_new()
    if not request:
        raise failed(Status.NO_MEMORY, "no memory for a request", function_name)
    # What the setters refuse, lambda_invoke tells.
    name_as_bytes = text("function_name", function_name, may_be_empty=True)
    statuses = [library.lambda_request_set_function_name(request, name_as_bytes)]
    for name, value in given.items():
        if value is not None:
            setter = getattr(library, f"lambda_request_set_{_C_NAMES.get(name, name)}")
            statuses.append(setter(request, _FIELDS[name](name, value)))
    return request, all(status == _OK for status in statuses)


def _ask_for_log(request: RequestPointer, log: bool, invocation_type: InvocationTypeName | None) -> bool:
    """Returns whether the request has what was given."""
    if not switch("log", log):
        return True
    if invocation_type is not None and invocation_type != InvocationType.REQUEST_RESPONSE:
        kind = choice("invocation_type", InvocationType, invocation_type)
        raise refused(f"log: is only available with the invocation type 'RequestResponse', not with '{kind}'")
    status: int = library.lambda_request_set_log_type(request, _abi.LOG_TYPE_TAIL)
    return status == _OK


def _set_client_context(request: RequestPointer, client_context: Mapping[str, object] | str | None) -> None:
    if client_context is None:
        return
    if isinstance(client_context, Mapping):
        library.lambda_request_set_client_context_json(request, json_bytes("client_context", dict(client_context)))
        return
    if not isinstance(client_context, str):
        raise wrong_type("client_context", "a mapping or a str (base64 of JSON)", client_context)
    encoded = text("client_context", client_context, may_be_empty=True)
    if library.lambda_request_set_client_context(request, encoded) != Status.OK.number:
        # C's message speaks of setters.
        raise refused(
            "client_context: a str must be base64 of JSON, at most 3,583 bytes long; pass a mapping to have it encoded"
        )
