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
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxInC is how many goroutines may be inside the library to begin or to end a call. Each needs a thread while it is there,
// a few microseconds; if the system takes the processor away from it, then Go starts another thread for the next goroutine.
// Without a bound, 10,000 goroutines that begin at once could have as many threads. One does as much as the one thread of the
// queue, which drives all calls, can take.
const maxInC = 1

var inC = make(chan struct{}, maxInC)

func enterC() { inC <- struct{}{} }

func leaveC() { <-inC }

// shared are the queues of the process, for all clients. Each is made when the first call needs it, and both end with the
// last of the clients that have called. So any number of clients and of goroutines needs few threads.
var shared struct {
	// How many calls are under way. A call that is alone takes the single queue.
	calls atomic.Int64

	single atomic.Pointer[single]
	queue  atomic.Pointer[queue]

	// Held while a queue is made or ends.
	mutex   sync.Mutex
	clients int
}

// joinQueues keeps the queues for one more client, which calls leaveQueues in the end.
func joinQueues() {
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	shared.clients++
}

func leaveQueues() {
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	if shared.clients--; shared.clients > 0 {
		return
	}
	if ended := shared.single.Swap(nil); ended != nil {
		go func() {
			// Waits for the library's thread, which may be in a Logger.
			C.lambda_queue_free(ended.handle)
		}()
	}
	if ended := shared.queue.Swap(nil); ended != nil {
		// It ends the goroutine that dispatches, which frees the queue.
		_ = ended.descriptor.Close()
	}
}

// sharedQueue returns one of the shared queues, which it makes if there is none.
func sharedQueue[Q any](place *atomic.Pointer[Q], make func() (*Q, *Error)) (*Q, *Error) {
	if made := place.Load(); made != nil {
		return made, nil
	}
	shared.mutex.Lock()
	defer shared.mutex.Unlock()
	if made := place.Load(); made != nil {
		return made, nil
	}
	made, failure := make()
	if failure == nil {
		place.Store(made)
	}
	return made, failure
}

func newHandle() (*C.lambda_queue, *Error) {
	var handle *C.lambda_queue
	var failure *C.lambda_error
	if status := Status(C.lambda_queue_new(&handle, &failure)); status != StatusOK {
		defer C.lambda_error_free(failure)
		return nil, refuse(status, nil, "%s", C.GoString(C.lambda_error_message(failure)))
	}
	return handle, nil
}

// queue hands each completion to the goroutine that waits for it. Waiting takes no thread: Go's network poller watches the
// queue's descriptor. A thread that is blocked in lambda_queue_next instead takes a fifth more of the processor for 64
// goroutines.
type queue struct {
	handle     *C.lambda_queue
	descriptor *os.File

	mutex   sync.Mutex
	waiting map[uint64]chan *C.lambda_result
	tags    uint64
}

func newQueue() (*queue, *Error) {
	handle, failure := newHandle()
	if failure != nil {
		return nil, failure
	}
	made := &queue{handle: handle, waiting: make(map[uint64]chan *C.lambda_result)}
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

// expect returns the tag for a call that is about to be submitted. Its result comes through the channel; who receives it frees
// it.
func (q *queue) expect() (tag uint64, results <-chan *C.lambda_result) {
	result := make(chan *C.lambda_result, 1)
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.tags++
	q.waiting[q.tags] = result
	return q.tags, result
}

// forget expects no result of a call that was not submitted.
func (q *queue) forget(tag uint64) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	delete(q.waiting, tag)
}

// await waits for the end of a call, which the end of the context cancels. The caller frees the result.
func (q *queue) await(ctx context.Context, tag uint64, results <-chan *C.lambda_result) *C.lambda_result {
	select {
	case result := <-results:
		return result
	case <-ctx.Done():
	}
	if !endedByDeadline(ctx) {
		enterC()
		C.lambda_queue_cancel(q.handle, C.uint64_t(tag))
		leaveC()
	}
	return <-results
}
