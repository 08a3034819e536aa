package lambdainvoke

/*
#include <lambda_invoke.h>

// Go's, in export.go.
int32_t lambdainvokeAsk(uintptr_t, lambda_credentials *);
void lambdainvokeTell(uintptr_t, int32_t, char *, char *);
void lambdainvokeRelease(uintptr_t);

// What the library keeps is a number, not a pointer of Go's: the collector knows nothing of it.
static lambda_status ask(void *handle, lambda_credentials *out) {
	return lambdainvokeAsk((uintptr_t)handle, out);
}

static void tell(void *handle, int32_t level, const char *target, const char *message) {
	lambdainvokeTell((uintptr_t)handle, level, (char *)target, (char *)message);
}

static void release(void *handle) {
	lambdainvokeRelease((uintptr_t)handle);
}

static void ask_through(lambda_config *config, uintptr_t handle) {
	lambda_config_set_credentials_callback(config, ask, (void *)handle, release);
}

static void tell_to(lambda_config *config, int32_t level, uintptr_t handle) {
	lambda_config_set_log(config, level, tell, (void *)handle, release);
}
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/cgo"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// LevelTrace is the level at which a Config's Logger gets the most detailed events.
const LevelTrace = slog.LevelDebug - 4

// levels are the library's, the most detailed first.
var levels = []struct {
	number C.int32_t
	level  slog.Level
}{
	{C.LAMBDA_LOG_LEVEL_TRACE, LevelTrace},
	{C.LAMBDA_LOG_LEVEL_DEBUG, slog.LevelDebug},
	{C.LAMBDA_LOG_LEVEL_INFO, slog.LevelInfo},
	{C.LAMBDA_LOG_LEVEL_WARN, slog.LevelWarn},
	{C.LAMBDA_LOG_LEVEL_ERROR, slog.LevelError},
}

// provider is a Config's CredentialsProvider while the library may call it.
type provider struct {
	provide  func() (Credentials, error)
	refusals *refusals
	asked    *goroutine
	// The library calls from one thread at a time; this tells it to Go's memory model too.
	turn sync.Mutex
}

// install hands the provider over; the library releases it when nobody is left who could call it.
func (p *provider) install(settings *C.lambda_config) {
	C.ask_through(settings, C.uintptr_t(cgo.NewHandle(p)))
}

// call returns credentials, or in words why there are none.
func (p *provider) call() (credentials Credentials, refusal string) {
	p.turn.Lock()
	defer p.turn.Unlock()
	var err error
	broken := apart(func() {
		p.asked.begin()
		defer p.asked.end()
		if credentials, err = p.provide(); err != nil {
			refusal = err.Error()
		}
	})
	if broken != nil {
		err, refusal = broken, broken.Error()
	}
	if err == nil {
		return credentials, ""
	}
	refusal = oneLine(refusal)
	if strings.TrimSpace(refusal) == "" {
		refusal = "no reason was given"
	}
	p.refusals.add(err, refusal)
	return Credentials{}, refusal
}

// goroutine is the one that runs a client's CredentialsProvider, if any does. It serves only to tell a provider that calls
// with its own client, and would wait for itself.
type goroutine struct {
	id atomic.Pointer[string]
}

func (g *goroutine) begin() {
	id := goroutineID()
	g.id.Store(&id)
}

func (g *goroutine) end() {
	g.id.Store(nil)
}

// isCurrent tells whether the caller runs on it.
func (g *goroutine) isCurrent() bool {
	id := g.id.Load()
	return id != nil && *id == goroutineID()
}

// goroutineID returns the first words of the current goroutine's stack trace, "goroutine 7". Go tells it nowhere else.
func goroutineID() string {
	var head [64]byte
	id, _, _ := strings.Cut(string(head[:runtime.Stack(head[:], false)]), " [")
	return id
}

// refusals are the last errors of a provider, from which the calls that failed by them take their causes. A client has
// them apart from the provider, which it must not keep alive.
type refusals struct {
	mutex sync.Mutex
	last  []refusal
}

type refusal struct {
	err  error
	text string
}

// manyRefusals are more than a provider gives between the end of a call and its look at them.
const manyRefusals = 256

// add forgets the oldest, and that of the same text: one of a text is enough.
func (r *refusals) add(err error, text string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.last = slices.DeleteFunc(r.last, func(old refusal) bool { return old.text == text })
	if len(r.last) == manyRefusals {
		r.last = slices.Delete(r.last, 0, 1)
	}
	r.last = append(r.last, refusal{err, text})
}

// of finds the error with which the message of a failed call ends, nil if there is none.
func (r *refusals) of(message string) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for i := len(r.last) - 1; i >= 0; i-- {
		if strings.HasSuffix(message, ": "+r.last[i].text) {
			return r.last[i].err
		}
	}
	return nil
}

// sink is a Config's Logger while the library may call it.
type sink struct {
	logger *slog.Logger
}

// install hands the logger over, unless it wants to know nothing.
func (s *sink) install(settings *C.lambda_config) {
	for _, known := range levels {
		if s.logger.Enabled(context.Background(), known.level) {
			C.tell_to(settings, known.number, C.uintptr_t(cgo.NewHandle(s)))
			return
		}
	}
}

// call loses an event of which the logger makes a panic; the call goes on.
func (s *sink) call(number C.int32_t, target, message string) {
	for _, known := range levels {
		if known.number == number {
			_ = apart(func() {
				s.logger.Log(context.Background(), known.level, message, "target", target)
			})
			return
		}
	}
}

// apart runs the program's code below the library's, on a goroutine of its own: neither a panic nor runtime.Goexit (which
// t.FailNow is too) may unwind the library's frames, with the locks that they hold. It returns how the code ended, nil if
// as it should.
func apart(code func()) error {
	ended := make(chan error, 1)
	go func() {
		err := errors.New("it ended its goroutine (runtime.Goexit)")
		// Apart from the next, which an error's own text may end.
		defer func() { ended <- err }()
		defer func() {
			switch what := recover().(type) {
			case nil:
			case error:
				err = fmt.Errorf("panic: %w", what)
			default:
				err = fmt.Errorf("panic: %v", what)
			}
		}()
		code()
		err = nil
	}()
	return <-ended
}
