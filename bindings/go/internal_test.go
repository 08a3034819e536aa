package lambdainvoke

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
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

// serve starts an endpoint of functions that it does not know. Requests for "hang" and "hold" get no response before the test ends;
// those for "hang" are announced. Connections that are opened and closed come through the channel.
func serve(t *testing.T) (client *Client, hangs chan struct{}, changes chan http.ConnState) {
	t.Helper()
	hangs, changes = make(chan struct{}, 1000), make(chan http.ConnState, 1000)
	end := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		isAnnounced, holds := strings.Contains(r.URL.Path, "/hang/"), strings.Contains(r.URL.Path, "/hold/")
		if isAnnounced {
			hangs <- struct{}{}
		}
		if isAnnounced || holds {
			select {
			case <-end:
			case <-r.Context().Done():
			}
		}
		http.NotFound(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew || state == http.StateClosed {
			changes <- state
		}
	}
	server.Start()
	client, err := NewClient(Config{EndpointURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		close(end)
		server.Close()
	})
	return client, hangs, changes
}

// callUnknown makes a call of a function that the endpoint does not know.
func callUnknown(t *testing.T, client *Client, ctx context.Context) {
	t.Helper()
	var failure *Error
	if _, err := client.Invoke(ctx, &Request{FunctionName: "unknown"}); !errors.As(err, &failure) || failure.HTTPStatus != http.StatusNotFound {
		t.Fatal(err)
	}
}

func expectChange(t *testing.T, changes <-chan http.ConnState, want http.ConnState) {
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

func shortenIdleTimeout(t *testing.T) {
	before := idleTimeout
	idleTimeout = 100 * time.Millisecond
	t.Cleanup(func() { idleTimeout = before })
}

// The connection of a call that was alone does not stay open when the client is at rest.
func TestIdleTimeout(t *testing.T) {
	shortenIdleTimeout(t)
	client, _, changes := serve(t)
	for range [3]struct{}{} {
		callUnknown(t, client, context.Background())
		expectChange(t, changes, http.StateNew)
		expectChange(t, changes, http.StateClosed)
	}
	// Not while another call is under way.
	held, failure := client.acquire()
	if failure != nil {
		t.Fatal(failure)
	}
	callUnknown(t, client, context.Background())
	expectChange(t, changes, http.StateNew)
	held.closeIdle()
	callUnknown(t, client, context.Background())
	if len(changes) > 0 {
		t.Errorf("a connection is %v during a call", <-changes)
	}
	held.release()
	expectChange(t, changes, http.StateClosed)
	client.Close()
	held.closeIdle()
}

// A stream may be open for long: idle connections do not wait for its end, and its own is closed after that.
func TestIdleTimeoutBesideStream(t *testing.T) {
	shortenIdleTimeout(t)
	client, hangs, changes := serve(t)
	read := func(function string) (*Stream, chan error) {
		stream, err := client.InvokeStream(context.Background(), &Request{FunctionName: function})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(stream)
			ended <- err
		}()
		return stream, ended
	}
	stream, ended := read("hang")
	expectChange(t, changes, http.StateNew)
	<-hangs
	for range [3]struct{}{} {
		callUnknown(t, client, context.Background())
		expectChange(t, changes, http.StateNew)
		expectChange(t, changes, http.StateClosed)
	}
	_ = stream.Close()
	<-ended
	expectChange(t, changes, http.StateClosed)
	_, ended = read("unknown")
	<-ended
	expectChange(t, changes, http.StateNew)
	expectChange(t, changes, http.StateClosed)
}

// panicking is a context one of whose methods panics, or ends its goroutine, when it is called for the nth time.
type panicking struct {
	context.Context
	method string
	left   *atomic.Int32
	end    func()
}

func (p panicking) called(method string) {
	if method == p.method && p.left.Add(-1) == 0 {
		p.end()
	}
}

func (p panicking) Done() <-chan struct{}       { p.called("Done"); return p.Context.Done() }
func (p panicking) Err() error                  { p.called("Err"); return p.Context.Err() }
func (p panicking) Value(key any) any           { p.called("Value"); return p.Context.Value(key) }
func (p panicking) Deadline() (time.Time, bool) { p.called("Deadline"); return p.Context.Deadline() }

// expectAtRest fails if calls that have ended have left anything behind.
func expectAtRest(t *testing.T, client *Client) {
	t.Helper()
	s := client.owner.state
	s.mutex.Lock()
	defer s.mutex.Unlock()
	left := fmt.Sprint(s.calls, s.streams, underWay.Load(), len(inC), len(reading))
	if s.queue != nil {
		s.queue.mutex.Lock()
		left += fmt.Sprint(" ", s.queue.leader, len(s.queue.waiting))
		s.queue.mutex.Unlock()
	}
	if want := "0 0 0 0 0"; left != want && left != want+" 0 0" {
		t.Errorf("calls, streams, under way, in C, reading, leader, waiting: %s", left)
	}
}

// A context is the program's code: wherever that panics or ends the goroutine, this reaches the caller, and later calls go on.
func TestContextThatPanics(t *testing.T) {
	client, hangs, _ := serve(t)
	hang := func(ctx context.Context) { _, _ = client.Invoke(ctx, &Request{FunctionName: "hang"}) }
	for name, run := range map[string]func(ctx context.Context){
		"alone": func(ctx context.Context) {
			_, _ = client.Invoke(withoutDone{ctx}, &Request{FunctionName: "unknown"})
		},
		"leads": hang,
		"leads to the end": func(ctx context.Context) {
			_, _ = client.Invoke(ctx, &Request{FunctionName: "unknown"})
		},
		"follows": func(ctx context.Context) {
			leading, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = client.Invoke(leading, &Request{FunctionName: "hold"})
			}()
			defer func() { <-ended }()
			defer cancel()
			for underWay.Load() == 0 {
				runtime.Gosched()
			}
			hang(ctx)
		},
		"streams to the end": func(ctx context.Context) {
			if stream, err := client.InvokeStream(ctx, &Request{FunctionName: "unknown"}); err == nil {
				defer stream.Close()
				_, _ = io.ReadAll(stream)
			}
		},
		"streams": func(ctx context.Context) {
			if stream, err := client.InvokeStream(ctx, &Request{FunctionName: "hang"}); err == nil {
				defer stream.Close()
				_, _ = io.ReadAll(stream)
			}
		},
	} {
		for _, method := range []string{"Done", "Err", "Value", "Deadline"} {
			for end, how := range map[string]func(){"panic": func() { panic("mine") }, "Goexit": runtime.Goexit} {
				t.Run(name+" "+method+" "+end, func(t *testing.T) {
					escaped := 0
					for nth := int32(1); nth < 30; nth++ {
						isReached, hasReturned := attempt(t, hangs, run, panicking{method: method, end: how}, nth)
						if !isReached {
							break
						}
						if !hasReturned {
							escaped++
						}
						expectAtRest(t, client)
					}
					if escaped == 0 {
						t.Error("it never reached the caller")
					}
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					for range [50]struct{}{} {
						callUnknown(t, client, context.Background())
						callUnknown(t, client, ctx)
					}
				})
			}
		}
	}
}

// withoutDone is a context that cannot be cancelled.
type withoutDone struct{ context.Context }

func (w withoutDone) Done() <-chan struct{} {
	w.Context.Done()
	return nil
}

// attempt runs a call, and ends its context when the function has begun. It tells whether the context's method was called for
// the nth time, and whether the call returned.
func attempt(t *testing.T, hangs chan struct{}, run func(context.Context), ctx panicking, nth int32) (isReached, hasReturned bool) {
	t.Helper()
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx.Context, ctx.left = base, new(atomic.Int32)
	ctx.left.Store(nth)
	for len(hangs) > 0 {
		<-hangs
	}
	returned := make(chan bool, 1)
	go func() {
		isOver := false
		defer func() {
			_ = recover()
			returned <- isOver
		}()
		run(ctx)
		isOver = true
	}()
	for {
		select {
		case hasReturned = <-returned:
			return ctx.left.Load() <= 0, hasReturned
		case <-hangs:
			cancel()
		case <-time.After(30 * time.Second):
			t.Fatalf("the call hangs after call %d of %s", nth, ctx.method)
		}
	}
}
