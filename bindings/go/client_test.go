package lambdainvoke_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

func TestManyGoroutines(t *testing.T) {
	const goroutines, calls = 200, 5
	client := newClient(t, lambdainvoke.Config{})
	var group sync.WaitGroup
	for i := range [goroutines]struct{}{} {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for j := range [calls]struct{}{} {
				mark := fmt.Sprintf("goroutine %d, call %d", i, j)
				result, err := client.Invoke(context.Background(), script(t, "answer 200 - "+mark))
				if err != nil {
					t.Error(err)
				} else if string(result.Payload) != mark {
					t.Errorf("%s got the answer %q", mark, result.Payload)
				}
			}
		}(i)
	}
	group.Wait()
}

// All are inside the library at the same moment, and none is there for another.
func TestManyGoroutinesAtOnce(t *testing.T) {
	const goroutines = 200
	slow := newSlowFunction(t, lambdainvoke.Config{MaxConnections: goroutines})
	var calls []<-chan call
	for range [goroutines]struct{}{} {
		calls = append(calls, slow.begin(context.Background()))
	}
	for range calls {
		await(t, "start of a function", slow.started)
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

func TestOneRequestForMany(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	request := script(t, "answer 200 - same")
	var group sync.WaitGroup
	for range [20]struct{}{} {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := client.Invoke(context.Background(), request); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
}

// The collector runs all the time, so whatever the library keeps of Go's memory would show.
func TestGarbageCollection(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	var group sync.WaitGroup
	for i := range [8]struct{}{} {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for j := range [10]struct{}{} {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				payload := bytes.Repeat([]byte{byte(i), byte(j)}, 50_000)
				result, err := client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "echo", Payload: payload})
				cancel()
				if err != nil {
					t.Error(err)
				} else if !bytes.Equal(result.Payload, payload) {
					t.Errorf("goroutine %d, call %d: the payload came back otherwise", i, j)
				}
			}
		}(i)
	}
	group.Wait()
	close(stop)
	<-stopped
}

// What was returned is Go's own, whatever became of the client.
func TestResultOutlivesClient(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	result := invoke(t, client, &lambdainvoke.Request{FunctionName: "echo", Payload: []byte("still here")})
	client.Close()
	runtime.GC()
	expect(t, "Payload", string(result.Payload), "still here")
	expect(t, "RequestID is there", result.RequestID != "", true)
}

func TestClose(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{})
	first := slow.begin(context.Background())
	await(t, "start of the function", slow.started)

	slow.client.Close()
	slow.client.Close()
	refused := invokeFails(t, slow.client, &lambdainvoke.Request{FunctionName: "slow"})
	expect(t, "Status", refused.Status, lambdainvoke.StatusInvalidArgument)
	expect(t, "Execution", refused.Execution, lambdainvoke.ExecutionNone)
	expect(t, "is ErrClosed", errors.Is(refused, lambdainvoke.ErrClosed), true)
	expectContains(t, "ErrorMessage", refused.ErrorMessage, "client: is closed")

	slow.answer <- struct{}{}
	done := await(t, "end of the call that was under way", first)
	if done.err != nil {
		t.Fatalf("a call that was under way when the client was closed: %v", done.err)
	}
	expect(t, "Payload", string(done.result.Payload), "done")
	slow.client.Close()
	expect(t, "requests that were sent", slow.count.Load(), 1)
}

func countDescriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no list of descriptors:", err)
	}
	return len(entries)
}

func TestReleaseIdle(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	request := &lambdainvoke.Request{FunctionName: "echo"}
	for range [3]struct{}{} {
		before := countDescriptors(t)
		invoke(t, client, request)
		expect(t, "has a connection", countDescriptors(t) > before, true)
		client.ReleaseIdle()
		expect(t, "descriptors after the release of what was alone", countDescriptors(t), before)
		invokeThroughQueue(t, client, request)
		connected := countDescriptors(t)
		client.ReleaseIdle()
		// The thread of the queue closes the socket.
		eventually(t, "descriptors after the release", func() int { return countDescriptors(t) }, connected-1)
		client.ReleaseIdle()
	}
	client.Close()
	client.ReleaseIdle()
	(*lambdainvoke.Client)(nil).ReleaseIdle()
}

func TestCloseRacesWithCalls(t *testing.T) {
	for range [20]struct{}{} {
		client := newClient(t, lambdainvoke.Config{})
		var group sync.WaitGroup
		for range [8]struct{}{} {
			group.Add(2)
			go func() {
				defer group.Done()
				_, err := client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "counter"})
				if err != nil && !errors.Is(err, lambdainvoke.ErrClosed) {
					t.Error(err)
				}
			}()
			go func() {
				defer group.Done()
				client.Close()
			}()
		}
		group.Wait()
	}
}

// Odd uses are errors, never a panic.
func TestOddUses(t *testing.T) {
	closed := newClient(t, lambdainvoke.Config{})
	closed.Close()
	good := newClient(t, lambdainvoke.Config{})
	hello := &lambdainvoke.Request{FunctionName: "hello"}
	for _, row := range []struct {
		name    string
		client  *lambdainvoke.Client
		ctx     context.Context
		request *lambdainvoke.Request
		message string
	}{
		{"nil client", nil, context.Background(), hello, "hello: client: was not made by NewClient"},
		{"zero client", new(lambdainvoke.Client), context.Background(), hello, "hello: client: was not made by NewClient"},
		{"closed client", closed, context.Background(), hello, "hello: client: is closed"},
		{"nil context", good, nil, hello, "hello: context: is nil"},
		{"nil request", good, context.Background(), nil, "request: is nil"},
		{"everything", nil, nil, nil, "request: is nil"},
		{"name of many lines", good, nil, &lambdainvoke.Request{FunctionName: "a\r\nb\xff\x00"}, "a  b\uFFFD : context: is nil"},
		{"endless name", good, nil, &lambdainvoke.Request{FunctionName: strings.Repeat("\u4e16", 1_000_000)}, strings.Repeat("\u4e16", 85) + "...: context"},
	} {
		t.Run(row.name, func(t *testing.T) {
			result, err := row.client.Invoke(row.ctx, row.request)
			refused := failure(t, result, err)
			expect(t, "Status", refused.Status, lambdainvoke.StatusInvalidArgument)
			expect(t, "Execution", refused.Execution, lambdainvoke.ExecutionNone)
			expect(t, "Attempts", refused.Attempts, 0)
			expect(t, "ErrorMessage begins with", refused.ErrorMessage[:min(len(row.message), len(refused.ErrorMessage))], row.message)
			expectGo(t, refused)
		})
	}
	for _, client := range []*lambdainvoke.Client{nil, {}, closed} {
		_, err := client.Describe()
		expectContains(t, "Describe", failure(t, nil, err).ErrorMessage, "client: ")
		client.Close()
		client.Close()
	}
}

// Copies are one client: none frees what another uses.
func TestCopiesOfClient(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	other := *client
	invoke(t, &other, &lambdainvoke.Request{FunctionName: "hello"})
	client.Close()
	expect(t, "is ErrClosed", errors.Is(invokeFails(t, &other, &lambdainvoke.Request{FunctionName: "hello"}), lambdainvoke.ErrClosed), true)
	other.Close()
}

func TestForgottenClientIsFreed(t *testing.T) {
	config, provider, logger := holding()
	client, err := lambdainvoke.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	config = lambdainvoke.Config{}
	invokeFails(t, client, &lambdainvoke.Request{FunctionName: "hello"})
	untilCollected(t, "the provider", provider)
	untilCollected(t, "the logger", logger)
}

// Each payload is one that the program wrote, although it writes the next as soon as Invoke returns.
func TestPayloadChangesBetweenCalls(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	payload := make([]byte, 100_000)
	for i := range [20]struct{}{} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%4)*time.Millisecond+time.Millisecond)
		for at := range payload {
			payload[at] = byte(i)
		}
		result, err := client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "echo", Payload: payload})
		cancel()
		if err == nil && !bytes.Equal(result.Payload, payload) {
			t.Errorf("call %d: the payload came back otherwise", i)
		}
	}
}

// Programs that are started during calls get none of the library's descriptors, and no call is disturbed.
func TestExecDuringCalls(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	stop, group := make(chan struct{}), sync.WaitGroup{}
	for range [4]struct{}{} {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "counter"}); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	for range [30]struct{}{} {
		listed, err := exec.Command("sh", "-c", "for at in /proc/$$/fd/*; do readlink $at || true; done").CombinedOutput()
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(listed), "socket:") || strings.Contains(string(listed), "eventpoll") {
			t.Errorf("a program has %s", listed)
		}
	}
	close(stop)
	group.Wait()
}

func BenchmarkInvoke(b *testing.B) {
	client := newClient(b, lambdainvoke.Config{})
	request := &lambdainvoke.Request{FunctionName: "counter"}
	b.ReportAllocs()
	for range make([]struct{}, b.N) {
		invoke(b, client, request)
	}
}
