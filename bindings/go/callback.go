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
	"fmt"
	"log/slog"
	"runtime/cgo"
	"sync"
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
	provide func() (Credentials, error)

	mutex sync.Mutex
	// refusal is what it last returned instead of credentials.
	refusal error
}

// install hands the provider over; the library releases it when the last client that could call it is gone.
func (p *provider) install(settings *C.lambda_config) {
	C.ask_through(settings, C.uintptr_t(cgo.NewHandle(p)))
}

// call never panics: that would unwind the library.
func (p *provider) call() (credentials Credentials, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("panic: %v", what)
		}
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.refusal = err
	}()
	return p.provide()
}

func (p *provider) lastRefusal() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.refusal
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

// call never panics: an event is lost then, the call is not.
func (s *sink) call(number C.int32_t, target, message string) {
	defer func() { _ = recover() }()
	for _, known := range levels {
		if known.number == number {
			s.logger.Log(context.Background(), known.level, message, "target", target)
		}
	}
}
