package lambdainvoke

/*
#include <lambda_invoke.h>
*/
import "C"

import (
	"context"
	"io"
	"sync"
	"time"
	"unsafe"
)

var _ io.ReadCloser = (*Stream)(nil)

// maxReading is how many streams of the process may wait for bytes at once, since each blocks a thread meanwhile, and a Go
// program ends when it has 10,000. Further reads wait for one of these to end.
const maxReading = 1024

var reading = make(chan struct{}, maxReading)

// Stream is one response that is read as it is made: an [io.ReadCloser]. It must be closed. One goroutine at a time reads;
// Close and the end of the context, from any goroutine, end a Read that waits.
type Stream struct {
	ctx      context.Context
	client   *state
	function string
	limit    func(begin time.Time) time.Duration
	// Stops the watch over the context.
	unwatch func() bool

	// Held while the library reads.
	reading sync.Mutex
	request *C.lambda_request
	// What the last chunk has left: memory of the library's, until its next call.
	rest   []byte
	result *Result
	err    error

	// Held for moments, so that no stream is cancelled that is freed at the same time.
	guard     sync.Mutex
	handle    *C.lambda_stream
	cancelled bool
}

// InvokeStream invokes a function whose response is read as it is made. It does not wait: the first Read sends the
// request, and with it Timeout begins. The context ends the stream as it ends an Invoke, the reading included. An
// InvocationEvent and a DurableExecutionName are refused.
//
// A stream counts as a call under way from its first Read until its end, see [Config].MaxConnections.
func (c *Client) InvokeStream(ctx context.Context, request *Request) (*Stream, error) {
	if request == nil {
		return nil, refuse(StatusInvalidArgument, nil, "request: is nil")
	}
	fixed := *request
	function := label(fixed.FunctionName)
	if ctx == nil {
		return nil, refuse(StatusInvalidArgument, nil, "context: is nil; context.Background() never ends a call").of(function)
	}
	client, failure := c.acquire()
	if failure != nil {
		return nil, failure.of(function)
	}
	client.countStream(1)
	limit := func(begin time.Time) time.Duration { return fixed.limit(ctx, client.timeout, begin) }
	s := &Stream{ctx: ctx, client: client, function: function, limit: limit}
	isMade := false
	// Deferred, since a method of the context may panic.
	defer func() {
		if !isMade {
			s.free()
		}
	}()
	if s.request, failure = fixed.prepare(ctx, limit(time.Now())); failure != nil {
		return nil, failure.of(function)
	}
	s.unwatch = context.AfterFunc(ctx, cancelling(ctx, s.cancel))
	isMade = true
	return s, nil
}

// countStream tells an acquired client of a stream's begin, or with -1 of its end.
func (s *state) countStream(count int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.streams += count
	s.restIfIdle()
}

// Read waits for the next bytes. At the end of a response that is a success it returns io.EOF; everything else, a failed
// function included, is an [*Error] after all bytes that came before it.
func (s *Stream) Read(into []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if len(into) == 0 {
		return 0, nil
	}
	for len(s.rest) == 0 {
		if s.result != nil || s.err != nil {
			return 0, s.end()
		}
		if failure := s.begin(); failure != nil {
			s.err = failure
			s.free()
			return 0, failure
		}
		s.next()
	}
	count := copy(into, s.rest)
	s.rest = s.rest[count:]
	return count, nil
}

// Result returns what became of the call, once Read has given the end or the stream was closed. Its Payload is empty. What
// is not a success is an [*Error].
func (s *Stream) Result() (*Result, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if s.result == nil {
		return nil, refuse(StatusInvalidArgument, nil, "the stream is not over: read it to its end, or close it").of(s.function)
	}
	return s.result, nil
}

// Close ends the call wherever it is, and the connection of a response that was not read to its end. It does not wait for
// the network. Closing twice is allowed.
func (s *Stream) Close() error {
	s.cancel()
	s.reading.Lock()
	defer s.reading.Unlock()
	s.rest = nil
	if s.result != nil || s.err != nil {
		return nil
	}
	defer s.free()
	if s.handle == nil {
		s.err = refuse(StatusCancelled, nil, "the stream was closed before its request was sent").of(s.function)
	} else {
		s.finish()
	}
	return nil
}

// begin waits until the library may be called, before the first chunk.
func (s *Stream) begin() *Error {
	if s.handle != nil {
		return nil
	}
	if end := endOf(s.ctx); end != nil {
		return end.refuse("had ended before the call, so that nothing was sent").of(s.function)
	}
	if s.client.asked.isCurrent() {
		return refuse(StatusCredentials, nil, "the CredentialsProvider calls with its own client, which waits for it").of(s.function)
	}
	C.lambda_request_set_timeout_ms(s.request, milliseconds(max(s.limit(time.Now()), 1)))
	s.client.watchIdle()
	s.guard.Lock()
	defer s.guard.Unlock()
	s.handle = C.lambda_invoke_stream(s.client.handle, s.request)
	if s.cancelled {
		C.lambda_stream_cancel(s.handle)
	}
	return nil
}

func (s *Stream) next() {
	var data *C.uint8_t
	var length C.size_t
	select {
	case reading <- struct{}{}:
		defer func() { <-reading }()
	case <-s.ctx.Done():
		// The library ends the call without waiting.
		s.cancel()
	}
	if C.lambda_stream_next(s.handle, -1, &data, &length) == C.LAMBDA_OK {
		s.rest = unsafe.Slice((*byte)(unsafe.Pointer(data)), length)
		return
	}
	defer s.free()
	s.finish()
}

// finish frees the library's stream and keeps its result.
func (s *Stream) finish() {
	s.guard.Lock()
	answer := C.lambda_stream_finish(s.handle)
	s.handle = nil
	s.guard.Unlock()
	defer C.lambda_result_free(answer)
	result := newResult(answer)
	if result.Status == StatusOK {
		s.result = &result
		return
	}
	// A method of the context may panic: the stream is over all the same.
	s.err = &Error{Result: result, function: s.function}
	s.err = s.client.failure(s.ctx, s.function, result)
}

// free releases what a stream holds that is over.
func (s *Stream) free() {
	if s.unwatch != nil {
		defer s.unwatch()
	}
	C.lambda_request_free(s.request)
	s.request = nil
	s.client.countStream(-1)
	s.client.release()
}

func (s *Stream) end() error {
	if s.err != nil {
		return s.err
	}
	return io.EOF
}

func (s *Stream) cancel() {
	s.guard.Lock()
	defer s.guard.Unlock()
	s.cancelled = true
	if s.handle != nil {
		C.lambda_stream_cancel(s.handle)
	}
}
