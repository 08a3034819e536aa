"""Generated from include/lambda_invoke.h by tools/generate_bindings.py (make header); do not edit."""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

from ._base import OpenExecution, OpenStatus, Pointer

PACKAGE_VERSION = "0.1.0"
# LAMBDA_VERSION_NUMBER of the header.
HEADER_VERSION = 1_000

# Waits for the function's response.
INVOCATION_REQUEST_RESPONSE = 0
# Queues the event; Lambda runs the function later.
INVOCATION_EVENT = 1
# Only checks that the caller may invoke the function.
INVOCATION_DRY_RUN = 2

# The response carries no log.
LOG_TYPE_NONE = 0
# The response carries the last 4 KB of the function's log.
LOG_TYPE_TAIL = 1

# Retries only attempts after which the function certainly did not run.
RETRY_SAFE = 0
# Never retries.
RETRY_NONE = 1
# Also retries attempts that may have run the function: for functions that may run twice.
RETRY_ALWAYS = 2

# No events.
LOG_LEVEL_OFF = 0
# A call failed.
LOG_LEVEL_ERROR = 1
# Something was wrong, and the library coped with it.
LOG_LEVEL_WARN = 2
# Rare and useful: where credentials came from.
LOG_LEVEL_INFO = 3
# Every attempt and its outcome.
LOG_LEVEL_DEBUG = 4
# Everything else.
LOG_LEVEL_TRACE = 5

# The stream is over: the status of its result is Status.OK or Status.FUNCTION_ERROR.
END = 2
# Nothing arrived in time; call again.
PENDING = 3


class Status(OpenStatus):
    """What became of a call."""

    OK = "OK", 0
    """The call succeeded: the function returned, the event was queued, or the dry run was allowed."""
    FUNCTION_ERROR = "FUNCTION_ERROR", 1
    """The function ran and failed: error_type and error_message are the function's own."""
    INVALID_ARGUMENT = "INVALID_ARGUMENT", -1
    """A value cannot be sent, a required object is NULL, or a number does not exist."""
    CONFIG = "CONFIG", -2
    """There is no region or no such profile, a setting in code, in the environment or in a file is invalid, a CA
    file cannot be read, or settings contradict each other, such as FIPS with a custom endpoint.
    """
    CREDENTIALS = "CREDENTIALS", -3
    """There are no usable credentials; error_message lists every source that was searched."""
    RESOLVE = "RESOLVE", -4
    """The endpoint's name could not be resolved."""
    CONNECT = "CONNECT", -5
    """There was no connection: refused, unreachable, connect timeout, or rejected by the proxy."""
    TLS = "TLS", -6
    """The TLS handshake failed."""
    IO = "IO", -7
    """The connection broke after the request had begun to leave; execution tells what is known."""
    TIMEOUT = "TIMEOUT", -8
    """The deadline of the call passed; execution tells whether anything had been sent."""
    CANCELLED = "CANCELLED", -9
    """The caller cancelled the call."""
    THROTTLED = "THROTTLED", -10
    """The request was throttled; throttle_reason and retry_after tell more."""
    SERVICE = "SERVICE", -11
    """The service responded with an HTTP error; error_type is its code, if it sent one."""
    PROTOCOL = "PROTOCOL", -12
    """The response is not one of this API: not HTTP, a redirect, an unexpected status, or from somebody else than
    Lambda.
    """
    TOO_LARGE = "TOO_LARGE", -13
    """The response is longer than max_response_bytes."""
    INTERNAL = "INTERNAL", -14
    """A panic was caught inside the library; please report it."""
    NO_MEMORY = "NO_MEMORY", -15
    """There was no memory for the call, its payload or its response."""


class Execution(OpenExecution):
    """Did the function run?"""

    UNKNOWN = "UNKNOWN", 0
    """It cannot be known whether the function ran: it may have run, may be running, or may run yet."""
    NONE = "NONE", 1
    """The function certainly did not run, and will not."""
    RAN = "RAN", 2
    """The function was started; the status tells how it went."""
    QUEUED = "QUEUED", 3
    """Lambda accepted the event (HTTP 202) and will run the function by its own rules: at least once, and again
    after errors.
    """


class ClientPointer(Pointer):
    pass


class ConfigPointer(Pointer):
    pass


class ErrorPointer(Pointer):
    pass


class QueuePointer(Pointer):
    pass


class RequestPointer(Pointer):
    pass


class StreamPointer(Pointer):
    pass


class ResultPointer(Pointer):
    pass


class StringPointer(Pointer):
    pass


FREED_BY = {
    ClientPointer: "lambda_client_free",
    ConfigPointer: "lambda_config_free",
    ErrorPointer: "lambda_error_free",
    QueuePointer: "lambda_queue_free",
    RequestPointer: "lambda_request_free",
    StreamPointer: "lambda_stream_finish",
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


# A callback receives pointers as numbers, since Python only passes them on.
CredentialsFn = ctypes.CFUNCTYPE(c_int32, c_ssize_t, c_ssize_t)
LogFn = ctypes.CFUNCTYPE(None, c_ssize_t, c_int32, c_ssize_t, c_ssize_t)
InterruptFn = ctypes.CFUNCTYPE(c_int32, c_ssize_t)

# The return type, then the parameters'.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "lambda_version_number": (c_uint32,),
    "lambda_version": (c_char_p,),
    "lambda_status_name": (c_char_p, c_int32),
    "lambda_credentials_set": (c_int32, c_ssize_t, c_char_p, c_char_p, c_char_p, c_int64),
    "lambda_credentials_set_error": (c_int32, c_ssize_t, c_char_p),
    "lambda_string_free": (None, StringPointer),
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
    "lambda_config_set_connect_timeout_ms": (c_int32, ConfigPointer, c_uint64),
    "lambda_config_set_timeout_ms": (c_int32, ConfigPointer, c_uint64),
    "lambda_config_set_max_attempts": (c_int32, ConfigPointer, c_uint32),
    "lambda_config_set_retry": (c_int32, ConfigPointer, c_int32),
    "lambda_config_set_max_connections": (c_int32, ConfigPointer, c_uint32),
    "lambda_config_set_max_response_bytes": (c_int32, ConfigPointer, c_uint64),
    "lambda_config_set_log": (c_int32, ConfigPointer, c_int32, LogFn, c_void_p, c_void_p),
    "lambda_client_new": (c_int32, ConfigPointer, POINTER(ClientPointer), POINTER(ErrorPointer)),
    "lambda_client_describe": (StringPointer, ClientPointer),
    "lambda_client_release_idle": (None, ClientPointer),
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
    "lambda_queue_new": (c_int32, POINTER(QueuePointer), POINTER(ErrorPointer)),
    "lambda_queue_submit": (c_int32, QueuePointer, ClientPointer, RequestPointer, c_uint64),
    "lambda_queue_next": (ResultPointer, QueuePointer, c_int64),
    "lambda_queue_fd": (c_int, QueuePointer),
    "lambda_queue_cancel": (c_int32, QueuePointer, c_uint64),
    "lambda_queue_in_flight": (c_size_t, QueuePointer),
    "lambda_queue_wake": (None, QueuePointer),
    "lambda_queue_free": (None, QueuePointer),
    "lambda_invoke_stream": (StreamPointer, ClientPointer, RequestPointer),
    "lambda_stream_next": (c_int32, StreamPointer, c_int64, POINTER(c_void_p), POINTER(c_size_t)),
    "lambda_stream_cancel": (None, StreamPointer),
    "lambda_stream_finish": (ResultPointer, StreamPointer),
}
