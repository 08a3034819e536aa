package lambdainvoke

/*
#include <lambda_invoke.h>

// Makes a request of what is set; strings are NULL if they are not. Returns NULL if there is no memory. The request remembers
// what a setter rejects. One call from Go for all fields takes 0.6 us, where one for each took 0.9 us.
static lambda_request *make_request(
	const char *function_name, const char *qualifier, const char *client_context, const char *client_context_json,
	const char *tenant_id, const char *durable_execution_name, const char *trace_header,
	int32_t invocation_type, int32_t log_type, int32_t retry,
	const uint8_t *payload, size_t payload_len, uint64_t timeout_ms
) {
	lambda_request *request = lambda_request_new();
	if (request == NULL) {
		return NULL;
	}
	if (function_name != NULL) {
		lambda_request_set_function_name(request, function_name);
	}
	if (qualifier != NULL) {
		lambda_request_set_qualifier(request, qualifier);
	}
	if (client_context != NULL) {
		lambda_request_set_client_context(request, client_context);
	}
	if (client_context_json != NULL) {
		lambda_request_set_client_context_json(request, client_context_json);
	}
	if (tenant_id != NULL) {
		lambda_request_set_tenant_id(request, tenant_id);
	}
	if (durable_execution_name != NULL) {
		lambda_request_set_durable_execution_name(request, durable_execution_name);
	}
	if (trace_header != NULL) {
		lambda_request_set_trace_header(request, trace_header);
	}
	lambda_request_set_invocation_type(request, invocation_type);
	lambda_request_set_log_type(request, log_type);
	lambda_request_set_retry(request, retry);
	if (payload_len > 0) {
		lambda_request_set_payload(request, payload, payload_len);
	}
	lambda_request_set_timeout_ms(request, timeout_ms);
	return request;
}
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

// prepare makes the library's request of a call that ends after the time left; the caller frees it. The library remembers what a
// setter rejects, and the call fails with it: only what never reaches a setter is checked here.
func (r *Request) prepare(ctx context.Context, left time.Duration) (*C.lambda_request, *Error) {
	if r.Timeout < 0 {
		return nil, refuse(StatusInvalidArgument, nil, "Timeout: %v is negative", r.Timeout)
	}
	if r.ClientContext != "" && r.ClientContextJSON != nil {
		return nil, refuse(StatusInvalidArgument, nil, "ClientContext: is set both as base64 and as JSON; set one of them")
	}
	var text arena
	defer text.wipe()
	functionName := text.optional("FunctionName", r.FunctionName)
	qualifier := text.optional("Qualifier", r.Qualifier)
	clientContext := text.optional("ClientContext", r.ClientContext)
	var clientContextJSON *C.char
	if r.ClientContextJSON != nil {
		clientContextJSON = text.copy("ClientContextJSON", string(r.ClientContextJSON))
	}
	tenantID := text.optional("TenantID", r.TenantID)
	durableExecutionName := text.optional("DurableExecutionName", r.DurableExecutionName)
	traceHeader := text.optional("TraceHeader", r.traceHeader(ctx))
	if text.err != nil {
		return nil, text.err
	}
	retry := C.int32_t(-1) // the client's
	if r.Retry != 0 {
		mode, failure := r.Retry.number()
		if failure != nil {
			return nil, failure
		}
		retry = mode
	}
	request := C.make_request(
		functionName, qualifier, clientContext, clientContextJSON, tenantID, durableExecutionName, traceHeader,
		C.int32_t(r.InvocationType), C.int32_t(r.LogType), retry,
		(*C.uint8_t)(unsafe.SliceData(r.Payload)), C.size_t(len(r.Payload)),
		// 0 would mean the client's, and the deadline may pass at any moment.
		milliseconds(max(left, 1)),
	)
	if request == nil {
		return nil, refuse(StatusNoMemory, nil, "there is no memory for a request")
	}
	return request, nil
}

// milliseconds rounds up: 0 would mean the default, and a call must not end before its context.
func milliseconds(d time.Duration) C.uint64_t {
	if d > math.MaxInt64-time.Millisecond {
		return C.uint64_t(d / time.Millisecond)
	}
	return C.uint64_t((d + time.Millisecond - 1) / time.Millisecond)
}
