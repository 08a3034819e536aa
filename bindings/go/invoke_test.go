package lambdainvoke_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

func TestResult(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	result := invoke(t, client, &lambdainvoke.Request{FunctionName: "hello", Payload: []byte(`{"name": "Ada"}`)})

	expect(t, "Payload", string(result.Payload), `{"greeting": "Hello, Ada!"}`)
	expect(t, "Log is nil", result.Log == nil, true)
	expect(t, "Status", result.Status, lambdainvoke.StatusOK)
	expect(t, "Execution", result.Execution, lambdainvoke.ExecutionRan)
	expect(t, "HTTPStatus", result.HTTPStatus, http.StatusOK)
	expect(t, "Attempts", result.Attempts, 1)
	expect(t, "UnknownAttempts", result.UnknownAttempts, 0)
	expect(t, "FunctionError", result.FunctionError, "")
	expect(t, "ErrorType", result.ErrorType, "")
	expect(t, "ErrorMessage", result.ErrorMessage, "")
	expect(t, "ThrottleReason", result.ThrottleReason, "")
	expect(t, "RetryAfter", result.RetryAfter, 0)
	expect(t, "RequestID is there", result.RequestID != "", true)
	expect(t, "ExecutedVersion", result.ExecutedVersion, "$LATEST")
	expect(t, "DurableExecutionARN", result.DurableExecutionARN, "")
	expect(t, "ContentType", result.ContentType, "application/json")
	expect(t, "Duration is there", result.Duration > 0 && result.Duration < patience, true)
}

// The fields that the local endpoint's own functions do not answer with.
func TestRareFieldsOfResult(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{MaxAttempts: 1})
	result := invoke(t, client, script(t,
		"answer 200 X-Amz-Durable-Execution-Arn=arn:aws:lambda:us-east-1:123456789012:durable|Content-Type=text/plain hi"))
	expect(t, "Payload", string(result.Payload), "hi")
	expect(t, "DurableExecutionARN", result.DurableExecutionARN, "arn:aws:lambda:us-east-1:123456789012:durable")
	expect(t, "ContentType", result.ContentType, "text/plain")

	throttled := invokeFails(t, client, script(t,
		`answer 429 Retry-After=7|X-Amzn-ErrorType=TooManyRequestsException {"Reason":"CallerRateLimitExceeded","message":"slow down"}`))
	expect(t, "Status", throttled.Status, lambdainvoke.StatusThrottled)
	expect(t, "RetryAfter", throttled.RetryAfter, 7*time.Second)
	expect(t, "ThrottleReason", throttled.ThrottleReason, "CallerRateLimitExceeded")
}

func TestLog(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	result := invoke(t, client, &lambdainvoke.Request{
		FunctionName: "printing",
		LogType:      lambdainvoke.LogTypeTail,
		Payload:      []byte(`{"text": "over \u00e9\u4e16 and out"}`),
	})
	expectContains(t, "Log", string(result.Log), "over é世 and out\n")
}

func TestFieldsReachTheFunction(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	json := `{"custom": {"key": "välue"}}`
	request := lambdainvoke.Request{
		FunctionName:         "context",
		Qualifier:            "live",
		InvocationType:       lambdainvoke.InvocationRequestResponse,
		LogType:              lambdainvoke.LogTypeNone,
		ClientContextJSON:    []byte(json),
		Payload:              []byte("any bytes"),
		TenantID:             "tenant 1",
		DurableExecutionName: "order-42",
		TraceHeader:          trace,
		Timeout:              patience,
		Retry:                lambdainvoke.RetryNone,
	}
	check := func(t *testing.T) {
		result := invoke(t, client, &request)
		expect(t, "ExecutedVersion", result.ExecutedVersion, "2")
		seen := string(result.Payload)
		expectContains(t, "version", seen, "version=2\n")
		expectContains(t, "arn", seen, ":context:live\n")
		expectContains(t, "request_id", seen, "request_id="+result.RequestID+"\n")
		expectContains(t, "client_context", seen, `client_context={"custom": {"key": "v\u00e4lue"}}`+"\n")
		expectContains(t, "tenant_id", seen, "tenant_id=tenant 1\n")
		expectContains(t, "durable_execution_name", seen, "durable_execution_name=order-42\n")
		expectContains(t, "trace_header", seen, "trace_header="+trace+"\n")
		expectContains(t, "payload", seen, "payload=any bytes\n")
	}
	t.Run("client context as JSON", check)
	request.ClientContextJSON = nil
	request.ClientContext = base64.StdEncoding.EncodeToString([]byte(json))
	t.Run("client context in base64", check)
}

func TestFieldsOnTheWire(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	head := func(request lambdainvoke.Request) string {
		request.FunctionName = "wire"
		return string(invoke(t, client, &request).Payload)
	}
	expectContains(t, "LogTypeTail", head(lambdainvoke.Request{LogType: lambdainvoke.LogTypeTail}), "\nx-amz-log-type: Tail\n")
	unset := head(lambdainvoke.Request{})
	for _, name := range []string{"log-type", "client-context", "tenant-id", "durable-execution-name", "trace-id", "?Qualifier"} {
		if strings.Contains(unset, name) {
			t.Errorf("%s: nothing was set, but the request was %q", name, unset)
		}
	}
}

func TestEventAndDryRun(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	event := invoke(t, client, &lambdainvoke.Request{FunctionName: "hello", InvocationType: lambdainvoke.InvocationEvent, Payload: []byte("{}")})
	expect(t, "event's Execution", event.Execution, lambdainvoke.ExecutionQueued)
	expect(t, "event's HTTPStatus", event.HTTPStatus, http.StatusAccepted)
	dry := invoke(t, client, &lambdainvoke.Request{FunctionName: "hello", InvocationType: lambdainvoke.InvocationDryRun})
	expect(t, "dry run's Execution", dry.Execution, lambdainvoke.ExecutionNone)
	expect(t, "dry run's HTTPStatus", dry.HTTPStatus, http.StatusNoContent)
}

func TestPayloads(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	// Every byte value, and as much as Lambda takes.
	large := bytes.Repeat([]byte("0123456789abcde\x00\xff\xfe\n"), 6_000_000/19)
	for name, payload := range map[string][]byte{
		"nil":       nil,
		"empty":     {},
		"one NUL":   {0},
		"not UTF-8": []byte("\xff\x00\xfe"),
		"large":     large,
	} {
		t.Run(name, func(t *testing.T) {
			result := invoke(t, client, &lambdainvoke.Request{FunctionName: "echo", Payload: payload})
			if !bytes.Equal(result.Payload, payload) {
				t.Errorf("%d bytes came back otherwise, as %d bytes", len(payload), len(result.Payload))
			}
		})
	}
}

func TestAnswerLongerThanTheRequest(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	const length = 50_000_000
	request := script(t, fmt.Sprintf(`send HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n`+"\npad %d", length, length))
	result := invoke(t, client, request)
	expect(t, "length", len(result.Payload), length)
	expect(t, "count of x", bytes.Count(result.Payload, []byte("x")), length)
}

// The checks of cgo look at the whole of what they take to be passed: here that has a Go pointer in it.
func TestPayloadInsideStructWithPointers(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	message := &struct {
		next *int
		data [16]byte
	}{next: new(int)}
	copy(message.data[:], "0123456789abcdef")
	result := invoke(t, client, &lambdainvoke.Request{FunctionName: "echo", Payload: message.data[2:12]})
	expect(t, "Payload", string(result.Payload), "23456789ab")
}

func TestTraceHeader(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	sent := func(ctx context.Context, given string) string {
		result, err := client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "wire", TraceHeader: given})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(result.Payload), "\n") {
			if value, found := strings.CutPrefix(line, "x-amzn-trace-id: "); found {
				return value
			}
		}
		return "none"
	}
	background := context.Background()
	//nolint:revive,staticcheck // AWS's Go runtime uses a plain string as the key.
	inHandler := context.WithValue(background, "x-amzn-trace-id", "Root=context")

	expect(t, "outside of Lambda", sent(background, ""), "none")
	expect(t, "of the context, outside of Lambda", sent(inHandler, ""), "Root=context")
	t.Setenv("_X_AMZN_TRACE_ID", "Root=environment")
	expect(t, "of the environment", sent(background, ""), "Root=environment")
	expect(t, "of the context", sent(inHandler, ""), "Root=context")
	expect(t, "given", sent(inHandler, "Root=given"), "Root=given")
	t.Setenv("_X_AMZN_TRACE_ID", "Root=next-event")
	expect(t, "of the next event", sent(background, ""), "Root=next-event")
}

// script is a request to the function of that name, whose attempts are counted by the test.
func script(t testing.TB, attempts ...string) *lambdainvoke.Request {
	return &lambdainvoke.Request{
		FunctionName: "script",
		TenantID:     fmt.Sprintf("go-%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), time.Now().UnixNano()),
		Payload:      []byte(strings.Join(attempts, "\nthen\n")),
	}
}
