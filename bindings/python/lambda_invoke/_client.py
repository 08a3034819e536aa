"""The client."""

from __future__ import annotations

import ctypes
import enum
import json
import os
from collections.abc import Mapping
from ctypes import byref
from typing import TYPE_CHECKING, Any, TypeVar

from . import _abi, _interrupt
from ._abi import ClientPointer, ConfigPointer, ErrorPointer, RequestPointer, library
from ._callback import Callbacks, level_of
from ._errors import CredentialsError, error_for, failed, refused
from ._result import Result, Status, read

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from types import TracebackType

    from ._callback import Credentials


class InvocationType(str, enum.Enum):
    REQUEST_RESPONSE = "RequestResponse"
    """Wait for the function's answer."""
    EVENT = "Event"
    """Let Lambda queue it."""
    DRY_RUN = "DryRun"
    """Only check that it could be invoked."""


class Retry(str, enum.Enum):
    SAFE = "safe"
    """Retry only what certainly did not run."""
    NONE = "none"
    ALWAYS = "always"
    """Retry also what may have run: for functions that may run twice."""


_INVOCATION_TYPES = {
    InvocationType.REQUEST_RESPONSE: _abi.INVOCATION_REQUEST_RESPONSE,
    InvocationType.EVENT: _abi.INVOCATION_EVENT,
    InvocationType.DRY_RUN: _abi.INVOCATION_DRY_RUN,
}
_RETRIES = {Retry.SAFE: _abi.RETRY_SAFE, Retry.NONE: _abi.RETRY_NONE, Retry.ALWAYS: _abi.RETRY_ALWAYS}

_UINT32_MAX = 2**32 - 1
_UINT64_MAX = 2**64 - 1


class Client:
    """Settings and connections for calls, from any number of threads at once.

    What is not given comes from the environment and the shared AWS files, as for every AWS tool, which are read here.
    Times are in seconds.

    profile: one that must exist; its credentials go before the environment's.
    credentials: a callable, asked when there are none yet and shortly before they expire, never twice at once; what it
        raises is the cause of the call's CredentialsError. access_key_id and its kin go before it.
    ca_bundle: a PEM file of the certificates to trust, in the place of the system's.
    proxy: a URL, with user:password@ if it asks for that; "" for none.
    app_id: names the application in User-Agent.
    logger: gets what happens inside, never a secret, up to the level it is enabled for now (5 is the most detailed).
    """

    __slots__ = ("__weakref__", "_has_callbacks", "_pointer")

    # None once closed. Each call under way holds the pointer as well, so the last of them to end frees the client. That
    # needs no lock, which a fork or a signal's handler could find taken.
    _pointer: ClientPointer | None

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
        retry: Retry | str | None = None,
        max_attempts: int | None = None,
        max_connections: int | None = None,
        max_response_bytes: int | None = None,
    ) -> None:
        self._pointer = None
        config: ConfigPointer = library.lambda_config_new()
        if not config:
            raise failed(Status.NO_MEMORY, "no memory for a client's settings")
        callbacks = Callbacks()
        # What the setters refuse, lambda_client_new tells.
        if region is not None:
            library.lambda_config_set_region(config, _text("region", region))
        if profile is not None:
            library.lambda_config_set_profile(config, _text("profile", profile))
        if use_fips is not None:
            library.lambda_config_set_use_fips(config, int(bool(use_fips)))
        if use_dual_stack is not None:
            library.lambda_config_set_use_dual_stack(config, int(bool(use_dual_stack)))
        if credentials is not None:
            if not callable(credentials):
                raise TypeError(f"credentials must be callable, not {type(credentials).__name__}")
            library.lambda_config_set_credentials_callback(config, callbacks.ask(credentials), None, None)
        if ca_bundle is not None:
            library.lambda_config_set_ca_bundle(config, _text("ca_bundle", os.fspath(ca_bundle)))
        if proxy is not None:
            library.lambda_config_set_proxy(config, _text("proxy", proxy))
        if app_id is not None:
            library.lambda_config_set_app_id(config, _text("app_id", app_id))
        if logger is not None:
            library.lambda_config_set_log(config, level_of(logger), callbacks.log(logger), None, None)
        if endpoint_url is not None:
            library.lambda_config_set_endpoint_url(config, _text("endpoint_url", endpoint_url))
        if any(value is not None for value in (access_key_id, secret_access_key, session_token)):
            library.lambda_config_set_credentials(
                config,
                _text("access_key_id", access_key_id),
                _text("secret_access_key", secret_access_key),
                _text("session_token", session_token),
            )
        if timeout is not None:
            library.lambda_config_set_timeout_ms(config, _milliseconds("timeout", timeout))
        if connect_timeout is not None:
            library.lambda_config_set_connect_timeout_ms(config, _milliseconds("connect_timeout", connect_timeout))
        if retry is not None:
            library.lambda_config_set_retry(config, _RETRIES[_choice("retry", Retry, retry)])
        if max_attempts is not None:
            library.lambda_config_set_max_attempts(config, _count("max_attempts", max_attempts, _UINT32_MAX))
        if max_connections is not None:
            library.lambda_config_set_max_connections(config, _count("max_connections", max_connections, _UINT32_MAX))
        if max_response_bytes is not None:
            limit = _count("max_response_bytes", max_response_bytes, _UINT64_MAX)
            library.lambda_config_set_max_response_bytes(config, limit)

        client, error = ClientPointer(), ErrorPointer()
        status = library.lambda_client_new(config, byref(client), byref(error))
        callbacks.raised()
        if status != Status.OK:
            message: bytes = library.lambda_error_message(error)
            raise failed(Status(library.lambda_error_status(error)), message.decode())
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
        invocation_type: InvocationType | str | None = None,
        log: bool = False,
        client_context: Mapping[str, object] | str | None = None,
        tenant_id: str | None = None,
        durable_execution_name: str | None = None,
        trace_header: str | None = None,
        timeout: float | None = None,
        retry: Retry | str | None = None,
        stop: _interrupt.Stop | None = None,
    ) -> Result:
        """Invokes a function and waits; whatever is no success is raised, with its result (LambdaError).

        function_name: a name, a partial ARN or an ARN.
        payload: bytes, or a str of JSON, are sent as they are; None sends none; anything else is encoded as JSON.
        invocation_type: else RequestResponse.
        log: asks for the end of the function's log.
        client_context: a mapping, sent as JSON, or what is in Base64 already.
        trace_header: else _X_AMZN_TRACE_ID, which is set inside Lambda, so that Lambda can stop endless loops.
        timeout, retry: else the client's. The timeout covers the whole call, its retries included.
        stop: a callable, or a flag such as threading.Event, asked again and again: true ends the call. A signal's
            handler that raises, as that of Ctrl-C does, ends it without, on the main thread.
        """
        request: RequestPointer = library.lambda_request_new()
        if not request:
            raise failed(Status.NO_MEMORY, "no memory for a request")
        # What the setters refuse, lambda_invoke tells.
        library.lambda_request_set_function_name(request, _text("function_name", function_name))
        data = _payload(payload)
        if data is not None:
            library.lambda_request_set_payload(request, data, len(data))
        if qualifier is not None:
            library.lambda_request_set_qualifier(request, _text("qualifier", qualifier))
        if invocation_type is not None:
            kind = _choice("invocation_type", InvocationType, invocation_type)
            library.lambda_request_set_invocation_type(request, _INVOCATION_TYPES[kind])
        if log:
            library.lambda_request_set_log_type(request, _abi.LOG_TYPE_TAIL)
        if isinstance(client_context, Mapping):
            library.lambda_request_set_client_context_json(request, _json(dict(client_context)))
        elif client_context is not None:
            library.lambda_request_set_client_context(request, _text("client_context", client_context))
        if tenant_id is not None:
            library.lambda_request_set_tenant_id(request, _text("tenant_id", tenant_id))
        if durable_execution_name is not None:
            name = _text("durable_execution_name", durable_execution_name)
            library.lambda_request_set_durable_execution_name(request, name)
        if trace_header is None:
            trace_header = os.environ.get("_X_AMZN_TRACE_ID") or None
        if trace_header is not None:
            library.lambda_request_set_trace_header(request, _text("trace_header", trace_header))
        if timeout is not None:
            library.lambda_request_set_timeout_ms(request, _milliseconds("timeout", timeout))
        if retry is not None:
            library.lambda_request_set_retry(request, _RETRIES[_choice("retry", Retry, retry)])

        pointer = self._open()
        callbacks: Callbacks = pointer.callbacks
        callbacks.prepare()
        # Asked also so that the interpreter does not end while C may call Python.
        ended = callbacks.interrupted if self._has_callbacks else None
        try:
            result = read(_interrupt.invoke(pointer, request, stop, ended))
        finally:
            raised = callbacks.raised()
        error = error_for(result)
        if isinstance(error, CredentialsError):
            raise error from raised
        if error is not None:
            raise error
        return result

    def describe(self) -> dict[str, dict[str, Any]]:
        """The settings in force, by name: each a dict of its "value" and its "source". Never a secret."""
        text = library.lambda_client_describe(self._open())
        if not text:
            raise failed(Status.NO_MEMORY, "no memory for a description")
        described: dict[str, dict[str, Any]] = json.loads(ctypes.string_at(text.value))
        return described

    def close(self) -> None:
        """Lets go of the connections, when the calls under way are over. Closing again does nothing."""
        self._pointer = None

    def _open(self) -> ClientPointer:
        if self._pointer is None:
            raise refused("the client is closed")
        return self._pointer

    def __enter__(self) -> Client:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _payload(payload: object) -> bytes | None:
    if payload is None or isinstance(payload, bytes):
        return payload
    if isinstance(payload, (bytearray, memoryview)):
        return bytes(payload)
    return payload.encode() if isinstance(payload, str) else _json(payload)


def _json(value: object) -> bytes:
    # What json would add, Lambda would count and refuse: ASCII escapes for every other character, NaN.
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _text(name: str, value: str | None) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if "\0" in value:
        raise refused(f"{name}: holds a NUL character")
    # Half a surrogate pair is for the library to refuse, which names the field.
    return value.encode("utf-8", "surrogatepass")


def _milliseconds(name: str, seconds: float) -> int:
    # 0 would mean the default.
    if not 0 < seconds <= _UINT64_MAX // 1000:
        raise refused(f"{name}: must be more than 0 seconds, and finite, not {seconds!r}")
    return max(1, round(seconds * 1000))


def _count(name: str, value: int, largest: int) -> int:
    # ctypes would drop the bits that do not fit.
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not 0 <= value <= largest:
        raise refused(f"{name}: must be 0 to {largest}, not {value}")
    return value


_Choice = TypeVar("_Choice", bound=enum.Enum)


def _choice(name: str, choices: type[_Choice], value: object) -> _Choice:
    try:
        return choices(value)
    except ValueError:
        known = ", ".join(repr(choice.value) for choice in choices)
        raise refused(f"{name}: must be one of {known}, not {value!r}") from None
