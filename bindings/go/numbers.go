// Code generated from include/lambda_invoke.h by tools/generate_bindings.py (make header). DO NOT EDIT.

package lambdainvoke

/*
#include <lambda_invoke.h>

// Functions are only added within a major version.
#if LAMBDA_VERSION_MAJOR != 0 || LAMBDA_VERSION_NUMBER < 1000
#error "this Go package needs lambda_invoke.h of a version from 0.1.0 on and below 1.0.0"
#endif
*/
import "C"

const (
	// The call succeeded: the function returned, the event was queued, or the dry run was allowed.
	StatusOK Status = C.LAMBDA_OK
	// The function ran and failed: ErrorType and ErrorMessage are the function's own.
	StatusFunctionError Status = C.LAMBDA_FUNCTION_ERROR
	// A value cannot be sent, a required object is NULL, or a number does not exist.
	StatusInvalidArgument Status = C.LAMBDA_E_INVALID_ARGUMENT
	// There is no region or no such profile, a setting in code, in the environment or in a file is invalid, a CA file
	// cannot be read, or settings contradict each other, such as FIPS with a custom endpoint.
	StatusConfig Status = C.LAMBDA_E_CONFIG
	// There are no usable credentials; ErrorMessage lists every source that was searched.
	StatusCredentials Status = C.LAMBDA_E_CREDENTIALS
	// The endpoint's name could not be resolved.
	StatusResolve Status = C.LAMBDA_E_RESOLVE
	// There was no connection: refused, unreachable, connect timeout, or rejected by the proxy.
	StatusConnect Status = C.LAMBDA_E_CONNECT
	// The TLS handshake failed.
	StatusTLS Status = C.LAMBDA_E_TLS
	// The connection broke after the request had begun to leave; execution tells what is known.
	StatusIO Status = C.LAMBDA_E_IO
	// The deadline of the call passed; execution tells whether anything had been sent.
	StatusTimeout Status = C.LAMBDA_E_TIMEOUT
	// The caller cancelled the call.
	StatusCancelled Status = C.LAMBDA_E_CANCELLED
	// The request was throttled; ThrottleReason and RetryAfter tell more.
	StatusThrottled Status = C.LAMBDA_E_THROTTLED
	// The service responded with an HTTP error; ErrorType is its code, if it sent one.
	StatusService Status = C.LAMBDA_E_SERVICE
	// The response is not one of this API: not HTTP, a redirect, an unexpected status, or from somebody else than
	// Lambda.
	StatusProtocol Status = C.LAMBDA_E_PROTOCOL
	// The response is longer than MaxResponseBytes.
	StatusTooLarge Status = C.LAMBDA_E_TOO_LARGE
	// A panic was caught inside the library; please report it.
	StatusInternal Status = C.LAMBDA_E_INTERNAL
	// There was no memory for the call, its payload or its response.
	StatusNoMemory Status = C.LAMBDA_E_NO_MEMORY
)

const (
	// It cannot be known whether the function ran: it may have run, may be running, or may run yet.
	ExecutionUnknown Execution = C.LAMBDA_EXECUTION_UNKNOWN
	// The function certainly did not run, and will not.
	ExecutionNone Execution = C.LAMBDA_EXECUTION_NONE
	// The function was started; the status tells how it went.
	ExecutionRan Execution = C.LAMBDA_EXECUTION_RAN
	// Lambda accepted the event (HTTP 202) and will run the function by its own rules: at least once, and again after
	// errors.
	ExecutionQueued Execution = C.LAMBDA_EXECUTION_QUEUED
)

const (
	// Waits for the function's response.
	InvocationRequestResponse InvocationType = C.LAMBDA_INVOCATION_REQUEST_RESPONSE
	// Queues the event; Lambda runs the function later.
	InvocationEvent InvocationType = C.LAMBDA_INVOCATION_EVENT
	// Only checks that the caller may invoke the function.
	InvocationDryRun InvocationType = C.LAMBDA_INVOCATION_DRY_RUN
)

const (
	// The response carries no log.
	LogTypeNone LogType = C.LAMBDA_LOG_TYPE_NONE
	// The response carries the last 4 KB of the function's log.
	LogTypeTail LogType = C.LAMBDA_LOG_TYPE_TAIL
)

// Greater by one than the library's numbers: the zero value means that none is set.
const (
	// Retries only attempts after which the function certainly did not run.
	RetrySafe RetryMode = C.LAMBDA_RETRY_SAFE + 1
	// Never retries.
	RetryNone RetryMode = C.LAMBDA_RETRY_NONE + 1
	// Also retries attempts that may have run the function: for functions that may run twice.
	RetryAlways RetryMode = C.LAMBDA_RETRY_ALWAYS + 1
)

var executionNames = map[Execution]string{
	ExecutionUnknown: "UNKNOWN",
	ExecutionNone:    "NONE",
	ExecutionRan:     "RAN",
	ExecutionQueued:  "QUEUED",
}
