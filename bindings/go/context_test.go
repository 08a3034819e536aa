package lambdainvoke_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// slack is how much later than promised a call may end on a busy machine.
const slack = 2 * time.Second

func TestCancel(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{})
	var took []time.Duration
	for range [20]struct{}{} {
		ctx, cancel := context.WithCancel(context.Background())
		calls := slow.begin(ctx)
		await(t, "start of the function", slow.started)
		cancelled := time.Now()
		cancel()
		ended := await(t, "end of the call", calls)
		took = append(took, time.Since(cancelled))

		failed := failure(t, ended.result, ended.err)
		expect(t, "Status", failed.Status, lambdainvoke.StatusCancelled)
		expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionUnknown)
		expect(t, "is context.Canceled", errors.Is(failed, context.Canceled), true)
		expect(t, "is context.DeadlineExceeded", errors.Is(failed, context.DeadlineExceeded), false)
		expect(t, "Timeout()", failed.Timeout(), false)
	}
	slices.Sort(took)
	median, longest := took[len(took)/2], took[len(took)-1]
	t.Logf("from cancel to the end of the call: median %v, longest %v", median, longest)
	if median > 100*time.Millisecond+slack {
		t.Errorf("median %v: cancelling must take effect within 100 ms", median)
	}
}

func TestCause(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{})
	cause := errors.New("the user went away")
	ctx, cancel := context.WithCancelCause(context.Background())
	calls := slow.begin(ctx)
	await(t, "start of the function", slow.started)
	cancel(cause)
	ended := await(t, "end of the call", calls)
	expect(t, "is the cause", errors.Is(ended.err, cause), true)
	expect(t, "is context.Canceled", errors.Is(ended.err, context.Canceled), true)

	// The same before the call, whatever the cause is.
	for _, cause := range []error{cause, context.DeadlineExceeded, errors.New("two\nlines")} {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		ended := await(t, "end of the call", slow.begin(ctx))
		failed := failure(t, ended.result, ended.err)
		expect(t, "Status", failed.Status, lambdainvoke.StatusCancelled)
		expect(t, "is the cause", errors.Is(failed, cause), true)
		expect(t, "is context.Canceled", errors.Is(failed, context.Canceled), true)
		expect(t, "is ErrTimeout", errors.Is(failed, lambdainvoke.ErrTimeout), false)
		expectContains(t, "ErrorMessage", failed.ErrorMessage, "slow: the context had ended before the call, so that nothing was sent: context canceled: ")
		expectGo(t, failed)
	}
}

func TestDeadline(t *testing.T) {
	for name, config := range map[string]lambdainvoke.Config{
		"no other timeout":    {},
		"before the client's": {Timeout: patience},
		"with retries":        {Retry: lambdainvoke.RetryAlways},
	} {
		t.Run(name, func(t *testing.T) {
			slow := newSlowFunction(t, config)
			var late []time.Duration
			for range [10]struct{}{} {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
				deadline, _ := ctx.Deadline()
				ended := await(t, "end of the call", slow.begin(ctx))
				late = append(late, time.Since(deadline))
				cancel()

				failed := failure(t, ended.result, ended.err)
				expect(t, "Status", failed.Status, lambdainvoke.StatusTimeout)
				expectTimeout(t, ended.err)
			}
			slices.Sort(late)
			t.Logf("from the deadline to the end of the call: median %v, longest %v", late[len(late)/2], late[len(late)-1])
			if late[0] < 0 {
				t.Errorf("a call ended %v before its deadline", -late[0])
			}
			if late[len(late)/2] > slack {
				t.Errorf("median %v: a deadline must end the call at once", late[len(late)/2])
			}
		})
	}
}

// Whatever set the deadline, a timeout is a timeout.
func TestTimeoutBeforeDeadline(t *testing.T) {
	for name, row := range map[string]struct {
		config  lambdainvoke.Config
		request lambdainvoke.Request
	}{
		"of the request": {lambdainvoke.Config{}, lambdainvoke.Request{Timeout: 30 * time.Millisecond}},
		"of the client":  {lambdainvoke.Config{Timeout: 30 * time.Millisecond}, lambdainvoke.Request{}},
	} {
		t.Run(name, func(t *testing.T) {
			slow := newSlowFunction(t, row.config)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			row.request.FunctionName = "slow"
			result, err := slow.client.Invoke(ctx, &row.request)
			failed := failure(t, result, err)
			expect(t, "Status", failed.Status, lambdainvoke.StatusTimeout)
			expectTimeout(t, failed)
		})
	}
}

func TestDeadlineBeforeRequestsTimeout(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{Timeout: time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	result, err := slow.client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "slow", Timeout: patience})
	failed := failure(t, result, err)
	expect(t, "Status", failed.Status, lambdainvoke.StatusTimeout)
	expectTimeout(t, failed)
}

func TestContextThatHasEnded(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{})
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	expired, cancel := context.WithTimeout(context.Background(), -time.Second)
	defer cancel()
	for _, row := range []struct {
		name   string
		ctx    context.Context
		status lambdainvoke.Status
		end    error
	}{
		{"cancelled", cancelled, lambdainvoke.StatusCancelled, context.Canceled},
		{"expired", expired, lambdainvoke.StatusTimeout, context.DeadlineExceeded},
		{"expired, but its timer is late", lateContext{context.Background()}, lambdainvoke.StatusTimeout, context.DeadlineExceeded},
	} {
		t.Run(row.name, func(t *testing.T) {
			ended := await(t, "end of the call", slow.begin(row.ctx))
			failed := failure(t, ended.result, ended.err)
			expect(t, "Status", failed.Status, row.status)
			expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionNone)
			expect(t, "Attempts", failed.Attempts, 0)
			expect(t, "is the context's error", errors.Is(failed, row.end), true)
		})
	}
	expect(t, "requests that were sent", slow.count.Load(), 0)
}

// lateContext has a deadline in the past, and no error yet.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

// Cancelling at any moment around the end of the call, when the flag's memory is freed.
func TestCancelRacesWithTheAnswer(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	var succeeded, cancelled atomic.Int32
	for i := range [300]struct{}{} {
		ctx, cancel := context.WithCancel(context.Background())
		timer := time.AfterFunc(time.Duration(i%30)*20*time.Microsecond, cancel)
		result, err := client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "counter"})
		timer.Stop()
		cancel()
		switch {
		case err == nil:
			succeeded.Add(1)
			expect(t, "Status", result.Status, lambdainvoke.StatusOK)
		case errors.Is(err, context.Canceled):
			cancelled.Add(1)
		default:
			t.Fatal(err)
		}
	}
	t.Logf("%d succeeded, %d were cancelled", succeeded.Load(), cancelled.Load())
}
