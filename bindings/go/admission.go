package lambdainvoke

import "time"

// A goroutine inside C occupies a thread, and Go ends a program that has 10,000 of them. So a call waits in Go until it is
// admitted to the library, where it is one of a bounded number. Waiting costs a goroutine.
const (
	// maxCalls bounds the calls inside the library of all clients together. It leaves more than half of Go's threads to
	// the rest of the program.
	maxCalls = 4096
	// maxFirstCalls bounds the first calls of clients that are admitted beyond maxCalls.
	maxFirstCalls = 1024
	// defaultCalls bounds the calls of a client without MaxConnections. An AWS account runs 1,000 functions at once unless
	// that quota was raised.
	defaultCalls = 1024
)

// permits is a semaphore: sending takes one, receiving gives it back. Go serves goroutines that are blocked on a channel
// first come, first served, and hands what was given back to the first of them.
type permits chan struct{}

var (
	callsOfAll      = make(permits, maxCalls)
	firstCallsOfAll = make(permits, maxFirstCalls)
)

// admission admits the calls of one client to the library.
type admission struct {
	calls permits
	// Admits one call while other clients have taken all of maxCalls. They may be waiting for a CredentialsProvider that
	// calls with this client, and never end if it waited for them.
	first permits
}

func newAdmission(maxConnections int) admission {
	limit := defaultCalls
	if maxConnections != 0 {
		limit = min(maxConnections, maxCalls)
	}
	return admission{make(permits, limit), make(permits, 1)}
}

// wait is how a call waits to be admitted: until its context or its deadline ends it.
type wait struct {
	ended <-chan struct{}
	late  <-chan time.Time
}

// enter waits until the call is admitted, and returns what the caller calls when it has left the library. It returns nil if
// the call must end before.
func (a *admission) enter(w wait) (leave func()) {
	var taken []permits
	leave = func() {
		for _, from := range taken {
			<-from
		}
	}
	take := func(one, other permits) bool {
		from := w.take(one, other)
		if from == nil {
			leave()
			return false
		}
		taken = append(taken, from)
		return true
	}
	if !take(a.calls, nil) || !take(callsOfAll, a.first) {
		return nil
	}
	if taken[1] == a.first && !take(firstCallsOfAll, callsOfAll) {
		return nil
	}
	return leave
}

// take waits for a permit of either kind, nil being none, and returns where it was taken from; nil if the wait ended.
func (w wait) take(one, other permits) permits {
	// What is free is taken even if the deadline passes in the same moment.
	select {
	case one <- struct{}{}:
		return one
	default:
	}
	select {
	case one <- struct{}{}:
		return one
	case other <- struct{}{}:
		return other
	case <-w.ended:
	case <-w.late:
	}
	return nil
}
