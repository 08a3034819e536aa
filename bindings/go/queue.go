package lambdainvoke

/*
#include <lambda_invoke.h>

#include <errno.h>
#include <fcntl.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <unistd.h>
#endif

// Takes the completions that wait, as many as there is room for. One call from Go takes many.
static int32_t take(lambda_queue *queue, lambda_result **results, int32_t room) {
	int32_t taken = 0;
	while (taken < room && (results[taken] = lambda_queue_next(queue, 0)) != NULL) {
		taken++;
	}
	return taken;
}

// Makes a descriptor that is readable while the queue's is, for Go's poller, which closes it. On Linux that is an epoll of the
// one event that counts: Go's poller also wakes up whenever an eventfd has become writable, which is after each time that the
// queue has become empty.
static int32_t watch(int32_t descriptor) {
#ifdef __linux__
	int32_t made = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event readable = {.events = EPOLLIN};
	if (made >= 0 && (epoll_ctl(made, EPOLL_CTL_ADD, descriptor, &readable) != 0 || fcntl(made, F_SETFL, O_NONBLOCK) != 0)) {
		int failure = errno;
		close(made);
		errno = failure;
		return -1;
	}
	return made;
#else
	return fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
#endif
}
*/
import "C"

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// maxInC is how many goroutines may be inside the library to begin or to end a call. Each needs a thread while it is there,
// a few microseconds; if the system takes the processor away from it, then Go starts another thread for the next goroutine.
// Without a bound, 10,000 goroutines that begin at once could have as many threads. Two do more than the one thread of the
// queue, which drives all calls, can take.
const maxInC = 2

var inC = make(chan struct{}, maxInC)

func enterC() { inC <- struct{}{} }

func leaveC() { <-inC }

// shared is the one queue of the process. The first Invoke of a client makes it if there is none, and it ends with the last
// of these clients. So any number of clients and of goroutines needs one thread and one goroutine that dispatches.
var shared struct {
	mutex   sync.Mutex
	queue   *queue
	clients int
}

// queue hands each completion to the goroutine that waits for it. Waiting takes no thread: Go's network poller watches the
// queue's descriptor. A thread that is blocked in lambda_queue_next instead takes as much of the processor for one goroutine,
// and a fifth more for 64.
type queue struct {
	handle     *C.lambda_queue
	descriptor *os.File

	mutex   sync.Mutex
	waiting map[uint64]chan *C.lambda_result
	tags    uint64
}

// joinQueue returns the queue of the process for one more client, which calls leaveQueue in the end.
func joinQueue() (*queue, *Error) {
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	if shared.queue == nil {
		made, failure := newQueue()
		if failure != nil {
			return nil, failure
		}
		shared.queue = made
	}
	shared.clients++
	return shared.queue, nil
}

func leaveQueue() {
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	if shared.clients--; shared.clients == 0 {
		// It ends the goroutine that dispatches, which frees the queue.
		_ = shared.queue.descriptor.Close()
		shared.queue = nil
	}
}

func newQueue() (*queue, *Error) {
	made := &queue{waiting: make(map[uint64]chan *C.lambda_result)}
	var failure *C.lambda_error
	if status := Status(C.lambda_queue_new(&made.handle, &failure)); status != StatusOK {
		defer C.lambda_error_free(failure)
		return nil, refuse(status, nil, "%s", C.GoString(C.lambda_error_message(failure)))
	}
	descriptor, err := C.watch(C.lambda_queue_fd(made.handle))
	if descriptor < 0 {
		C.lambda_queue_free(made.handle)
		return nil, refuse(StatusNoMemory, err, "the descriptor of a queue could not be made: %v", err)
	}
	made.descriptor = os.NewFile(uintptr(descriptor), "lambda_queue")
	completions, err := made.descriptor.SyscallConn()
	if err == nil {
		// Fails if the poller could not take the descriptor.
		err = made.descriptor.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = made.descriptor.Close()
		C.lambda_queue_free(made.handle)
		return nil, refuse(StatusNoMemory, err, "the descriptor of a queue could not be watched: %v", err)
	}
	go func() {
		var results [64]*C.lambda_result
		// Returns when the descriptor is closed.
		_ = completions.Read(func(uintptr) bool {
			for made.dispatch(results[:]) == len(results) {
			}
			return false
		})
		C.lambda_queue_free(made.handle)
	}()
	return made, nil
}

// dispatch hands over the completions that wait, as many as there is room for, and returns how many it were.
func (q *queue) dispatch(room []*C.lambda_result) int {
	taken := int(C.take(q.handle, &room[0], C.int32_t(len(room))))
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, result := range room[:taken] {
		tag := uint64(result.tag)
		// Has room for the one result that comes.
		q.waiting[tag] <- result
		delete(q.waiting, tag)
	}
	return taken
}

// submit begins a call, of which the result comes through the channel; who receives it frees it.
func (q *queue) submit(client *C.lambda_client, request *C.lambda_request) (tag uint64, results <-chan *C.lambda_result, failure *Error) {
	result := make(chan *C.lambda_result, 1)
	q.mutex.Lock()
	q.tags++
	tag = q.tags
	q.waiting[tag] = result
	q.mutex.Unlock()
	if status := Status(C.lambda_queue_submit(q.handle, client, request, C.uint64_t(tag))); status != StatusOK {
		q.mutex.Lock()
		delete(q.waiting, tag)
		q.mutex.Unlock()
		return 0, nil, refuse(status, nil, "the call could not be submitted")
	}
	return tag, result, nil
}

// await waits for the end of a call, which the end of the context cancels. The caller frees the result.
func (q *queue) await(ctx context.Context, tag uint64, results <-chan *C.lambda_result) *C.lambda_result {
	select {
	case result := <-results:
		return result
	case <-ctx.Done():
	}
	// A deadline is already the call's timeout, which ends it at once and by its right name.
	if _, timed := ctx.Deadline(); !timed || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		enterC()
		C.lambda_queue_cancel(q.handle, C.uint64_t(tag))
		leaveC()
	}
	return <-results
}
