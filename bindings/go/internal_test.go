package lambdainvoke

import (
	"context"
	"errors"
	"fmt"
	"math"
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
func TestTimeoutOfRequest(t *testing.T) {
	const none = time.Duration(-1)
	for _, row := range []struct {
		name                      string
		deadline, client, request time.Duration
		kind                      InvocationType
		shortened                 bool
	}{
		{"nothing set", none, 0, 0, InvocationRequestResponse, false},
		{"no deadline", none, time.Minute, time.Second, InvocationRequestResponse, false},
		{"deadline alone", time.Minute, 0, 0, InvocationRequestResponse, true},
		{"deadline before the default", 909 * time.Second, 0, 0, InvocationRequestResponse, true},
		{"deadline after the default", 911 * time.Second, 0, 0, InvocationRequestResponse, false},
		{"event, deadline before the default", 59 * time.Second, 0, 0, InvocationEvent, true},
		{"event, deadline after the default", 61 * time.Second, 0, 0, InvocationEvent, false},
		{"dry run, deadline after the default", 61 * time.Second, 0, 0, InvocationDryRun, false},
		{"deadline before the client's", time.Minute, time.Hour, 0, InvocationRequestResponse, true},
		{"deadline after the client's", time.Hour, time.Minute, 0, InvocationRequestResponse, false},
		{"deadline after the client's, before the request's", time.Hour, time.Minute, 2 * time.Hour, InvocationRequestResponse, true},
		{"deadline after the request's, before the client's", time.Hour, 2 * time.Hour, time.Minute, InvocationRequestResponse, false},
		{"deadline in the past", -time.Hour, 0, 0, InvocationRequestResponse, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			ctx := context.Background()
			if row.deadline != none {
				limited, cancel := context.WithTimeout(ctx, row.deadline)
				defer cancel()
				ctx = limited
			}
			request := Request{Timeout: row.request, InvocationType: row.kind}
			got := request.timeout(ctx, row.client)
			if !row.shortened && got != row.request {
				t.Errorf("got %v, want what the request says: %v", got, row.request)
			}
			if row.shortened && (got <= 0 || got > max(row.deadline, 1) || got < row.deadline-time.Second) {
				t.Errorf("got %v, want what is left of %v", got, row.deadline)
			}
		})
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
