// Package lambdainvoke invokes AWS Lambda functions through liblambda_invoke.
//
// It says the truth about every call: an [Error] and a [Result] tell whether the function ran, did not, or whether
// nobody knows ([Execution]). It never hands one invocation to Lambda twice unless told that it may ([RetryAlways]), and
// a failed function is an error.
//
// A goroutine that waits for its call needs no thread: thousands of calls may be in flight.
//
// The C library is found by pkg-config as lambda_invoke. With the build tag lambda_invoke_static it is linked into the
// program.
package lambdainvoke

/*
#include <lambda_invoke.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"time"
)

// Config says how to reach Lambda. A field that has its zero value is not set: it comes from the environment and the
// shared AWS files, as for every AWS tool, which are read when the client is made, or is the library's default.
type Config struct {
	// Region is one such as "us-east-1". A full ARN's own region goes before it. Else AWS_REGION, AWS_DEFAULT_REGION, the
	// profile's.
	Region string
	// Profile is one of the shared AWS files, which must exist; its credentials go before the environment's. Else
	// AWS_PROFILE, AWS_DEFAULT_PROFILE, "default".
	Profile string
	// EndpointURL is http(s)://host[:port][/path]. Else AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's, AWS's
	// own.
	EndpointURL string
	// UseFIPS and UseDualStack choose endpoints with FIPS 140 cryptography, and with IPv6 addresses too; not with a custom
	// endpoint. Else AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT, the profile.
	UseFIPS, UseDualStack *bool
	// Credentials go before a CredentialsProvider. Their Expires is not looked at.
	Credentials Credentials
	// CredentialsProvider is asked when there are no credentials yet and shortly before they expire, never twice at once
	// for one client, while an Invoke waits for it, whose context can end it only after that. It may use other clients,
	// but not invoke with the one that it serves. Its error ends the call, and errors.Is and errors.As find it in the
	// call's; so they do an error of which it made a panic. Else credentials are found as by every AWS tool: environment,
	// profile, web identity, container, instance metadata.
	CredentialsProvider func() (Credentials, error)
	// CABundle is a PEM file of the certificates to trust. Else AWS_CA_BUNDLE, the profile's, SSL_CERT_FILE and
	// SSL_CERT_DIR, the system's.
	CABundle string
	// Proxy is an http, https or socks5 URL, with user:password@ if the proxy asks for that; a pointer to "" means none.
	// Else HTTPS_PROXY or HTTP_PROXY, ALL_PROXY, with the exceptions of NO_PROXY.
	Proxy *string
	// AppID names the application in User-Agent. Else AWS_SDK_UA_APP_ID, the profile's.
	AppID string
	// Logger gets what happens inside, never a secret, with the attribute "target", from the level on for which it is
	// enabled when the client is made: LevelTrace at the most. It serves several goroutines at once, and must not use
	// this package. LAMBDA_INVOKE_LOG=debug (or another level) prints the same to stderr.
	Logger *slog.Logger
	// Timeout is that of a whole call, waiting for a connection, credentials and retries included: else 910 s, and 60 s
	// for events and dry runs.
	Timeout time.Duration
	// ConnectTimeout is that of name, TCP, proxy and TLS of one connection together: else 5 s. It ends an attempt, not the
	// call.
	ConnectTimeout time.Duration
	// MaxAttempts counts the first try too: else AWS_MAX_ATTEMPTS, the profile's, 3.
	MaxAttempts int
	// Retry is else RetrySafe.
	Retry RetryMode
	// MaxConnections is how many calls may be under way at once, each on a connection of its own: more wait their turn,
	// first come, first served. Else as many as half of the process's file descriptors allow.
	MaxConnections int
	// MaxResponseBytes is the longest payload of an answer: else 64 MiB.
	MaxResponseBytes int64
}

// Credentials sign the calls. SessionToken belongs to temporary ones. Expires is for those of a CredentialsProvider:
// before that, it is asked again. The zero value means that they do not run out.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expires         time.Time
}

// Format shows only the access key's id, whatever the verb, so that a Config can be printed without its secrets.
func (c Credentials) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "{AccessKeyID:%s}", c.AccessKeyID)
}

// LogValue shows only the access key's id, so that a log holds no secret either.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.String("AccessKeyID", c.AccessKeyID))
}

// Client has settings, connections and retry budget, for any number of goroutines. NewClient makes one; Close frees it.
// Copies of a Client are the same client.
type Client struct {
	owner *owner
}

// owner is what the collector finds unused if the program has forgotten a client, while a timer may still refer to the state.
type owner struct{ *state }

// state is what all copies of a Client share.
type state struct {
	timeout  time.Duration
	refusals *refusals
	asked    *goroutine

	mutex  sync.Mutex
	handle *C.lambda_client
	queue  *queue // nil before the first call that uses it
	// Those under way, streams included.
	calls   int
	streams int
	closed  bool
	// Runs closeIdle; nil before the first call that does without the queue.
	idle *time.Timer
}

// NewClient makes a client. It reads the environment and files, but does not use the network. The error is an [*Error].
func NewClient(config Config) (*Client, error) {
	if failure := checkVersion(headerVersion, uint32(C.lambda_version_number())); failure != nil {
		return nil, failure
	}
	settings := C.lambda_config_new()
	if settings == nil {
		return nil, refuse(StatusNoMemory, nil, "there is no memory for a client's settings")
	}
	defer C.lambda_config_free(settings)
	if failure := config.fill(settings); failure != nil {
		return nil, failure
	}
	made := &state{timeout: config.Timeout, refusals: new(refusals), asked: new(goroutine)}
	if config.CredentialsProvider != nil {
		asked := provider{provide: config.CredentialsProvider, refusals: made.refusals, asked: made.asked}
		asked.install(settings)
	}
	if config.Logger != nil {
		told := sink{config.Logger}
		told.install(settings)
	}
	var failure *C.lambda_error
	if status := Status(C.lambda_client_new(settings, &made.handle, &failure)); status != StatusOK {
		// NULL, if there was no memory for it, has a message as well.
		defer C.lambda_error_free(failure)
		return nil, refuse(status, nil, "%s", inGo(status, "", C.GoString(C.lambda_error_message(failure))))
	}
	owned := &owner{made}
	runtime.SetFinalizer(owned, func(o *owner) { o.close() })
	return &Client{owned}, nil
}

func (c *Config) fill(settings *C.lambda_config) *Error {
	var text arena
	defer text.wipe()
	if s := text.optional("Region", c.Region); s != nil {
		C.lambda_config_set_region(settings, s)
	}
	if s := text.optional("EndpointURL", c.EndpointURL); s != nil {
		C.lambda_config_set_endpoint_url(settings, s)
	}
	if s := text.optional("Profile", c.Profile); s != nil {
		C.lambda_config_set_profile(settings, s)
	}
	if c.UseFIPS != nil {
		C.lambda_config_set_use_fips(settings, flag(*c.UseFIPS))
	}
	if c.UseDualStack != nil {
		C.lambda_config_set_use_dual_stack(settings, flag(*c.UseDualStack))
	}
	if s := text.optional("CABundle", c.CABundle); s != nil {
		C.lambda_config_set_ca_bundle(settings, s)
	}
	if c.Proxy != nil {
		if s := text.copy("Proxy", *c.Proxy); s != nil {
			C.lambda_config_set_proxy(settings, s)
		}
	}
	if s := text.optional("AppID", c.AppID); s != nil {
		C.lambda_config_set_app_id(settings, s)
	}
	if c.Credentials != (Credentials{}) {
		for _, required := range []struct{ field, value string }{
			{"AccessKeyID", c.Credentials.AccessKeyID}, {"SecretAccessKey", c.Credentials.SecretAccessKey},
		} {
			if required.value == "" {
				return refuse(StatusInvalidArgument, nil, "Credentials: %s is not set", required.field)
			}
		}
		C.lambda_config_set_credentials(
			settings,
			text.copy("AccessKeyID", c.Credentials.AccessKeyID),
			text.copy("SecretAccessKey", c.Credentials.SecretAccessKey),
			text.optional("SessionToken", c.Credentials.SessionToken),
		)
	}
	if text.err != nil {
		return text.err
	}
	for _, duration := range []struct {
		field string
		value time.Duration
	}{
		{"Timeout", c.Timeout},
		{"ConnectTimeout", c.ConnectTimeout},
	} {
		if duration.value < 0 {
			return refuse(StatusInvalidArgument, nil, "%s: %v is negative", duration.field, duration.value)
		}
	}
	for _, number := range []struct {
		field string
		value int64
		limit int64
	}{
		{"MaxAttempts", int64(c.MaxAttempts), math.MaxUint32},
		{"MaxConnections", int64(c.MaxConnections), math.MaxUint32},
		{"MaxResponseBytes", c.MaxResponseBytes, math.MaxInt64},
	} {
		if number.value < 0 || number.value > number.limit {
			return refuse(StatusInvalidArgument, nil, "%s: %d is not between 0 and %d", number.field, number.value, number.limit)
		}
	}
	if c.Timeout != 0 {
		C.lambda_config_set_timeout_ms(settings, milliseconds(c.Timeout))
	}
	if c.ConnectTimeout != 0 {
		C.lambda_config_set_connect_timeout_ms(settings, milliseconds(c.ConnectTimeout))
	}
	if c.MaxAttempts != 0 {
		C.lambda_config_set_max_attempts(settings, C.uint32_t(c.MaxAttempts))
	}
	if c.MaxConnections != 0 {
		C.lambda_config_set_max_connections(settings, C.uint32_t(c.MaxConnections))
	}
	if c.MaxResponseBytes != 0 {
		C.lambda_config_set_max_response_bytes(settings, C.uint64_t(c.MaxResponseBytes))
	}
	if c.Retry != 0 {
		mode, failure := c.Retry.number()
		if failure != nil {
			return failure
		}
		C.lambda_config_set_retry(settings, mode)
	}
	return nil
}

func flag(on bool) C.int32_t {
	if on {
		return 1
	}
	return 0
}

// Setting is one of the settings in force, and where it came from: "setter" for a field of Config, an environment
// variable, a profile and its file, "default".
type Setting struct {
	Value  any    `json:"value"`
	Source string `json:"source"`
}

// Describe returns the settings in force, by their names, with the values that encoding/json gives them. Secrets are never
// shown. It does not use the network.
func (c *Client) Describe() (map[string]Setting, error) {
	client, failure := c.acquire()
	if failure != nil {
		return nil, failure
	}
	defer client.release()
	text := C.lambda_client_describe(client.handle)
	if text == nil {
		return nil, refuse(StatusNoMemory, nil, "there is no memory for a description")
	}
	defer C.lambda_string_free(text)
	var settings map[string]Setting
	if err := json.Unmarshal([]byte(C.GoString(text)), &settings); err != nil {
		return nil, refuse(StatusInternal, err, "the description is not valid JSON: %v", err)
	}
	return settings, nil
}

// ReleaseIdle closes the idle connections now. Connections in use stay open, and later calls open new ones. It does not
// block, and does nothing once the client is closed.
func (c *Client) ReleaseIdle() {
	client, failure := c.acquire()
	if failure != nil {
		return
	}
	defer client.release()
	C.lambda_client_release_idle(client.handle)
}

// Close frees the client. It does not wait: calls under way go on, those that wait their turn included, and the last of
// them frees it. Later calls fail with ErrClosed. Closing twice is allowed. With the last client whose calls it has driven, the
// library's thread ends too. The garbage collector closes a client that nothing refers to, at a time of its own.
func (c *Client) Close() {
	if c != nil && c.owner != nil {
		c.owner.close()
	}
}

func (s *state) close() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.closed = true
	s.freeIfUnused()
}

// acquire returns the client's state, which the caller releases.
func (c *Client) acquire() (*state, *Error) {
	if c == nil || c.owner == nil {
		return nil, refuse(StatusInvalidArgument, nil, "client: was not made by NewClient")
	}
	// The collector does not close the client before the call is counted.
	defer runtime.KeepAlive(c.owner)
	s := c.owner.state
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return nil, refuse(StatusInvalidArgument, ErrClosed, "client: is closed")
	}
	s.calls++
	return s, nil
}

func (s *state) release() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.calls--
	s.restIfIdle()
	s.freeIfUnused()
}

// useQueue makes sure that an acquired client has the queue.
func (s *state) useQueue() (failure *Error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.queue == nil {
		s.queue, failure = joinQueue()
	}
	return failure
}

// freeIfUnused wants the mutex locked. A second time it frees NULL, which is nothing to free.
func (s *state) freeIfUnused() {
	if s.closed && s.calls == 0 {
		if s.idle != nil {
			s.idle.Stop()
		}
		C.lambda_client_free(s.handle)
		s.handle = nil
		if s.queue != nil {
			s.queue = nil
			leaveQueue()
		}
	}
}

// Invoke invokes a function and waits for the response. Whatever is not a success, a failed function included, is an
// [*Error] and no Result.
//
// The context's deadline ends the call as a timeout does, and cancelling it ends the call at once. If it has ended already,
// nothing is sent. The function itself, once started, runs on: the error's Execution says so.
//
// Any number of goroutines may call. One that waits needs no thread, unless its call was alone in the process when it began: then
// it blocks a thread until the call ends. One thread of the library drives all calls, except for one that is alone and whose
// context cannot be cancelled. It starts with the first call that it drives, and ends with the last client that has made one.
//
// [Config].MaxConnections bounds the calls of a client that are under way at once; the others wait their turn, inside their
// timeout and context.
func (c *Client) Invoke(ctx context.Context, request *Request) (*Result, error) {
	begin := time.Now()
	if request == nil {
		return nil, refuse(StatusInvalidArgument, nil, "request: is nil")
	}
	// What the program changes in the meantime, against the rule, does not become two different requests.
	fixed := *request
	result, failure := c.invoke(ctx, &fixed, begin)
	if failure != nil {
		return nil, failure
	}
	return result, nil
}

func (c *Client) invoke(ctx context.Context, request *Request, begin time.Time) (*Result, *Error) {
	function := label(request.FunctionName)
	client, failure := c.acquire()
	if failure != nil {
		return nil, failure.of(function)
	}
	defer client.release()
	if ctx == nil {
		return nil, refuse(StatusInvalidArgument, nil, "context: is nil; context.Background() never ends a call").of(function)
	}
	if client.asked.isCurrent() {
		return nil, refuse(StatusCredentials, nil, "the CredentialsProvider calls with its own client, which waits for it").of(function)
	}
	if end := endOf(ctx); end != nil {
		return nil, end.refuse("had ended before the call, so that nothing was sent").of(function)
	}
	defer underWay.Add(-1)
	isAlone := underWay.Add(1) == 1
	if isAlone {
		yieldNowAndThen()
	}
	var result Result
	if isAlone && ctx.Done() == nil && len(request.Payload) <= maxPayloadAlone {
		result, failure = client.invokeAlone(ctx, request, begin)
	} else {
		result, failure = client.invokeThroughQueue(ctx, request, begin)
	}
	if failure != nil {
		return nil, failure.of(function)
	}
	if result.Status == StatusOK {
		return &result, nil
	}
	return nil, client.failure(ctx, function, result)
}

func (s *state) invokeThroughQueue(ctx context.Context, request *Request, begin time.Time) (Result, *Error) {
	if failure := s.useQueue(); failure != nil {
		return Result{}, failure
	}
	tag, results := s.queue.expect()
	isSubmitted := false
	// Deferred, since a method of the context may panic.
	defer func() {
		if !isSubmitted {
			s.queue.forget(tag)
		}
	}()
	waited, failure := s.begin(ctx, request, begin, tag, results == nil)
	if failure != nil {
		failure.Duration = waited
		return Result{}, failure
	}
	isSubmitted = true
	answer := s.queue.await(ctx, tag, results)
	result := newResult(answer)
	result.Duration += waited
	enterC()
	C.lambda_result_free(answer)
	leaveC()
	return result, nil
}

// begin submits the call. It returns how long it waited before that.
func (s *state) begin(ctx context.Context, request *Request, begin time.Time, tag uint64, leads bool) (time.Duration, *Error) {
	if !leads {
		// The leader has a thread anyhow, and others may wait for it.
		enterC()
		defer leaveC()
	}
	waited := time.Since(begin)
	if end := endOf(ctx); end != nil {
		return waited, end.refuse("ended the call before its request was sent")
	}
	prepared, failure := request.prepare(ctx, request.limit(ctx, s.timeout, begin)-waited)
	if failure != nil {
		return waited, failure
	}
	defer C.lambda_request_free(prepared)
	if status := Status(C.lambda_queue_submit(s.queue.handle, s.handle, prepared, C.uint64_t(tag))); status != StatusOK {
		return waited, refuse(status, nil, "the call could not be submitted")
	}
	return waited, nil
}

// failure makes the error of a call that the library made.
func (s *state) failure(ctx context.Context, function string, result Result) *Error {
	failure := &Error{Result: result, function: function}
	end := endOf(ctx)
	switch result.Status {
	case StatusCancelled:
		if end != nil {
			failure.cause = end.cause
		}
	case StatusTimeout:
		failure.cause = context.DeadlineExceeded
		if end != nil && end.status == StatusTimeout {
			failure.cause = end.cause
		}
	case StatusCredentials:
		failure.cause = s.refusals.of(result.ErrorMessage)
	}
	failure.ErrorMessage = inGo(result.Status, function, result.ErrorMessage)
	return failure
}
