package lambdainvoke_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// threads counts those of this process.
func threads(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, text, _ := strings.Cut(string(status), "\nThreads:")
	text, _, _ = strings.Cut(text, "\n")
	count, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// More goroutines than Go allows threads.
func TestMoreGoroutinesThanThreads(t *testing.T) {
	goroutines := 12_000
	if isRaceDetectorOn() {
		// It dies of more than 8,128.
		goroutines = 6_000
	}
	for _, row := range []struct {
		name           string
		maxConnections int
		// So many calls reach the function before the test ends them, and so many are inside the library at most.
		reach, inside int
	}{
		{"MaxConnections", 100, 100, 100},
		{"default", 0, 900, 1024},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := threads(t)
			slow := newSlowFunction(t, lambdainvoke.Config{MaxConnections: row.maxConnections})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			ended := make(chan error, goroutines)
			var arrived sync.WaitGroup
			arrived.Add(goroutines)
			for range make([]struct{}, goroutines) {
				go func() {
					inside := &arrivingContext{Context: ctx, arrived: &arrived}
					_, err := slow.client.Invoke(inside, &lambdainvoke.Request{FunctionName: "slow"})
					ended <- err
				}()
			}
			arrived.Wait()
			for range make([]struct{}, row.reach) {
				await(t, "start of the function", slow.started)
			}
			cancelled := time.Now()
			cancel()
			for range make([]struct{}, goroutines) {
				if err := await(t, "end of a call", ended); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			t.Logf("%d threads, %d before; all ended %v after the cancellation", threads(t), before, time.Since(cancelled))
			// Go keeps the threads that it once had.
			if more := threads(t) - before; more > row.inside+100 {
				t.Errorf("%d more threads, want at most %d", more, row.inside)
			}
		})
	}
}

func isRaceDetectorOn() bool {
	build, _ := debug.ReadBuildInfo()
	return slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// arrivingContext tells when a call has been begun with it.
type arrivingContext struct {
	context.Context
	arrived *sync.WaitGroup
	once    sync.Once
}

func (c *arrivingContext) Done() <-chan struct{} {
	c.once.Do(c.arrived.Done)
	return c.Context.Done()
}

// A call that waits its turn ends as one that the library ends before its request is sent.
func TestWaitThatEnds(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{MaxConnections: 1})
	first := slow.begin(context.Background())
	await(t, "start of the function", slow.started)
	cause := errors.New("the user went away")
	for _, row := range []struct {
		name    string
		status  lambdainvoke.Status
		message string
		call    func() (*lambdainvoke.Result, error)
	}{
		{"timeout of the request", lambdainvoke.StatusTimeout, "slow: the call's deadline of 30 ms passed while it waited its turn (one client may have 1 under way, all together 4096)", func() (*lambdainvoke.Result, error) {
			return slow.client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "slow", Timeout: 30 * time.Millisecond})
		}},
		{"deadline of the context", lambdainvoke.StatusTimeout, "slow: the context ended the call while it waited its turn (one", func() (*lambdainvoke.Result, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
			defer cancel()
			return slow.client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "slow"})
		}},
		{"cancellation", lambdainvoke.StatusCancelled, "slow: the context ended the call while it waited its turn (one", func() (*lambdainvoke.Result, error) {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
			return slow.client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "slow"})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			result, err := row.call()
			failed := failure(t, result, err)
			expect(t, "Status", failed.Status, row.status)
			expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionNone)
			expect(t, "Attempts", failed.Attempts, 0)
			expect(t, "Duration counts the wait", failed.Duration >= 30*time.Millisecond && failed.Duration < patience, true)
			expectContains(t, "ErrorMessage", failed.ErrorMessage, row.message)
			if row.status == lambdainvoke.StatusTimeout {
				expectTimeout(t, failed)
			} else {
				expect(t, "is the cause", errors.Is(failed, cause) && errors.Is(failed, context.Canceled), true)
			}
		})
	}
	// What gave up its place holds up nobody.
	next := slow.begin(context.Background())
	slow.answer <- struct{}{}
	slow.answer <- struct{}{}
	for _, pending := range []<-chan call{first, next} {
		if done := await(t, "end of a call", pending); done.err != nil {
			t.Error(done.err)
		}
	}
	expect(t, "requests that were sent", slow.count.Load(), 2)
}

// The deadline is that of the whole call: its wait is not given to it once more.
func TestWaitCountsForTheDeadline(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{MaxConnections: 1})
	first := slow.begin(context.Background())
	await(t, "start of the function", slow.started)
	const timeout = 400 * time.Millisecond
	begin, second := time.Now(), make(chan call, 1)
	go func() {
		result, err := slow.client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "slow", Timeout: timeout})
		second <- call{result, err}
	}()
	time.AfterFunc(timeout*3/4, func() { slow.answer <- struct{}{} })
	await(t, "end of the first call", first)
	await(t, "start of the second call's function", slow.started)
	ended := await(t, "end of the second call", second)
	took := time.Since(begin)
	failed := failure(t, ended.result, ended.err)
	expect(t, "Status", failed.Status, lambdainvoke.StatusTimeout)
	expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionUnknown)
	if took < timeout || took > timeout*7/4 {
		t.Errorf("it took %v, want %v", took, timeout)
	}
	if failed.Duration < timeout || failed.Duration > took {
		t.Errorf("Duration is %v, want that of the whole call, %v", failed.Duration, took)
	}
}

// Calls that wait their turn are under way: Close lets them go on.
func TestCloseWhileCallsWait(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{MaxConnections: 1})
	first := slow.begin(context.Background())
	await(t, "start of the function", slow.started)
	second := slow.begin(context.Background())
	waiting(t, 1)
	slow.client.Close()
	expect(t, "is ErrClosed", errors.Is(invokeFails(t, slow.client, hello), lambdainvoke.ErrClosed), true)
	slow.answer <- struct{}{}
	slow.answer <- struct{}{}
	for _, pending := range []<-chan call{first, second} {
		if done := await(t, "end of a call", pending); done.err != nil {
			t.Error(done.err)
		}
	}
}

func TestFirstComeFirstServed(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{MaxConnections: 1})
	first := slow.begin(context.Background())
	await(t, "start of the function", slow.started)
	const calls = 12
	// Every third gives up before its turn.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served, gaveUp := make(chan int, calls), make(chan error, calls)
	for i := range [calls]struct{}{} {
		go func(i int) {
			if i%3 == 1 {
				_, err := slow.client.Invoke(ctx, hello)
				gaveUp <- err
				return
			}
			if _, err := slow.client.Invoke(context.Background(), hello); err != nil {
				t.Error(err)
			}
			served <- i
		}(i)
		waiting(t, i+1)
	}
	cancel()
	for range [calls / 3]struct{}{} {
		if err := await(t, "end of a call that gave up", gaveUp); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	slow.answer <- struct{}{}
	await(t, "end of the first call", first)
	for i := range [calls]struct{}{} {
		if i%3 != 1 {
			await(t, "start of the function", slow.started)
			slow.answer <- struct{}{}
			expect(t, "the next", await(t, "end of a call", served), i)
		}
	}
}

// waiting returns when so many calls wait their turn.
func waiting(t *testing.T, calls int) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		count := 0
		for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "[select") && strings.Contains(stack, ".wait.take(") {
				count++
			}
		}
		if count == calls {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d calls wait their turn, want %d", count, calls)
		}
	}
}
