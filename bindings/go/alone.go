package lambdainvoke

/*
#include <lambda_invoke.h>

static lambda_result *invoke_and_free(const lambda_client *client, lambda_request *request) {
	lambda_result *result = lambda_invoke(client, request);
	lambda_request_free(request);
	return result;
}
*/
import "C"

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// idleTimeout is the library's. Tests make it shorter.
var idleTimeout = 50 * time.Second

// underWay counts the Invokes of all clients that are under way in the process. Streams are not among them: each has a
// connection and, while it is read, a thread of its own, so that a call beside them is alone all the same.
var underWay atomic.Int64

// How many calls that were alone come before the goroutine yields again; more if others then used the processor.
const (
	yieldOften  = 16
	yieldSeldom = 4096
)

// beforeYield counts down to that. Only a call that is alone changes it, so it needs no lock.
var beforeYield = yieldOften

// yieldNowAndThen tells the scheduler that the goroutine keeps nobody from running. If it has not yielded for 10 ms, although it
// is inside the library most of the time, then in each call the scheduler takes the processor (P) from it and wakes a thread to
// use that, even if others are idle. Yielding saves a seventh of the CPU of a program with several processors whose calls take
// less than 1 ms. In a program that computes on all processors it would make every 16th call wait for its turn, 50 ms.
func yieldNowAndThen() {
	if beforeYield--; beforeYield > 0 {
		return
	}
	begin := time.Now()
	runtime.Gosched()
	beforeYield = yieldOften
	if time.Since(begin) > time.Millisecond {
		beforeYield = yieldSeldom
	}
}

// maxPayloadAlone is the longest payload of a call that does without the queue. glibc gives the memory of a large payload and of
// a large response back to the system if one thread frees both, and every call has its pages made anew: 3,000 page faults
// and 4 ms for 6 MB each way. In the queue, the payload is memory of the caller's thread and the response of the library's.
const maxPayloadAlone = 64 << 10

// watchIdle makes sure that the connections are closed when no Invoke of the client has been under way for the idle timeout, nor
// has a stream ended. The library's thread does that for its own, but the connection of a call that was alone, and that of a
// stream, would stay open until the next call.
func (s *state) watchIdle() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.idle == nil {
		s.idle = time.AfterFunc(idleTimeout, s.closeIdle)
	}
}

// isIdle tells whether no call but streams is under way: these may go on for long. It wants the mutex locked.
func (s *state) isIdle() bool {
	return s.calls == s.streams
}

// restIfIdle begins the idle timeout after the end of a call. It wants the mutex locked.
func (s *state) restIfIdle() {
	if s.idle != nil && s.isIdle() {
		s.idle.Reset(idleTimeout)
	}
}

// closeIdle leaves the connections of streams alone, which are in use.
func (s *state) closeIdle() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.isIdle() && s.handle != nil {
		C.lambda_client_release_idle(s.handle)
	}
}

// invokeAlone makes a call on the goroutine's own thread, while no other call is under way. It takes three quarters of the CPU
// of a call that leads the queue, since no thread of the library must be woken and wake the goroutine's in turn.
//
// It is not for contexts that can be cancelled: that must end a call at once, and a call of lambda_invoke polls its interrupt
// every 50 ms only. It is not for calls beside others either: each would block a thread.
//
// Its connection is not among those of the queue, which belong to the library's thread. A program that alternates between one
// call and many opens no more connections for that: of many calls that begin at once, the first is alone, and uses it.
func (s *state) invokeAlone(ctx context.Context, request *Request, begin time.Time) (Result, *Error) {
	s.watchIdle()
	waited := time.Since(begin)
	if end := endOf(ctx); end != nil {
		return Result{}, end.refuse("ended the call before its request was sent")
	}
	prepared, failure := request.prepare(ctx, request.limit(ctx, s.timeout, begin)-waited)
	if failure != nil {
		return Result{}, failure
	}
	answer := C.invoke_and_free(s.handle, prepared)
	defer C.lambda_result_free(answer)
	result := newResult(answer)
	result.Duration += waited
	return result, nil
}
