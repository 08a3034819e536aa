"""include/lambda_invoke.h for ctypes; tests/test_abi.py compares the two."""

from __future__ import annotations

import ctypes
import functools
import os
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# LAMBDA_VERSION_NUMBER of the header that this was written from.
HEADER_VERSION = 1_000

FILE_NAME = "liblambda_invoke.so.0"

INVOCATION_REQUEST_RESPONSE, INVOCATION_EVENT, INVOCATION_DRY_RUN = 0, 1, 2
LOG_TYPE_NONE, LOG_TYPE_TAIL = 0, 1
RETRY_SAFE, RETRY_NONE, RETRY_ALWAYS = 0, 1, 2
LOG_LEVEL_OFF, LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_TRACE = 0, 1, 2, 3, 4, 5


# Pointers to what the library made. They are classes of their own so that ctypes refuses one in another's place, and so
# that the foreign call itself makes the object that will free it: a KeyboardInterrupt cannot come between the two.
class ErrorPointer(c_void_p):
    pass


class ConfigPointer(c_void_p):
    pass


class ClientPointer(c_void_p):
    # A client's _callback.Callbacks.
    callbacks: Any


class RequestPointer(c_void_p):
    pass


class ResultPointer(c_void_p):
    pass


class StringPointer(c_void_p):
    pass


FREED_BY = {
    ErrorPointer: "lambda_error_free",
    ConfigPointer: "lambda_config_free",
    ClientPointer: "lambda_client_free",
    RequestPointer: "lambda_request_free",
    ResultPointer: "lambda_result_free",
    StringPointer: "lambda_string_free",
}


class ResultStruct(ctypes.Structure):
    _fields_ = [
        ("status", c_int32),
        ("execution", c_int32),
        ("http_status", c_int32),
        ("attempts", c_uint32),
        ("payload", POINTER(c_uint8)),
        ("payload_len", c_size_t),
        # Bytes with a length: c_char_p would end them at a NUL.
        ("log", POINTER(c_char)),
        ("log_len", c_size_t),
        ("function_error", c_char_p),
        ("error_type", c_char_p),
        ("error_message", c_char_p),
        ("throttle_reason", c_char_p),
        ("retry_after_ms", c_uint64),
        ("request_id", c_char_p),
        ("executed_version", c_char_p),
        ("durable_execution_arn", c_char_p),
        ("duration_us", c_uint64),
        ("tag", c_uint64),
        ("content_type", c_char_p),
        ("unknown_attempts", c_uint32),
        ("reserved", c_uint32),
    ]


InterruptFn = ctypes.CFUNCTYPE(c_int32, c_void_p)
# Their pointers as numbers, which is what _callback.py wants of them.
CredentialsFn = ctypes.CFUNCTYPE(c_int32, c_ssize_t, c_ssize_t)
LogFn = ctypes.CFUNCTYPE(None, c_ssize_t, c_int32, c_ssize_t, c_ssize_t)

# What the function returns, then what it takes.
FUNCTIONS = {
    "lambda_version_number": (c_uint32,),
    "lambda_version": (c_char_p,),
    "lambda_status_name": (c_char_p, c_int32),
    "lambda_string_free": (None, StringPointer),
    "lambda_credentials_set": (c_int32, c_ssize_t, c_char_p, c_char_p, c_char_p, c_int64),
    "lambda_credentials_set_error": (c_int32, c_ssize_t, c_char_p),
    "lambda_error_status": (c_int32, ErrorPointer),
    "lambda_error_message": (c_char_p, ErrorPointer),
    "lambda_error_free": (None, ErrorPointer),
    "lambda_config_new": (ConfigPointer,),
    "lambda_config_free": (None, ConfigPointer),
    "lambda_config_set_region": (c_int32, ConfigPointer, c_char_p),
    "lambda_config_set_endpoint_url": (c_int32, ConfigPointer, c_char_p),
    "lambda_config_set_credentials": (c_int32, ConfigPointer, c_char_p, c_char_p, c_char_p),
    "lambda_config_set_profile": (c_int32, ConfigPointer, c_char_p),
    "lambda_config_set_credentials_callback": (c_int32, ConfigPointer, CredentialsFn, c_void_p, c_void_p),
    "lambda_config_set_use_fips": (c_int32, ConfigPointer, c_int32),
    "lambda_config_set_use_dual_stack": (c_int32, ConfigPointer, c_int32),
    "lambda_config_set_ca_bundle": (c_int32, ConfigPointer, c_char_p),
    "lambda_config_set_proxy": (c_int32, ConfigPointer, c_char_p),
    "lambda_config_set_app_id": (c_int32, ConfigPointer, c_char_p),
    "lambda_config_set_log": (c_int32, ConfigPointer, c_int32, LogFn, c_void_p, c_void_p),
    "lambda_config_set_connect_timeout_ms": (c_int32, ConfigPointer, c_uint64),
    "lambda_config_set_timeout_ms": (c_int32, ConfigPointer, c_uint64),
    "lambda_config_set_max_attempts": (c_int32, ConfigPointer, c_uint32),
    "lambda_config_set_retry": (c_int32, ConfigPointer, c_int32),
    "lambda_config_set_max_connections": (c_int32, ConfigPointer, c_uint32),
    "lambda_config_set_max_response_bytes": (c_int32, ConfigPointer, c_uint64),
    "lambda_client_new": (c_int32, ConfigPointer, POINTER(ClientPointer), POINTER(ErrorPointer)),
    "lambda_client_describe": (StringPointer, ClientPointer),
    "lambda_client_free": (None, ClientPointer),
    "lambda_request_new": (RequestPointer,),
    "lambda_request_clone": (RequestPointer, RequestPointer),
    "lambda_request_free": (None, RequestPointer),
    "lambda_request_set_function_name": (c_int32, RequestPointer, c_char_p),
    "lambda_request_set_qualifier": (c_int32, RequestPointer, c_char_p),
    "lambda_request_set_invocation_type": (c_int32, RequestPointer, c_int32),
    "lambda_request_set_log_type": (c_int32, RequestPointer, c_int32),
    "lambda_request_set_client_context": (c_int32, RequestPointer, c_char_p),
    "lambda_request_set_client_context_json": (c_int32, RequestPointer, c_char_p),
    "lambda_request_set_payload": (c_int32, RequestPointer, c_void_p, c_size_t),
    "lambda_request_set_tenant_id": (c_int32, RequestPointer, c_char_p),
    "lambda_request_set_durable_execution_name": (c_int32, RequestPointer, c_char_p),
    "lambda_request_set_trace_header": (c_int32, RequestPointer, c_char_p),
    "lambda_request_set_timeout_ms": (c_int32, RequestPointer, c_uint64),
    "lambda_request_set_retry": (c_int32, RequestPointer, c_int32),
    "lambda_request_set_interrupt": (c_int32, RequestPointer, InterruptFn, c_void_p),
    "lambda_result_clone": (ResultPointer, ResultPointer),
    "lambda_result_free": (None, ResultPointer),
    "lambda_invoke": (ResultPointer, ClientPointer, RequestPointer),
}


def _load() -> ctypes.CDLL:
    chosen = os.environ.get("LAMBDA_INVOKE_LIBRARY")
    if chosen:
        return _open(chosen, "LAMBDA_INVOKE_LIBRARY names it")
    package = os.path.dirname(os.path.abspath(__file__))
    repository = os.path.dirname(os.path.dirname(os.path.dirname(package)))
    candidates = [os.path.join(package, FILE_NAME), os.path.join(repository, "build", "lib", FILE_NAME)]
    for path in candidates:
        if os.path.exists(path):
            return _open(path, "it belongs to this package")
    raise ImportError(
        f"{FILE_NAME} is neither {' nor '.join(candidates)}: install the package with pip, run 'make lib' in its "
        "repository, or set LAMBDA_INVOKE_LIBRARY to the library's path"
    )


def _open(path: str, why: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"cannot load {path} ({why}): {error}") from error
    # The version first: a library of another age may lack other functions.
    try:
        _declare(library, "lambda_version_number")
        number = library.lambda_version_number()
        if number // 1_000_000 != HEADER_VERSION // 1_000_000 or number < HEADER_VERSION:
            raise ImportError(
                f"{path} ({why}) is version {_dotted(number)}; this package needs {_dotted(HEADER_VERSION)} or later "
                f"of the same major version"
            )
        for name in FUNCTIONS:
            _declare(library, name)
    except AttributeError as error:
        raise ImportError(f"{path} ({why}) is no usable liblambda_invoke: {error}") from error
    for pointer, name in FREED_BY.items():
        _free_with(pointer, getattr(library, name))
    return library


def _declare(library: ctypes.CDLL, name: str) -> None:
    function = getattr(library, name)
    function.restype, *function.argtypes = FUNCTIONS[name]


def _dotted(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"


def _free_with(pointer: type[c_void_p], free: Callable[[c_void_p], object]) -> None:
    """Has the pointer freed with its last reference.

    Not by a `def __del__`: Python may deliver Ctrl-C in there, and would lose it. A property over built-in callables is
    the same without a line of Python that could be interrupted: asked for, it binds free to the pointer.
    """
    bind = functools.partial(functools.partial, free)
    pointer.__del__ = property(bind)  # type: ignore[attr-defined]


library = _load()
