package lambdainvoke

/*
#include <lambda_invoke.h>

#include <time.h>

// Waits for the one completion of the queue.
static lambda_result *wait_for_result(lambda_queue *queue) {
	lambda_result *result;
	while ((result = lambda_queue_next(queue, -1)) == NULL) {
		// There was no memory for the result.
		struct timespec moment = {.tv_nsec = 1000000};
		nanosleep(&moment, NULL);
	}
	return result;
}
*/
import "C"

import (
	"context"
	"sync"
)

// single is the queue of a call that is alone. Its goroutine waits inside the library, so that the thread of the queue wakes
// it directly: half as much of the processor as by way of the descriptor, Go's poller and the goroutine that dispatches. One
// goroutine at a time may do so, since it needs a thread meanwhile.
type single struct {
	handle *C.lambda_queue

	tags uint64

	// Held for moments, so that no call is cancelled that has ended: the queue may have ended with it.
	mutex sync.Mutex
	// The tag of the call that is waited for, 0 if there is none.
	waiting uint64
}

func newSingle() (*single, *Error) {
	handle, failure := newHandle()
	if failure != nil {
		return nil, failure
	}
	return &single{handle: handle}, nil
}

// expect returns the tag for a call that is about to be submitted.
func (s *single) expect() uint64 {
	s.tags++
	return s.tags
}

// await waits for the end of the call, which the end of the context cancels. The caller frees the result.
func (s *single) await(ctx context.Context, tag uint64) *C.lambda_result {
	if ctx.Done() != nil {
		s.setWaiting(tag)
		defer s.setWaiting(0)
		unwatch := context.AfterFunc(ctx, func() {
			if !endedByDeadline(ctx) {
				s.cancel(tag)
			}
		})
		defer unwatch()
	}
	return C.wait_for_result(s.handle)
}

func (s *single) setWaiting(tag uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.waiting = tag
}

func (s *single) cancel(tag uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.waiting == tag {
		C.lambda_queue_cancel(s.handle, C.uint64_t(tag))
	}
}
