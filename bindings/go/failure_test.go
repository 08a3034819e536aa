package lambdainvoke_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

func TestFunctionError(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	failed := invokeFails(t, client, &lambdainvoke.Request{
		FunctionName: "failing",
		LogType:      lambdainvoke.LogTypeTail,
		Payload:      []byte(`{"message": "no bolts"}`),
	})
	expect(t, "Status", failed.Status, lambdainvoke.StatusFunctionError)
	expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionRan)
	expect(t, "HTTPStatus", failed.HTTPStatus, http.StatusOK)
	expect(t, "FunctionError", failed.FunctionError, "Unhandled")
	expect(t, "ErrorType", failed.ErrorType, "OutOfStock")
	expect(t, "ErrorMessage", failed.ErrorMessage, "no bolts")
	expectContains(t, "Payload", string(failed.Payload), `"errorType": "OutOfStock"`)
	expectContains(t, "Log", string(failed.Log), "about to fail")
	expect(t, "ErrFunction", errors.Is(failed, lambdainvoke.ErrFunction), true)
	expect(t, "ErrThrottled", errors.Is(failed, lambdainvoke.ErrThrottled), false)
	expect(t, "Error()", failed.Error(), "lambdainvoke: failing: LAMBDA_FUNCTION_ERROR: OutOfStock: no bolts (execution RAN, request id "+
		failed.RequestID+")")
}

func TestThrottled(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{MaxAttempts: 2})
	throttled := invokeFails(t, client, &lambdainvoke.Request{FunctionName: "full"})
	expect(t, "Status", throttled.Status, lambdainvoke.StatusThrottled)
	expect(t, "Execution", throttled.Execution, lambdainvoke.ExecutionNone)
	expect(t, "HTTPStatus", throttled.HTTPStatus, http.StatusTooManyRequests)
	expect(t, "Attempts", throttled.Attempts, 2)
	expect(t, "ErrorType", throttled.ErrorType, "TooManyRequestsException")
	expect(t, "ThrottleReason is there", throttled.ThrottleReason != "", true)
	expect(t, "ErrThrottled", errors.Is(throttled, lambdainvoke.ErrThrottled), true)
	expect(t, "ErrFunction", errors.Is(throttled, lambdainvoke.ErrFunction), false)
	expect(t, "Error()", throttled.Error(), fmt.Sprintf("lambdainvoke: full: LAMBDA_E_THROTTLED: TooManyRequestsException: %s "+
		"(execution NONE, reason %s, attempts 2, request id %s)",
		strings.TrimPrefix(throttled.ErrorMessage, "full: "), throttled.ThrottleReason, throttled.RequestID))
}

func TestService(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	missing := invokeFails(t, client, &lambdainvoke.Request{FunctionName: "no-such-function"})
	expect(t, "Status", missing.Status, lambdainvoke.StatusService)
	expect(t, "Execution", missing.Execution, lambdainvoke.ExecutionNone)
	expect(t, "HTTPStatus", missing.HTTPStatus, http.StatusNotFound)
	expect(t, "ErrorType", missing.ErrorType, "ResourceNotFoundException")

	stranger := newClient(t, lambdainvoke.Config{Credentials: lambdainvoke.Credentials{AccessKeyID: "local", SecretAccessKey: "wrong"}})
	refused := invokeFails(t, stranger, &lambdainvoke.Request{FunctionName: "hello"})
	expect(t, "Status", refused.Status, lambdainvoke.StatusService)
	expect(t, "HTTPStatus", refused.HTTPStatus, http.StatusForbidden)
}

func TestTransport(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	refused := invokeFails(t, newClient(t, lambdainvoke.Config{EndpointURL: closed, MaxAttempts: 2}), &lambdainvoke.Request{FunctionName: "f"})
	expect(t, "refused: Status", refused.Status, lambdainvoke.StatusConnect)
	expect(t, "refused: Execution", refused.Execution, lambdainvoke.ExecutionNone)
	expect(t, "refused: Attempts", refused.Attempts, 2)

	client := newClient(t, lambdainvoke.Config{})
	for _, row := range []struct {
		name      string
		request   *lambdainvoke.Request
		status    lambdainvoke.Status
		execution lambdainvoke.Execution
	}{
		{"reset", script(t, "reset"), lambdainvoke.StatusIO, lambdainvoke.ExecutionUnknown},
		{"answer cut", script(t, `send HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf`+"\nclose"), lambdainvoke.StatusIO, lambdainvoke.ExecutionRan},
		{"redirection", script(t, "answer 302 Location=/"), lambdainvoke.StatusProtocol, lambdainvoke.ExecutionUnknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			failed := invokeFails(t, client, row.request)
			expect(t, "Status", failed.Status, row.status)
			expect(t, "Execution", failed.Execution, row.execution)
			expect(t, "Attempts", failed.Attempts, 1)
			expect(t, "ErrorMessage is there", failed.ErrorMessage != "", true)
		})
	}
}

func TestTLS(t *testing.T) {
	// A server that does not speak it.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	client := newClient(t, lambdainvoke.Config{EndpointURL: "https://" + listener.Addr().String(), MaxAttempts: 1})
	failed := invokeFails(t, client, &lambdainvoke.Request{FunctionName: "f"})
	expect(t, "Status", failed.Status, lambdainvoke.StatusTLS)
	expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionNone)
}

func TestTooLarge(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{MaxResponseBytes: 9})
	expect(t, "length", len(invoke(t, client, &lambdainvoke.Request{FunctionName: "echo", Payload: []byte("123456789")}).Payload), 9)
	failed := invokeFails(t, client, &lambdainvoke.Request{FunctionName: "echo", Payload: []byte("1234567890")})
	expect(t, "Status", failed.Status, lambdainvoke.StatusTooLarge)
	expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionRan)
	expect(t, "length", len(failed.Payload), 0)
}

func TestTimeouts(t *testing.T) {
	for _, row := range []struct {
		name    string
		config  lambdainvoke.Config
		request lambdainvoke.Request
	}{
		{"of the client", lambdainvoke.Config{Timeout: 50 * time.Millisecond}, lambdainvoke.Request{}},
		{"of the request", lambdainvoke.Config{}, lambdainvoke.Request{Timeout: 50 * time.Millisecond}},
		{"of the request, before the client's", lambdainvoke.Config{Timeout: patience}, lambdainvoke.Request{Timeout: 50 * time.Millisecond}},
		{"shorter than a millisecond", lambdainvoke.Config{Timeout: patience}, lambdainvoke.Request{Timeout: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			slow := newSlowFunction(t, row.config)
			row.request.FunctionName = "slow"
			failed := invokeFails(t, slow.client, &row.request)
			expect(t, "Status", failed.Status, lambdainvoke.StatusTimeout)
			expectTimeout(t, failed)
		})
	}
}

// expectTimeout looks for each way in which programs recognise a timeout.
func expectTimeout(t *testing.T, err error) {
	t.Helper()
	expect(t, "is ErrTimeout", errors.Is(err, lambdainvoke.ErrTimeout), true)
	expect(t, "is context.DeadlineExceeded", errors.Is(err, context.DeadlineExceeded), true)
	expect(t, "is context.Canceled", errors.Is(err, context.Canceled), false)
	var timeout interface{ Timeout() bool }
	expect(t, "has Timeout()", errors.As(err, &timeout) && timeout.Timeout(), true)
	var network net.Error
	expect(t, "is a net.Error", errors.As(err, &network) && network.Timeout(), true)
}

func TestConnectTimeout(t *testing.T) {
	// Nobody accepts, and nobody shakes hands.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client := newClient(t, lambdainvoke.Config{
		EndpointURL:    "https://" + listener.Addr().String(),
		ConnectTimeout: 50 * time.Millisecond,
		MaxAttempts:    1,
		Timeout:        patience,
	})
	failed := invokeFails(t, client, &lambdainvoke.Request{FunctionName: "f"})
	expect(t, "Status", failed.Status, lambdainvoke.StatusConnect)
	expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionNone)
}

func TestRetry(t *testing.T) {
	const once, twice = 1, 2
	for _, row := range []struct {
		client, request lambdainvoke.RetryMode
		unknown         int // attempts after a reset, which may have run
		throttled       int // attempts after a refusal, which certainly did not
	}{
		{0, 0, once, twice},
		{lambdainvoke.RetrySafe, 0, once, twice},
		{lambdainvoke.RetryNone, 0, once, once},
		{lambdainvoke.RetryAlways, 0, twice, twice},
		{0, lambdainvoke.RetryAlways, twice, twice},
		{lambdainvoke.RetryAlways, lambdainvoke.RetrySafe, once, twice},
		{lambdainvoke.RetryAlways, lambdainvoke.RetryNone, once, once},
	} {
		t.Run(fmt.Sprintf("client %d, request %d", row.client, row.request), func(t *testing.T) {
			client := newClient(t, lambdainvoke.Config{Retry: row.client, MaxAttempts: twice})
			request := script(t, "reset")
			request.Retry = row.request
			unknown := invokeFails(t, client, request)
			expect(t, "Attempts after a reset", unknown.Attempts, row.unknown)
			expect(t, "UnknownAttempts after a reset", unknown.UnknownAttempts, row.unknown)
			expect(t, "Execution after a reset", unknown.Execution, lambdainvoke.ExecutionUnknown)
			throttled := invokeFails(t, client, &lambdainvoke.Request{FunctionName: "full", Retry: row.request})
			expect(t, "Attempts after throttling", throttled.Attempts, row.throttled)
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{})
	for _, row := range []struct {
		name    string
		request *lambdainvoke.Request
		message string
	}{
		{"nil", nil, "request: is nil"},
		{"nothing set", &lambdainvoke.Request{}, "FunctionName: "},
		{"not UTF-8", &lambdainvoke.Request{FunctionName: "\xff"}, "FunctionName: "},
		{"NUL in FunctionName", &lambdainvoke.Request{FunctionName: "f\x00g"}, "FunctionName: holds a NUL byte, at index 1"},
		{"NUL in Qualifier", &lambdainvoke.Request{FunctionName: "f", Qualifier: "\x00"}, "Qualifier: holds a NUL byte"},
		{"NUL in ClientContext", &lambdainvoke.Request{FunctionName: "f", ClientContext: "e30=\x00"}, "ClientContext: holds a NUL byte"},
		{"NUL in ClientContextJSON", &lambdainvoke.Request{FunctionName: "f", ClientContextJSON: []byte("{}\x00")}, "ClientContextJSON: holds a NUL byte"},
		{"NUL in TenantID", &lambdainvoke.Request{FunctionName: "f", TenantID: "a\x00"}, "TenantID: holds a NUL byte"},
		{"NUL in DurableExecutionName", &lambdainvoke.Request{FunctionName: "f", DurableExecutionName: "a\x00"}, "DurableExecutionName: holds a NUL byte"},
		{"NUL in TraceHeader", &lambdainvoke.Request{FunctionName: "f", TraceHeader: "a\x00"}, "TraceHeader: holds a NUL byte"},
		{"first of two", &lambdainvoke.Request{FunctionName: "f\x00", TenantID: "a\x00"}, "FunctionName: holds a NUL byte"},
		{"both client contexts", &lambdainvoke.Request{FunctionName: "f", ClientContext: "e30=", ClientContextJSON: []byte("{}")}, "ClientContext: is set both"},
		{"empty ClientContextJSON", &lambdainvoke.Request{FunctionName: "f", ClientContextJSON: []byte{}}, "ClientContext: "},
		{"ClientContextJSON is not JSON", &lambdainvoke.Request{FunctionName: "f", ClientContextJSON: []byte("{")}, "ClientContext: "},
		{"ClientContext is not base64", &lambdainvoke.Request{FunctionName: "f", ClientContext: "{}"}, "ClientContext: "},
		{"InvocationType", &lambdainvoke.Request{FunctionName: "f", InvocationType: 3}, "InvocationType: "},
		{"LogType", &lambdainvoke.Request{FunctionName: "f", LogType: -1}, "LogType: "},
		{"Timeout", &lambdainvoke.Request{FunctionName: "f", Timeout: -time.Second}, "f: Timeout: -1s is negative"},
		{"Retry too great", &lambdainvoke.Request{FunctionName: "f", Retry: 4}, "Retry: 4 is not one of"},
		{"Retry negative", &lambdainvoke.Request{FunctionName: "f", Retry: -1}, "Retry: -1 is not one of"},
	} {
		t.Run(row.name, func(t *testing.T) {
			refused := invokeFails(t, slow.client, row.request)
			expect(t, "Status", refused.Status, lambdainvoke.StatusInvalidArgument)
			expect(t, "Execution", refused.Execution, lambdainvoke.ExecutionNone)
			expect(t, "Attempts", refused.Attempts, 0)
			expectContains(t, "ErrorMessage", refused.ErrorMessage, row.message)
			expectGo(t, refused)
		})
	}
	expect(t, "requests that were sent", slow.count.Load(), 0)
}

// expectGo looks for the library's own names, which say nothing to who writes Go, and for line breaks.
func expectGo(t *testing.T, err error) {
	t.Helper()
	if found := regexp.MustCompile(`NULL|[a-z]_[a-z]|[\n\r]`).FindString(err.Error()); found != "" {
		t.Errorf("%q is in %q", found, err)
	}
}

func TestRefusedConfigs(t *testing.T) {
	good := lambdainvoke.Credentials{AccessKeyID: "local", SecretAccessKey: "local-secret"}
	for _, row := range []struct {
		name    string
		config  lambdainvoke.Config
		message string
	}{
		{"Region", lambdainvoke.Config{Region: "not a region"}, "Region: "},
		{"NUL in Region", lambdainvoke.Config{Region: "us-east-1\x00"}, "Region: holds a NUL byte, at index 9"},
		{"EndpointURL", lambdainvoke.Config{EndpointURL: "ftp://host"}, "EndpointURL: "},
		{"NUL in EndpointURL", lambdainvoke.Config{EndpointURL: "http://host\x00"}, "EndpointURL: holds a NUL byte"},
		{"NUL in AccessKeyID", lambdainvoke.Config{Credentials: lambdainvoke.Credentials{AccessKeyID: "\x00", SecretAccessKey: "s"}}, "AccessKeyID: holds a NUL byte"},
		{"NUL in SecretAccessKey", lambdainvoke.Config{Credentials: lambdainvoke.Credentials{AccessKeyID: "a", SecretAccessKey: "\x00"}}, "SecretAccessKey: holds a NUL byte"},
		{"NUL in SessionToken", lambdainvoke.Config{Credentials: lambdainvoke.Credentials{AccessKeyID: "a", SecretAccessKey: "s", SessionToken: "\x00"}}, "SessionToken: holds a NUL byte"},
		{"half of Credentials", lambdainvoke.Config{Credentials: lambdainvoke.Credentials{AccessKeyID: "a"}}, "Credentials: SecretAccessKey is not set"},
		{"SessionToken alone", lambdainvoke.Config{Credentials: lambdainvoke.Credentials{SessionToken: "t"}}, "Credentials: AccessKeyID is not set"},
		{"Timeout", lambdainvoke.Config{Timeout: -1}, "Timeout: -1ns is negative"},
		{"ConnectTimeout", lambdainvoke.Config{ConnectTimeout: -1}, "ConnectTimeout: -1ns is negative"},
		{"MaxAttempts", lambdainvoke.Config{MaxAttempts: -1}, "MaxAttempts: -1 is not between"},
		{"MaxAttempts too great", lambdainvoke.Config{MaxAttempts: math.MaxUint32 + 1}, "MaxAttempts: 4294967296 is not between"},
		{"Retry", lambdainvoke.Config{Retry: 4}, "Retry: 4 is not one of"},
		{"MaxConnections", lambdainvoke.Config{MaxConnections: -1}, "MaxConnections: -1 is not between"},
		{"MaxResponseBytes", lambdainvoke.Config{MaxResponseBytes: -1}, "MaxResponseBytes: -1 is not between"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.config.Credentials == (lambdainvoke.Credentials{}) {
				row.config.Credentials = good
			}
			client, err := lambdainvoke.NewClient(row.config)
			if client != nil {
				t.Error("there is a client")
			}
			refused := failure(t, nil, err)
			expect(t, "Status", refused.Status, lambdainvoke.StatusInvalidArgument)
			expect(t, "Execution", refused.Execution, lambdainvoke.ExecutionNone)
			expectContains(t, "ErrorMessage", refused.ErrorMessage, row.message)
			expectGo(t, refused)
		})
	}
}

func TestNoRegion(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	client, err := lambdainvoke.NewClient(lambdainvoke.Config{})
	if err == nil {
		// The region of an ARN would do, so the lack of one may show only now.
		_, err = client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "hello"})
		client.Close()
	}
	refused := failure(t, nil, err)
	expect(t, "Status", refused.Status, lambdainvoke.StatusConfig)
	expectContains(t, "ErrorMessage", strings.ToLower(refused.ErrorMessage), "region")
}

func TestNoCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	// No other source may be asked, least of all over the network.
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	client, err := lambdainvoke.NewClient(lambdainvoke.Config{})
	if err == nil {
		_, err = client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "hello"})
		client.Close()
	}
	expect(t, "Status", failure(t, nil, err).Status, lambdainvoke.StatusCredentials)
}

func TestExplicitConfig(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{
		Region:         "eu-central-1",
		Credentials:    lambdainvoke.Credentials{AccessKeyID: "a", SecretAccessKey: "s", SessionToken: "t"},
		MaxConnections: 1,
	})
	first := slow.begin(context.Background())
	await(t, "first call's start", slow.started)
	expectContains(t, "Authorization", slow.head.Load().Get("Authorization"), "Credential=a/")
	expectContains(t, "Authorization", slow.head.Load().Get("Authorization"), "/eu-central-1/lambda/")
	expect(t, "X-Amz-Security-Token", slow.head.Load().Get("X-Amz-Security-Token"), "t")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	second := await(t, "second call's end", slow.begin(ctx))
	waited := failure(t, second.result, second.err)
	expect(t, "Status of a call that waits its turn", waited.Status, lambdainvoke.StatusTimeout)
	expect(t, "Execution of a call that waits its turn", waited.Execution, lambdainvoke.ExecutionNone)
	slow.answer <- struct{}{}
	if done := await(t, "first call's end", first); done.err != nil {
		t.Error(done.err)
	}
	expect(t, "requests that were sent", slow.count.Load(), 1)
}

func TestNames(t *testing.T) {
	expect(t, "StatusTimeout", lambdainvoke.StatusTimeout.String(), "LAMBDA_E_TIMEOUT")
	expect(t, "an unknown Status", lambdainvoke.Status(99).String(), "LAMBDA_STATUS_UNKNOWN")
	expect(t, "ExecutionUnknown", lambdainvoke.ExecutionUnknown.String(), "UNKNOWN")
	expect(t, "an unknown Execution", lambdainvoke.Execution(99).String(), "Execution(99)")
}
