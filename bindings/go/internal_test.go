package lambdainvoke

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCheckVersion(t *testing.T) {
	for _, row := range []struct {
		header, library uint32
		good            bool
	}{
		{1_000, 1_000, true},
		{1_000, 1_001, true},
		{1_000, 2_000, true},
		{2_000, 1_999, false},
		{1_000, 1_000_000, false},
		{1_002_003, 1_002_003, true},
		{1_002_003, 2_002_003, false},
		{1_002_003, 1_002_002, false},
	} {
		if err := checkVersion(row.header, row.library); (err == nil) != row.good {
			t.Errorf("header %d, library %d: got %v", row.header, row.library, err)
		}
	}
	const want = "lambdainvoke: LAMBDA_E_CONFIG: the loaded liblambda_invoke is version 2.0.7, but this program was compiled " +
		"with version 1.2.3: it needs that or a later one of the same major version (execution NONE)"
	if got := checkVersion(1_002_003, 2_000_007).Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := Version(), dotted(headerVersion); got < want {
		t.Errorf("the library is version %s, older than its header %s", got, want)
	}
}

// Which of all timeouts counts, without waiting for any.
func TestLimitOfRequest(t *testing.T) {
	const none = time.Duration(math.MinInt64)
	for _, row := range []struct {
		name                      string
		deadline, client, request time.Duration
		kind                      InvocationType
		want                      time.Duration
	}{
		{"nothing set", none, 0, 0, InvocationRequestResponse, 910 * time.Second},
		{"event", none, 0, 0, InvocationEvent, time.Minute},
		{"dry run", none, 0, 0, InvocationDryRun, time.Minute},
		{"client's", none, time.Hour, 0, InvocationEvent, time.Hour},
		{"request's", none, time.Minute, time.Second, InvocationRequestResponse, time.Second},
		{"longest", none, time.Minute, math.MaxInt64, InvocationRequestResponse, math.MaxInt64},
		{"deadline alone", time.Minute, 0, 0, InvocationRequestResponse, time.Minute},
		{"deadline before the default", 909 * time.Second, 0, 0, InvocationRequestResponse, 909 * time.Second},
		{"deadline after the default", 911 * time.Second, 0, 0, InvocationRequestResponse, 910 * time.Second},
		{"event, deadline before the default", 59 * time.Second, 0, 0, InvocationEvent, 59 * time.Second},
		{"event, deadline after the default", 61 * time.Second, 0, 0, InvocationEvent, time.Minute},
		{"deadline before the client's", time.Minute, time.Hour, 0, InvocationRequestResponse, time.Minute},
		{"deadline after the client's", time.Hour, time.Minute, 0, InvocationRequestResponse, time.Minute},
		{"deadline after the client's, before the request's", time.Hour, time.Minute, 2 * time.Hour, InvocationRequestResponse, time.Hour},
		{"deadline after the request's, before the client's", time.Hour, 2 * time.Hour, time.Minute, InvocationRequestResponse, time.Minute},
		{"deadline in ages", math.MaxInt64, 0, 0, InvocationRequestResponse, 910 * time.Second},
		{"deadline in the past", -time.Hour, 0, 0, InvocationRequestResponse, -time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			begin, ctx := time.Now(), context.Background()
			if row.deadline != none {
				limited, cancel := context.WithDeadline(ctx, begin.Add(row.deadline))
				defer cancel()
				ctx = limited
			}
			request := Request{Timeout: row.request, InvocationType: row.kind}
			if got := request.limit(ctx, row.client, begin); got != row.want {
				t.Errorf("got %v, want %v", got, row.want)
			}
		})
	}
}

// The library's defaults stand in this package too, since the wait of a call counts.
func TestDefaultTimeouts(t *testing.T) {
	client, err := NewClient(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	settings, err := client.Describe()
	if err != nil {
		t.Fatal(err)
	}
	inForce := fmt.Sprint(settings["timeout_ms"])
	for _, want := range []time.Duration{defaultTimeout, defaultShortTimeout} {
		if !strings.Contains(inForce, fmt.Sprintf("%d ", want.Milliseconds())) {
			t.Errorf("%v is not among the library's timeouts: %s", want, inForce)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for duration, want := range map[time.Duration]uint64{
		0:                                0,
		1:                                1,
		time.Millisecond:                 1,
		time.Millisecond + 1:             2,
		time.Hour:                        3_600_000,
		math.MaxInt64:                    math.MaxInt64 / uint64(time.Millisecond),
		math.MaxInt64 - time.Millisecond: math.MaxInt64 / uint64(time.Millisecond),
	} {
		if got := uint64(milliseconds(duration)); got != want {
			t.Errorf("%v: got %d, want %d", duration, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for count, want := range map[uint64]time.Duration{
		0:                 0,
		7_000:             7 * time.Second,
		9_223_372_036_854: 9_223_372_036_854 * time.Millisecond,
		9_223_372_036_855: math.MaxInt64,
		math.MaxUint64:    math.MaxInt64,
	} {
		if got := duration(count, time.Millisecond); got != want {
			t.Errorf("%d ms: got %v, want %v", count, got, want)
		}
	}
}

func TestRefusalsAreForgotten(t *testing.T) {
	var kept refusals
	const message = "no credentials: the credentials callback: "
	if got := kept.of(message + "none yet"); got != nil {
		t.Errorf("of nothing: %v", got)
	}
	old, renewed := errors.New("old"), errors.New("renewed")
	for i := range [manyRefusals]struct{}{} {
		kept.add(old, fmt.Sprint(i))
	}
	kept.add(renewed, "0")
	for i := range [manyRefusals]struct{}{} {
		want := old
		if i == 0 {
			want = renewed
		}
		if got := kept.of(message + fmt.Sprint(i)); got != want {
			t.Errorf("%d: got %v, want %v", i, got, want)
		}
	}
	kept.add(old, "one more")
	if got := kept.of(message + "1"); got != nil {
		t.Errorf("the oldest: got %v", got)
	}
	if got := len(kept.last); got != manyRefusals {
		t.Errorf("%d are kept", got)
	}
}

func TestInGo(t *testing.T) {
	for _, row := range []struct {
		status        Status
		message, want string
	}{
		{StatusInvalidArgument, "function_name: is not set", "FunctionName: is not set"},
		{StatusInvalidArgument, "orders: log_type: 7 is none of them", "orders: LogType: 7 is none of them"},
		{StatusInvalidArgument, "credentials: access_key_id is empty", "Credentials: AccessKeyID is empty"},
		{StatusInvalidArgument, "qualifier: tenant_id holds a space", "Qualifier: TenantID holds a space"},
		{StatusInvalidArgument, "qualifier", "qualifier"},
		{StatusInvalidArgument, "", ""},
		{StatusInvalidArgument, "something_else: is odd", "something_else: is odd"},
		{StatusConfig, "region: is odd in the profile", "region: is odd in the profile"},
		{StatusTooLarge, "it is longer than max_response_bytes, 9", "it is longer than MaxResponseBytes, 9"},
		{StatusCredentials, "orders: no credentials: the credentials callback: session_token is odd", "orders: no credentials: the CredentialsProvider: SessionToken is odd"},
		{StatusCredentials, "no credentials: the credentials callback: timeout: log in first", "no credentials: the CredentialsProvider: timeout: log in first"},
		{StatusCredentials, "no credentials: the credentials callback: log in first", "no credentials: the CredentialsProvider: log in first"},
		{StatusService, "function_name: what a server says", "function_name: what a server says"},
	} {
		if got := inGo(row.status, "orders", row.message); got != row.want {
			t.Errorf("%v %q: got %q, want %q", row.status, row.message, got, row.want)
		}
	}
}

// The connection of a call that was alone does not stay open when the client is at rest.
func TestIdleTimeout(t *testing.T) {
	defer func(timeout time.Duration) { idleTimeout = timeout }(idleTimeout)
	idleTimeout = 100 * time.Millisecond
	changes := make(chan http.ConnState, 100)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew || state == http.StateClosed {
			changes <- state
		}
	}
	server.Start()
	defer server.Close()
	client, err := NewClient(Config{EndpointURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	call := func() {
		var failure *Error
		if _, err := client.Invoke(context.Background(), &Request{FunctionName: "hello"}); !errors.As(err, &failure) || failure.HTTPStatus != http.StatusNotFound {
			t.Fatal(err)
		}
	}
	expect := func(want http.ConnState) {
		t.Helper()
		select {
		case got := <-changes:
			if got != want {
				t.Fatalf("a connection is %v, want %v", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no connection is %v", want)
		}
	}
	for range [3]struct{}{} {
		call()
		expect(http.StateNew)
		expect(http.StateClosed)
	}
	// Not while another call is under way.
	held, failure := client.acquire()
	if failure != nil {
		t.Fatal(failure)
	}
	call()
	expect(http.StateNew)
	held.closeIdle()
	call()
	if len(changes) > 0 {
		t.Errorf("a connection is %v during a call", <-changes)
	}
	held.release()
	expect(http.StateClosed)
	client.Close()
	held.closeIdle()
}
