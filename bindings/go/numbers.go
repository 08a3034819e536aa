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
	// The function ran and failed: ErrorType and ErrorMessage are its own.
	StatusFunctionError Status = C.LAMBDA_FUNCTION_ERROR
	// A value that cannot be sent, NULL where an object belongs, a number that does not exist.
	StatusInvalidArgument Status = C.LAMBDA_E_INVALID_ARGUMENT
	// No region, no such profile, a bad setting in the environment or a file, an unreadable CA file, FIPS with a custom
	// endpoint ...
	StatusConfig Status = C.LAMBDA_E_CONFIG
	// No usable credentials: ErrorMessage lists every source that was asked.
	StatusCredentials Status = C.LAMBDA_E_CREDENTIALS
	// The endpoint's name could not be looked up.
	StatusResolve Status = C.LAMBDA_E_RESOLVE
	// No connection: refused, unreachable, connect timeout, or the proxy said no.
	StatusConnect Status = C.LAMBDA_E_CONNECT
	// The TLS handshake failed.
	StatusTLS Status = C.LAMBDA_E_TLS
	// The connection broke after the request had begun; execution says what is known.
	StatusIO Status = C.LAMBDA_E_IO
	// The call's deadline passed; execution says whether anything had been sent.
	StatusTimeout Status = C.LAMBDA_E_TIMEOUT
	// The caller ended the call.
	StatusCancelled Status = C.LAMBDA_E_CANCELLED
	// The service turned the request away for its rate: ThrottleReason and RetryAfter say more.
	StatusThrottled Status = C.LAMBDA_E_THROTTLED
	// An HTTP error answer: ErrorType is its code, if it had one.
	StatusService Status = C.LAMBDA_E_SERVICE
	// The answer makes no sense for this API: no HTTP, 3xx, an odd 2xx.
	StatusProtocol Status = C.LAMBDA_E_PROTOCOL
	// The answer is longer than MaxResponseBytes.
	StatusTooLarge Status = C.LAMBDA_E_TOO_LARGE
	// A caught panic; please report it.
	StatusInternal Status = C.LAMBDA_E_INTERNAL
	// No memory for a payload or an answer.
	StatusNoMemory Status = C.LAMBDA_E_NO_MEMORY
)

const (
	// "Did it run?" Nobody knows: it may have run, may be running, may run yet.
	ExecutionUnknown Execution = C.LAMBDA_EXECUTION_UNKNOWN
	// Certainly not, and it will not.
	ExecutionNone Execution = C.LAMBDA_EXECUTION_NONE
	// It was started; whether it finished, and how, says the status.
	ExecutionRan Execution = C.LAMBDA_EXECUTION_RAN
	// Lambda took the event (202) and will run it, by its own rules at least once and again after errors.
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
	// The response carries the end of the function's log.
	LogTypeTail LogType = C.LAMBDA_LOG_TYPE_TAIL
)

// Greater by one than the library's numbers: the zero value means that none is set.
const (
	// Retry only what certainly did not run.
	RetrySafe RetryMode = C.LAMBDA_RETRY_SAFE + 1
	// Never retry.
	RetryNone RetryMode = C.LAMBDA_RETRY_NONE + 1
	// Retry also when it may have run: for functions that may run twice.
	RetryAlways RetryMode = C.LAMBDA_RETRY_ALWAYS + 1
)

var executionNames = map[Execution]string{
	ExecutionUnknown: "UNKNOWN",
	ExecutionNone:    "NONE",
	ExecutionRan:     "RAN",
	ExecutionQueued:  "QUEUED",
}
