package lambdainvoke

/*
#include <lambda_invoke.h>
*/
import "C"

import (
	"bytes"
	"fmt"
	"math"
	"time"
	"unsafe"
)

// Result is what became of a call. An [Error] holds one too.
type Result struct {
	// Payload is what the function returned or threw; empty when neither is known.
	Payload []byte
	// Log is the tail of the function's log, decoded, if LogTypeTail asked for it. It may start in the middle of a line
	// and need not be UTF-8. Nil if none was sent.
	Log []byte
	// Status says how the call went: StatusOK in every Result that Invoke returns.
	Status Status
	// Execution says whether the function ran.
	Execution Execution
	// HTTPStatus is that of the last answer, 0 if there was none.
	HTTPStatus int
	// Attempts counts the tries begun, those that found no connection included; 0 if the call was refused before.
	Attempts int
	// UnknownAttempts counts those after which nobody knows whether they ran the function; each is a possible extra run.
	UnknownAttempts int
	// FunctionError is "Unhandled" or "Handled" as Lambda sent it, empty if the function did not fail.
	FunctionError string
	// ErrorType is the function's errorType, or the service's error code.
	ErrorType string
	// ErrorMessage is empty only if the call succeeded, and never holds a secret.
	ErrorMessage string
	// ThrottleReason is why the service throttled, in its words.
	ThrottleReason string
	// RetryAfter is how long the last answer asks to wait, 0 if it did not say.
	RetryAfter time.Duration
	// RequestID is that of the last answer.
	RequestID string
	// ExecutedVersion is the version that ran, empty if the answer did not say.
	ExecutedVersion string
	// DurableExecutionARN names the durable execution that the call started or found.
	DurableExecutionARN string
	// ContentType is that of the answer.
	ContentType string
	// Duration is the time from the call to its end, waits and retries included.
	Duration time.Duration
}

// Status says how a call went. Later versions of the library may bring numbers that are not named here; whatever is not
// StatusOK is no success. A context that ends a call gives StatusTimeout if its deadline passed, else StatusCancelled.
type Status int32

// String returns the name that the library and its documentation use, such as "LAMBDA_E_TIMEOUT".
func (s Status) String() string {
	return C.GoString(C.lambda_status_name(C.lambda_status(s)))
}

// Execution answers the question whether the function ran, whatever became of the call.
type Execution int32

// String returns UNKNOWN, NONE, RAN or QUEUED.
func (e Execution) String() string {
	if name, known := executionNames[e]; known {
		return name
	}
	return fmt.Sprintf("Execution(%d)", int32(e))
}

// newResult copies everything, so that the library's own result can be freed. The payload is copied too: a slice of it may
// live longer than whatever the collector could watch to free the library's memory, which is no object of its own.
func newResult(r *C.lambda_result) Result {
	return Result{
		Payload:             copyBytes(unsafe.Pointer(r.payload), r.payload_len),
		Log:                 copyBytes(unsafe.Pointer(r.log), r.log_len),
		Status:              Status(r.status),
		Execution:           Execution(r.execution),
		HTTPStatus:          int(r.http_status),
		Attempts:            int(r.attempts),
		UnknownAttempts:     int(r.unknown_attempts),
		FunctionError:       C.GoString(r.function_error),
		ErrorType:           C.GoString(r.error_type),
		ErrorMessage:        C.GoString(r.error_message),
		ThrottleReason:      C.GoString(r.throttle_reason),
		RetryAfter:          duration(uint64(r.retry_after_ms), time.Millisecond),
		RequestID:           C.GoString(r.request_id),
		ExecutedVersion:     C.GoString(r.executed_version),
		DurableExecutionARN: C.GoString(r.durable_execution_arn),
		ContentType:         C.GoString(r.content_type),
		Duration:            duration(uint64(r.duration_us), time.Microsecond),
	}
}

// copyBytes keeps NULL apart from empty. C.GoBytes would cut the length down to an int of C.
func copyBytes(data unsafe.Pointer, length C.size_t) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(data), length))
}

// duration is the longest there is where the number is too great: a server may ask to wait for any time.
func duration(count uint64, unit time.Duration) time.Duration {
	if count > uint64(math.MaxInt64/unit) {
		return math.MaxInt64
	}
	return time.Duration(count) * unit
}
