package lambdainvoke

/*
#include <lambda_invoke.h>

#include <errno.h>
#include <fcntl.h>
#include <time.h>
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

// Waits for the first completion.
static int32_t wait_and_take(lambda_queue *queue, lambda_result **results, int32_t room) {
	while ((results[0] = lambda_queue_next(queue, -1)) == NULL) {
		// There was no memory for the result.
		struct timespec moment = {.tv_nsec = 1000000};
		nanosleep(&moment, NULL);
	}
	return 1 + take(queue, results + 1, room - 1);
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

// Switches that on or off. Returns 0 where it is always on.
static int32_t switch_watch(int32_t watch, int32_t descriptor, int32_t on) {
#ifdef __linux__
	struct epoll_event event = {.events = on ? EPOLLIN : 0};
	return epoll_ctl(watch, EPOLL_CTL_MOD, descriptor, &event) == 0;
#else
	return 0;
#endif
}
*/
import "C"

import (
	"context"
	"os"
	"sync"
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

// shared is the one queue of the process. The first call of a client that uses it makes it if there is none, and it ends with
// the last of these clients. So any number of clients and of goroutines needs one thread and one goroutine that dispatches.
var shared struct {
	mutex   sync.Mutex
	queue   *queue
	clients int
}

// queue hands each completion to the goroutine that waits for it. Two do that, one at a time:
//
//   - The dispatcher, a goroutine, when calls are under way at once. Waiting takes no thread: Go's network poller watches the
//     queue's descriptor.
//   - The leader, a goroutine whose call was alone in the queue when it began. It waits inside the library, where the thread of the queue
//     wakes it directly: that takes half as much of the processor for one call at a time. For 64 goroutines it would take a
//     fifth more, so the dispatcher takes over when the leader's own call has ended and others are under way.
type queue struct {
	handle     *C.lambda_queue
	descriptor C.int32_t
	watch      *os.File
	// That of the watch.
	watching C.int32_t
	// For the results that the leader takes.
	room [64]*C.lambda_result

	mutex sync.Mutex
	// The calls under way but the leader's. While there are any, there is a leader, or the watch is on.
	waiting map[uint64]chan *C.lambda_result
	tags    uint64
	// The tag of the leader's call, 0 if there is no leader.
	leader uint64
	// The watch is on.
	isWatched bool
	// How many goroutines are taking completions in dispatch.
	dispatching int
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
		// It ends the dispatcher, which frees the queue.
		_ = shared.queue.watch.Close()
		shared.queue = nil
	}
}

func newQueue() (*queue, *Error) {
	made := &queue{waiting: make(map[uint64]chan *C.lambda_result), isWatched: true}
	var failure *C.lambda_error
	if status := Status(C.lambda_queue_new(&made.handle, &failure)); status != StatusOK {
		defer C.lambda_error_free(failure)
		return nil, refuse(status, nil, "%s", C.GoString(C.lambda_error_message(failure)))
	}
	made.descriptor = C.int32_t(C.lambda_queue_fd(made.handle))
	watch, err := C.watch(made.descriptor)
	if watch < 0 {
		C.lambda_queue_free(made.handle)
		return nil, refuse(StatusNoMemory, err, "the descriptor of a queue could not be made: %v", err)
	}
	made.watching = watch
	made.watch = os.NewFile(uintptr(watch), "lambda_queue")
	completions, err := made.watch.SyscallConn()
	if err == nil {
		// Fails if the poller could not take the descriptor.
		err = made.watch.SetReadDeadline(time.Time{})
	}
	if err != nil {
		_ = made.watch.Close()
		C.lambda_queue_free(made.handle)
		return nil, refuse(StatusNoMemory, err, "the descriptor of a queue could not be watched: %v", err)
	}
	go func() {
		var room [64]*C.lambda_result
		// Returns when the watch is closed.
		_ = completions.Read(func(uintptr) bool {
			made.dispatch(&room)
			return false
		})
		C.lambda_queue_free(made.handle)
	}()
	return made, nil
}

// dispatch hands over all completions that wait, unless there is a leader.
func (q *queue) dispatch(room *[64]*C.lambda_result) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for taken := len(room); taken == len(room) && q.leader == 0; {
		q.dispatching++
		q.mutex.Unlock()
		taken = int(C.take(q.handle, &room[0], C.int32_t(len(room))))
		q.mutex.Lock()
		q.dispatching--
		q.handOver(room[:taken])
	}
}

// handOver passes results on to those who wait for them, and returns that of the leader. It wants the mutex locked.
func (q *queue) handOver(results []*C.lambda_result) (leaders *C.lambda_result) {
	for _, result := range results {
		if tag := uint64(result.tag); tag == q.leader {
			leaders = result
		} else {
			// Has room for the one result that comes.
			q.waiting[tag] <- result
			delete(q.waiting, tag)
		}
	}
	return leaders
}

// setWatched switches the watch on or off, and tells whether it is so now. It wants the mutex locked.
func (q *queue) setWatched(on C.int32_t) bool {
	if isOn := on != 0; q.isWatched != isOn && C.switch_watch(q.watching, q.descriptor, on) != 0 {
		q.isWatched = isOn
	}
	return q.isWatched == (on != 0)
}

// expect returns the tag for a call that is about to be submitted. Its result comes through the channel; who receives it frees
// it. There is none for the leader.
func (q *queue) expect() (tag uint64, results chan *C.lambda_result) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.tags++
	if len(q.waiting) == 0 && q.leader == 0 && q.dispatching == 0 && q.setWatched(0) {
		q.leader = q.tags
		return q.tags, nil
	}
	if q.leader == 0 {
		q.setWatched(1)
	}
	results = make(chan *C.lambda_result, 1)
	q.waiting[q.tags] = results
	return q.tags, results
}

// forget expects no result of a call that was not submitted.
func (q *queue) forget(tag uint64) {
	q.mutex.Lock()
	delete(q.waiting, tag)
	isLeader := tag == q.leader
	q.mutex.Unlock()
	if isLeader {
		q.resign()
	}
}

// resign leaves the calls under way to the dispatcher.
func (q *queue) resign() {
	q.mutex.Lock()
	q.leader = 0
	areOthers := len(q.waiting) > 0
	if areOthers {
		q.setWatched(1)
	}
	q.mutex.Unlock()
	if areOthers {
		// The poller is not told of what came before the watch was on.
		q.dispatch(new([64]*C.lambda_result))
	}
}

// await waits for the end of a call, which the end of the context cancels. The caller frees the result. A method of the context
// may panic: then the call is cancelled, and nobody wants its result.
func (q *queue) await(ctx context.Context, tag uint64, results <-chan *C.lambda_result) (result *C.lambda_result) {
	hasReturned := false
	defer func() {
		switch {
		case hasReturned:
		case result == nil:
			q.abandon(tag, results)
		default:
			C.lambda_result_free(result)
		}
	}()
	if results == nil {
		q.leadUntil(ctx, tag, &result)
		hasReturned = true
		return result
	}
	result = q.follow(ctx, tag, results)
	hasReturned = true
	return result
}

// follow waits until the leader passes the result on.
func (q *queue) follow(ctx context.Context, tag uint64, results <-chan *C.lambda_result) *C.lambda_result {
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

// abandon cancels a call and frees its result.
func (q *queue) abandon(tag uint64, results <-chan *C.lambda_result) {
	C.lambda_queue_cancel(q.handle, C.uint64_t(tag))
	if results == nil {
		C.lambda_result_free(q.lead())
	} else {
		C.lambda_result_free(<-results)
	}
}

// leadUntil leads until the leader's call ends, which the end of the context cancels. It sets the result before it stops to watch
// the context, whose methods may panic then.
func (q *queue) leadUntil(ctx context.Context, tag uint64, result **C.lambda_result) {
	if ctx.Done() != nil {
		unwatch := context.AfterFunc(ctx, cancelling(ctx, func() { q.cancelLeader(tag) }))
		defer unwatch()
	}
	*result = q.lead()
}

// cancelling returns what the end of the context does on a goroutine of its own, where a panic of the context's methods would end
// the program. The call is then cancelled, and asks the context again where the caller can recover from a panic.
func cancelling(ctx context.Context, cancel func()) func() {
	return func() {
		isTimeout := false
		defer func() {
			_ = recover()
			if !isTimeout {
				cancel()
			}
		}()
		isTimeout = endedByDeadline(ctx)
	}
}

// lead waits for the end of the leader's call, and hands over the results of others that end before.
func (q *queue) lead() *C.lambda_result {
	for {
		taken := C.wait_and_take(q.handle, &q.room[0], C.int32_t(len(q.room)))
		q.mutex.Lock()
		result := q.handOver(q.room[:taken])
		q.mutex.Unlock()
		if result != nil {
			q.resign()
			return result
		}
	}
}

// cancelLeader does nothing once the call has ended: the queue may have ended with it.
func (q *queue) cancelLeader(tag uint64) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.leader == tag {
		C.lambda_queue_cancel(q.handle, C.uint64_t(tag))
	}
}
