package lambdainvoke

/*
#include <lambda_invoke.h>
*/
import "C"

import (
	"context"
	"math"
	"os"
	"time"
	"unsafe"
)

// Request says what to invoke. A field that has its zero value is not set. Invoke does not change it, so many goroutines
// may use one at once.
type Request struct {
	// FunctionName is a name, a partial ARN or an ARN, each with optional :qualifier. Must be set.
	FunctionName string
	// Qualifier is a version or an alias.
	Qualifier string
	// InvocationType is InvocationRequestResponse unless set.
	InvocationType InvocationType
	// LogType LogTypeTail asks for the end of the log, as Result.Log. Only with InvocationRequestResponse.
	LogType LogType
	// ClientContext is base64 of JSON, at most 3,583 bytes.
	ClientContext string
	// ClientContextJSON is the same field as JSON, which is checked to be such and encoded. Only one of them may be set.
	ClientContextJSON []byte
	// Payload is the event, for most functions JSON. Lambda takes 6 MB, 1 MB for an event. It is copied: it may be changed
	// as soon as Invoke returns, but not before.
	Payload []byte
	// TenantID is for functions with tenant isolation.
	TenantID string
	// DurableExecutionName names the durable execution to start or to find.
	DurableExecutionName string
	// TraceHeader is X-Amzn-Trace-Id. If it is not set, that of the context goes out (a string under the key
	// "x-amzn-trace-id", where AWS's Go runtime puts it), else the environment's _X_AMZN_TRACE_ID: so a function that
	// invokes another passes its own on, and Lambda can stop endless loops.
	TraceHeader string
	// Timeout is that of the whole call, waits and retries included; the client's unless set. The context's deadline ends
	// the call too: the sooner of both counts.
	Timeout time.Duration
	// Retry is the client's unless set.
	Retry RetryMode
}

// InvocationType says whether to wait for the function. An event that Lambda took gives ExecutionQueued.
type InvocationType int32

// LogType says whether to send the end of the log with the answer.
type LogType int32

// RetryMode says what is tried again. With RetrySafe, one Invoke never runs the function twice. No setting outside of
// the program ever chooses RetryAlways.
type RetryMode int32

func (m RetryMode) number() (C.int32_t, *Error) {
	if m < RetrySafe || m > RetryAlways {
		return 0, refuse(StatusInvalidArgument, nil, "Retry: %d is not one of RetrySafe, RetryNone, RetryAlways", int32(m))
	}
	return C.int32_t(m - 1), nil
}

// How long the library lets a call take at most, if nothing else was set.
const (
	defaultTimeout      = 910 * time.Second
	defaultShortTimeout = 60 * time.Second
)

// limit returns how long the call may take in all, counted from its begin: the request's timeout, else the client's, else
// the library's. The context's deadline makes it shorter, never longer.
func (r *Request) limit(ctx context.Context, clients time.Duration, begin time.Time) time.Duration {
	limit := r.Timeout
	if limit == 0 {
		limit = clients
	}
	if limit == 0 {
		limit = defaultTimeout
		if r.InvocationType != InvocationRequestResponse {
			limit = defaultShortTimeout
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, deadline.Sub(begin))
	}
	return limit
}

// traceHeader looks it up for each call, since Lambda's runtime sets it anew for each event.
func (r *Request) traceHeader(ctx context.Context) string {
	if r.TraceHeader != "" {
		return r.TraceHeader
	}
	if header, ok := ctx.Value("x-amzn-trace-id").(string); ok && header != "" {
		return header
	}
	return os.Getenv("_X_AMZN_TRACE_ID")
}

// prepare makes the library's request, but for what complete sets; the caller frees it. The library remembers what a setter
// rejects, and the call fails with it: only what never reaches a setter is checked here.
func (r *Request) prepare(ctx context.Context) (*C.lambda_request, *Error) {
	request := C.lambda_request_new()
	if request == nil {
		return nil, refuse(StatusNoMemory, nil, "there is no memory for a request")
	}
	if failure := r.fill(ctx, request); failure != nil {
		C.lambda_request_free(request)
		return nil, failure
	}
	return request, nil
}

func (r *Request) fill(ctx context.Context, request *C.lambda_request) *Error {
	if r.Timeout < 0 {
		return refuse(StatusInvalidArgument, nil, "Timeout: %v is negative", r.Timeout)
	}
	if r.ClientContext != "" && r.ClientContextJSON != nil {
		return refuse(StatusInvalidArgument, nil, "ClientContext: is set both as base64 and as JSON; set one of them")
	}
	var text arena
	defer text.free()
	if s := text.optional("FunctionName", r.FunctionName); s != nil {
		C.lambda_request_set_function_name(request, s)
	}
	if s := text.optional("Qualifier", r.Qualifier); s != nil {
		C.lambda_request_set_qualifier(request, s)
	}
	if s := text.optional("ClientContext", r.ClientContext); s != nil {
		C.lambda_request_set_client_context(request, s)
	}
	if r.ClientContextJSON != nil {
		C.lambda_request_set_client_context_json(request, text.copy("ClientContextJSON", string(r.ClientContextJSON)))
	}
	if s := text.optional("TenantID", r.TenantID); s != nil {
		C.lambda_request_set_tenant_id(request, s)
	}
	if s := text.optional("DurableExecutionName", r.DurableExecutionName); s != nil {
		C.lambda_request_set_durable_execution_name(request, s)
	}
	if s := text.optional("TraceHeader", r.traceHeader(ctx)); s != nil {
		C.lambda_request_set_trace_header(request, s)
	}
	if text.err != nil {
		return text.err
	}
	C.lambda_request_set_invocation_type(request, C.int32_t(r.InvocationType))
	C.lambda_request_set_log_type(request, C.int32_t(r.LogType))
	if r.Retry != 0 {
		mode, failure := r.Retry.number()
		if failure != nil {
			return failure
		}
		C.lambda_request_set_retry(request, mode)
	}
	return nil
}

// complete sets what is only known, or only worth its memory, once the library may be called.
func (r *Request) complete(request *C.lambda_request, left time.Duration) {
	if len(r.Payload) > 0 {
		// Taking the element's address inside the call lets the checks of cgo see that only bytes are passed, even if they
		// lie in a struct with Go pointers.
		C.lambda_request_set_payload(request, unsafe.Pointer(&r.Payload[0]), C.size_t(len(r.Payload)))
	}
	// 0 would mean the client's, and the deadline may pass at any moment.
	C.lambda_request_set_timeout_ms(request, milliseconds(max(left, 1)))
}

// milliseconds rounds up: 0 would mean the default, and a call must not end before its context.
func milliseconds(d time.Duration) C.uint64_t {
	if d > math.MaxInt64-time.Millisecond {
		return C.uint64_t(d / time.Millisecond)
	}
	return C.uint64_t((d + time.Millisecond - 1) / time.Millisecond)
}
