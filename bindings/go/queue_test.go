package lambdainvoke_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// queueThreads counts the library's threads that drive calls, and queueDescriptors the descriptors for them. A thread that Go
// starts while one of them is in a callback has its name, but does not block all signals as it does.
func queueThreads(t *testing.T) (count int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip(err)
	}
	for _, task := range tasks {
		// A thread may have ended meanwhile.
		status, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if strings.HasPrefix(string(status), "Name:\tlambda-queue\n") && strings.Contains(string(status), "\nSigBlk:\tf") {
			count++
		}
	}
	return count
}

func queueDescriptors(t *testing.T) (count int) {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	for _, descriptor := range descriptors {
		if target, _ := os.Readlink("/proc/self/fd/" + descriptor.Name()); target == "anon_inode:[eventfd]" {
			count++
		}
	}
	return count
}

// untilNoQueue waits for the end of the queue, which the clients of other tests may have left a moment ago.
func untilNoQueue(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	eventually(t, "threads and dispatching goroutines of the queue", func() int {
		return queueThreads(t) + strings.Count(string(stacks[:runtime.Stack(stacks, true)]), ".newQueue.")
	}, 0)
}

func eventually(t *testing.T, what string, get func() int, want int) {
	t.Helper()
	for end := time.Now().Add(patience); get() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: got %d, want %d", what, get(), want)
		}
	}
}

// invokeThroughQueue makes a call whose context can be cancelled, which is driven by the queue's thread also if it is alone.
func invokeThroughQueue(t testing.TB, client *lambdainvoke.Client, request *lambdainvoke.Request) *lambdainvoke.Result {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	result, err := client.Invoke(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Nothing is started before the first call that needs it, and nothing is left after the last client.
func TestQueueLivesAsLongAsItsClients(t *testing.T) {
	untilNoQueue(t)
	goroutines, descriptors := runtime.NumGoroutine(), queueDescriptors(t)
	for range [3]struct{}{} {
		first, second := newClient(t, lambdainvoke.Config{}), newClient(t, lambdainvoke.Config{})
		expect(t, "threads of clients without a call", queueThreads(t), 0)
		expect(t, "descriptors of clients without a call", queueDescriptors(t), descriptors)
		invoke(t, first, hello)
		expect(t, "threads of calls that were alone", queueThreads(t), 0)
		invokeThroughQueue(t, first, hello)
		invokeThroughQueue(t, second, hello)
		invokeThroughQueue(t, first, hello)
		expect(t, "threads of two clients", queueThreads(t), 1)
		first.Close()
		first.Close()
		invokeThroughQueue(t, second, hello)
		expect(t, "threads of one client", queueThreads(t), 1)
		second.Close()
		untilNoQueue(t)
		eventually(t, "descriptors after", func() int { return queueDescriptors(t) }, descriptors)
		// Those of earlier tests may have ended meanwhile.
		eventually(t, "goroutines after", func() int { return max(runtime.NumGoroutine(), goroutines) }, goroutines)
	}
}

func TestForgottenClientEndsTheQueue(t *testing.T) {
	untilNoQueue(t)
	client, err := lambdainvoke.NewClient(lambdainvoke.Config{})
	if err != nil {
		t.Fatal(err)
	}
	invokeThroughQueue(t, client, hello)
	runtime.GC()
	expect(t, "threads of a client that is used", queueThreads(t), 1)
	runtime.KeepAlive(client)
	eventually(t, "threads after", func() int {
		runtime.GC()
		return queueThreads(t)
	}, 0)
}

// A call that is alone waits for itself, then also for those that begin meanwhile, until it ends before them.
func TestCallsThatFollowOneThatIsAlone(t *testing.T) {
	begin := func(slow *slowFunction, ctx context.Context) <-chan call {
		calls := slow.begin(ctx)
		await(t, "start of the function", slow.started)
		return calls
	}
	end := func(slow *slowFunction, calls <-chan call) {
		t.Helper()
		slow.answer <- struct{}{}
		if ended := await(t, "end of a call", calls); ended.err != nil {
			t.Fatal(ended.err)
		}
	}
	cancelled := func(calls <-chan call) {
		t.Helper()
		if ended := await(t, "end of a cancelled call", calls); !errors.Is(ended.err, context.Canceled) {
			t.Fatal(ended.err)
		}
	}
	// A call that is alone does without the queue if its context cannot be cancelled.
	ctxOfFollowers, stop := context.WithCancel(context.Background())
	defer stop()
	for range [3]struct{}{} {
		first, second, third := newSlowFunction(t, lambdainvoke.Config{}), newSlowFunction(t, lambdainvoke.Config{}), newSlowFunction(t, lambdainvoke.Config{})
		ctx, cancel := context.WithCancel(context.Background())
		leader := begin(first, ctx)
		for range [3]struct{}{} {
			end(second, begin(second, ctxOfFollowers))
		}
		follower := begin(second, ctxOfFollowers)
		expect(t, "threads of two calls", queueThreads(t), 1)
		cancel()
		cancelled(leader)
		// Now there is a dispatcher.
		end(third, begin(third, ctxOfFollowers))
		end(second, follower)
		// A leader that ends well, and a follower that is cancelled.
		ctx, cancel = context.WithCancel(context.Background())
		leader, follower = begin(third, ctxOfFollowers), begin(second, ctx)
		end(third, leader)
		cancel()
		cancelled(follower)
		// A call that cannot be submitted.
		expired, stop := context.WithDeadline(context.Background(), time.Unix(1, 0))
		result, err := first.client.Invoke(expired, hello)
		stop()
		expectTimeout(t, failure(t, result, err))
	}
}

// countingServer answers after a moment, and counts the connections that it got.
func countingServer(t *testing.T) (url string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(20 * time.Millisecond)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, connections
}

// Calls that are alone have a connection besides those of the queue. A program that alternates between one call and many opens
// no more connections than it has had calls under way at once.
func TestConnectionsOfOneAndOfMany(t *testing.T) {
	const many = 8
	url, connections := countingServer(t)
	client := newClient(t, lambdainvoke.Config{EndpointURL: url})
	call := func() {
		if _, err := client.Invoke(context.Background(), hello); err != nil {
			t.Error(err)
		}
	}
	for range [5]struct{}{} {
		call()
		call()
		var group sync.WaitGroup
		for range [many]struct{}{} {
			group.Add(1)
			go func() {
				defer group.Done()
				call()
			}()
		}
		group.Wait()
	}
	if got := connections.Load(); got < 2 || got > many {
		t.Errorf("%d connections, want at most %d", got, many)
	}
}

// What becomes of a call does not depend on the way that it takes.
func TestAloneAsThroughTheQueue(t *testing.T) {
	for _, row := range []struct {
		name    string
		config  lambdainvoke.Config
		request *lambdainvoke.Request
	}{
		{"response", lambdainvoke.Config{}, script(t, `answer 200 Content-Type=text/x|X-Amz-Executed-Version=7 fine`)},
		{"log", lambdainvoke.Config{}, script(t, `answer 200 X-Amz-Log-Result=aGVsbG8= fine`)},
		{"empty response", lambdainvoke.Config{}, script(t, `answer 200`)},
		{"large response", lambdainvoke.Config{}, script(t, "send HTTP/1.1 200 OK\\r\\nContent-Length: 3000000\\r\\n\\r\\n\npad 3000000")},
		{"event", lambdainvoke.Config{}, &lambdainvoke.Request{FunctionName: "hello", InvocationType: lambdainvoke.InvocationEvent}},
		{"failed function", lambdainvoke.Config{}, script(t, `answer 200 X-Amz-Function-Error=Unhandled {"errorType": "T", "errorMessage": "no bolts"}`)},
		{"no such function", lambdainvoke.Config{}, &lambdainvoke.Request{FunctionName: "no-such-function"}},
		{"throttled", lambdainvoke.Config{MaxAttempts: 2}, &lambdainvoke.Request{FunctionName: "full"}},
		{"retried", lambdainvoke.Config{}, script(t, `answer 429`, `answer 200 - fine`)},
		{"reset", lambdainvoke.Config{}, script(t, "reset")},
		{"cut body", lambdainvoke.Config{}, script(t, "send HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nfi\nclose")},
		{"too large", lambdainvoke.Config{MaxResponseBytes: 3}, script(t, `answer 200 - four`)},
		{"timeout of the client", lambdainvoke.Config{Timeout: 50 * time.Millisecond}, script(t, "wait")},
		{"timeout of the request", lambdainvoke.Config{}, &lambdainvoke.Request{FunctionName: "script", Payload: []byte("wait"), Timeout: 50 * time.Millisecond}},
		{"nobody listens", lambdainvoke.Config{EndpointURL: "http://127.0.0.1:1", MaxAttempts: 1}, hello},
		{"bad name", lambdainvoke.Config{}, &lambdainvoke.Request{FunctionName: "a b"}},
		{"no name", lambdainvoke.Config{}, &lambdainvoke.Request{}},
		{"NUL", lambdainvoke.Config{}, &lambdainvoke.Request{FunctionName: "hello", TenantID: "a\x00b"}},
		{"bad type", lambdainvoke.Config{}, &lambdainvoke.Request{FunctionName: "hello", InvocationType: 77}},
		{"bad retry", lambdainvoke.Config{}, &lambdainvoke.Request{FunctionName: "hello", Retry: 77}},
	} {
		t.Run(row.name, func(t *testing.T) {
			untilNoQueue(t)
			client := newClient(t, row.config)
			outcome := func(ctx context.Context) (outcome lambdainvoke.Result, text string) {
				request := *row.request
				request.TenantID += fmt.Sprint("alone-", ctx.Done() == nil)
				result, err := client.Invoke(ctx, &request)
				if err == nil {
					outcome = *result
				} else {
					failed := failure(t, result, err)
					outcome, text = failed.Result, strings.ReplaceAll(failed.Error(), failed.RequestID, "ID")
				}
				if row.config.Timeout+request.Timeout == 0 && outcome.Duration > patience/2 {
					t.Errorf("Duration is %v", outcome.Duration)
				}
				outcome.Duration, outcome.RequestID = 0, strings.Repeat("x", len(outcome.RequestID))
				return outcome, text
			}
			alone, textAlone := outcome(context.Background())
			expect(t, "threads of the call that was alone", queueThreads(t), 0)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			queued, textQueued := outcome(ctx)
			expect(t, "Error()", textAlone, textQueued)
			if !reflect.DeepEqual(alone, queued) {
				t.Errorf("alone:   %+v\nthrough: %+v", alone, queued)
			}
		})
	}
}

// Large payloads go through the queue, where two threads share the memory of request and response.
func TestLargePayloadThatIsAlone(t *testing.T) {
	for _, row := range []struct{ size, threads int }{{64 << 10, 0}, {64<<10 + 1, 1}} {
		untilNoQueue(t)
		client := newClient(t, lambdainvoke.Config{})
		payload := []byte(`"` + strings.Repeat("x", row.size-2) + `"`)
		result := invoke(t, client, &lambdainvoke.Request{FunctionName: "echo", Payload: payload})
		expect(t, "is the payload", bytes.Equal(result.Payload, payload), true)
		expect(t, fmt.Sprintf("threads for %d bytes", row.size), queueThreads(t), row.threads)
		client.Close()
	}
}

// While a call is alone, others need no thread each.
func TestCallsBesideOneThatIsAlone(t *testing.T) {
	untilNoQueue(t)
	slow := newSlowFunction(t, lambdainvoke.Config{})
	var calls []<-chan call
	for i := range [20]struct{}{} {
		calls = append(calls, slow.begin(context.Background()))
		await(t, "start of the function", slow.started)
		expect(t, "threads of the queue", queueThreads(t), min(i, 1))
	}
	for range calls {
		slow.answer <- struct{}{}
	}
	for _, pending := range calls {
		if done := await(t, "end of a call", pending); done.err != nil {
			t.Error(done.err)
		}
	}
}

// The context of a call that is alone ends it once it has begun to wait, and does nothing once it has ended.
func TestCancelAtTheEndOfCalls(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	for i := range [300]struct{}{} {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Duration(i*10)*time.Microsecond, cancel)
		if _, err := client.Invoke(ctx, hello); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if i%50 == 0 {
			client.Close()
			client = newClient(t, lambdainvoke.Config{})
		}
		invoke(t, client, hello)
	}
}

// The calls of clients that end and of clients that begin, while the queue comes and goes.
func TestQueueComesAndGoes(t *testing.T) {
	atOnce(func(int) {
		for range [10]struct{}{} {
			client, err := lambdainvoke.NewClient(lambdainvoke.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := client.Invoke(context.Background(), hello); err != nil {
				t.Error(err)
			}
			client.Close()
		}
	})
	eventually(t, "threads after", func() int { return queueThreads(t) }, 0)
}

// holdingServer begins functions without end. It reads a request and leaves it at that: a server of net/http would need more
// memory and time than all that is tested here.
func holdingServer(t *testing.T) (url string, begun <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heads := make(chan struct{}, 20_000)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				head := make([]byte, 4096)
				if _, err := connection.Read(head); err != nil {
					return
				}
				heads <- struct{}{}
				_, _ = io.Copy(io.Discard, connection)
			}()
		}
	}()
	t.Cleanup(func() { listener.Close() })
	return "http://" + listener.Addr().String(), heads
}

// heldFunction is set to the URL of a function without end in the environment of a test that has a process of its own.
const heldFunction = "LAMBDAINVOKE_TESTS_HELD_FUNCTION"

// The calls are made in a process of their own: Go keeps the threads that other tests needed, and that the server needs when
// the machine has much else to do.
func TestManyGoroutinesNeedFewThreads(t *testing.T) {
	for _, row := range []struct {
		name           string
		maxConnections int
		// So many calls reach the function before the test ends them.
		reach int
	}{
		{"few connections", 100, 100},
		{"many connections", 2_000, 2_000},
	} {
		t.Run(row.name, func(t *testing.T) {
			if url := os.Getenv(heldFunction); url != "" {
				callFromManyGoroutines(t, url, row.maxConnections, row.reach)
				return
			}
			url, begun := holdingServer(t)
			command := exec.Command(os.Args[0], "-test.v", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
			command.Env = append(os.Environ(), heldFunction+"="+url)
			begins, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for range begun {
					// It fails once the process has ended.
					if _, err := begins.Write([]byte{1}); err != nil {
						return
					}
				}
			}()
			output, err := command.CombinedOutput()
			t.Logf("%s", output)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// callFromManyGoroutines cancels every second call once so many have reached the function, each of which is a byte of stdin.
func callFromManyGoroutines(t *testing.T, url string, maxConnections, reach int) {
	const goroutines = 10_000
	client := newClient(t, lambdainvoke.Config{EndpointURL: url, MaxConnections: maxConnections})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, goroutines)
	var arrived sync.WaitGroup
	arrived.Add(goroutines)
	for i := range make([]struct{}, goroutines) {
		go func(i int) {
			if i%2 == 0 {
				// Does not end: the process does.
				arrived.Done()
				_, _ = client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "slow"})
				return
			}
			inside := &arrivingContext{Context: ctx, arrived: &arrived}
			_, err := client.Invoke(inside, &lambdainvoke.Request{FunctionName: "slow"})
			ended <- err
		}(i)
	}
	arrived.Wait()
	if _, err := io.ReadFull(os.Stdin, make([]byte, reach)); err != nil {
		t.Fatal(err)
	}
	held := threads(t)
	cancelled := time.Now()
	cancel()
	for range make([]struct{}, goroutines/2) {
		if err := await(t, "end of a call", ended); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	t.Logf("%d threads with %d calls in flight, %d afterwards; all ended %v after the cancellation",
		held, goroutines, threads(t), time.Since(cancelled))
	if isRaceDetectorOn() {
		return // which makes the library's functions slow enough that Go starts more threads
	}
	if most := runtime.GOMAXPROCS(0) + 8; threads(t) > most {
		t.Errorf("%d threads, want at most %d", threads(t), most)
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
		name   string
		status lambdainvoke.Status
		call   func() (*lambdainvoke.Result, error)
	}{
		{"timeout of the request", lambdainvoke.StatusTimeout, func() (*lambdainvoke.Result, error) {
			return slow.client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "slow", Timeout: 30 * time.Millisecond})
		}},
		{"deadline of the context", lambdainvoke.StatusTimeout, func() (*lambdainvoke.Result, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
			defer cancel()
			return slow.client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "slow"})
		}},
		{"cancellation", lambdainvoke.StatusCancelled, func() (*lambdainvoke.Result, error) {
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
			expect(t, "Duration counts the wait", failed.Duration >= 29*time.Millisecond && failed.Duration < patience, true)
			expectContains(t, "ErrorMessage", failed.ErrorMessage, "slow: ")
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
	second := slow.beginInTurn(t, context.Background())
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
	// Every third gives up before its turn.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var served, gaveUp []<-chan call
	for i := range [12]struct{}{} {
		if i%3 == 1 {
			gaveUp = append(gaveUp, slow.beginInTurn(t, ctx))
		} else {
			served = append(served, slow.beginInTurn(t, context.Background()))
		}
	}
	cancel()
	for _, pending := range gaveUp {
		if done := await(t, "end of a call that gave up", pending); !errors.Is(done.err, context.Canceled) {
			t.Error(done.err)
		}
	}
	slow.answer <- struct{}{}
	await(t, "end of the first call", first)
	for i, next := range served {
		await(t, "start of the function", slow.started)
		for _, later := range served[i+1:] {
			expect(t, "ends before its turn", len(later), 0)
		}
		slow.answer <- struct{}{}
		if done := await(t, "end of the next call", next); done.err != nil {
			t.Error(done.err)
		}
	}
}

// beginInTurn returns when the call has been submitted.
func (s *slowFunction) beginInTurn(t *testing.T, ctx context.Context) <-chan call {
	t.Helper()
	var submitted sync.WaitGroup
	submitted.Add(1)
	calls := s.begin(&arrivingContext{Context: ctx, arrived: &submitted})
	submitted.Wait()
	return calls
}
