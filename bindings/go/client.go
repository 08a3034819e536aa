// Package lambdainvoke invokes AWS Lambda functions through liblambda_invoke.
//
// It says the truth about every call: an [Error] and a [Result] tell whether the function ran, did not, or whether
// nobody knows ([Execution]). It never hands one invocation to Lambda twice unless told that it may ([RetryAlways]), and
// a failed function is an error.
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
	"errors"
	"fmt"
	"log/slog"
	"math"
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
	// MaxConnections is how many calls may be under way at once; more wait their turn. Else what half of the process's
	// file descriptors allow.
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
type Client struct {
	timeout  time.Duration
	refusals *refusals

	mutex  sync.Mutex
	handle *C.lambda_client
	calls  int
	closed bool
}

// NewClient makes a client. It reads the environment and files, but does not use the network. The error is an [*Error].
func NewClient(config Config) (*Client, error) {
	if err := checkVersion(headerVersion, uint32(C.lambda_version_number())); err != nil {
		return nil, err
	}
	settings := C.lambda_config_new()
	if settings == nil {
		return nil, refuse(StatusNoMemory, nil, "no memory for a client's settings")
	}
	defer C.lambda_config_free(settings)
	if err := config.fill(settings); err != nil {
		return nil, err
	}
	var refused refusals
	if config.CredentialsProvider != nil {
		asked := provider{provide: config.CredentialsProvider, refusals: &refused}
		asked.install(settings)
	}
	if config.Logger != nil {
		told := sink{config.Logger}
		told.install(settings)
	}
	var handle *C.lambda_client
	var failure *C.lambda_error
	if status := C.lambda_client_new(settings, &handle, &failure); status != C.LAMBDA_OK {
		// NULL, if there was no memory for it, has a message as well.
		defer C.lambda_error_free(failure)
		return nil, refuse(Status(status), nil, "%s", C.GoString(C.lambda_error_message(failure)))
	}
	return &Client{timeout: config.Timeout, refusals: &refused, handle: handle}, nil
}

func (c *Config) fill(settings *C.lambda_config) error {
	var text arena
	defer text.free()
	if s := text.optional("region", c.Region); s != nil {
		C.lambda_config_set_region(settings, s)
	}
	if s := text.optional("endpoint_url", c.EndpointURL); s != nil {
		C.lambda_config_set_endpoint_url(settings, s)
	}
	if s := text.optional("profile", c.Profile); s != nil {
		C.lambda_config_set_profile(settings, s)
	}
	if c.UseFIPS != nil {
		C.lambda_config_set_use_fips(settings, flag(*c.UseFIPS))
	}
	if c.UseDualStack != nil {
		C.lambda_config_set_use_dual_stack(settings, flag(*c.UseDualStack))
	}
	if s := text.optional("ca_bundle", c.CABundle); s != nil {
		C.lambda_config_set_ca_bundle(settings, s)
	}
	if c.Proxy != nil {
		if s := text.copy("proxy", *c.Proxy); s != nil {
			C.lambda_config_set_proxy(settings, s)
		}
	}
	if s := text.optional("app_id", c.AppID); s != nil {
		C.lambda_config_set_app_id(settings, s)
	}
	if c.Credentials != (Credentials{}) {
		C.lambda_config_set_credentials(
			settings,
			// Not NULL: with all of them NULL they would not be set.
			text.copy("access_key_id", c.Credentials.AccessKeyID),
			text.optional("secret_access_key", c.Credentials.SecretAccessKey),
			text.optional("session_token", c.Credentials.SessionToken),
		)
	}
	if text.err != nil {
		return text.err
	}
	for _, number := range []struct {
		field string
		value int64
		limit int64
	}{
		{"timeout", int64(c.Timeout), math.MaxInt64},
		{"connect_timeout", int64(c.ConnectTimeout), math.MaxInt64},
		{"max_attempts", int64(c.MaxAttempts), math.MaxUint32},
		{"max_connections", int64(c.MaxConnections), math.MaxUint32},
		{"max_response_bytes", c.MaxResponseBytes, math.MaxInt64},
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
		mode, err := c.Retry.number()
		if err != nil {
			return err
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
	if err := c.acquire(); err != nil {
		return nil, err
	}
	defer c.release()
	if c.handle == nil {
		return nil, refuse(StatusInvalidArgument, nil, "client: was not made by NewClient")
	}
	text := C.lambda_client_describe(c.handle)
	if text == nil {
		return nil, refuse(StatusNoMemory, nil, "no memory for a description")
	}
	defer C.lambda_string_free(text)
	var settings map[string]Setting
	if err := json.Unmarshal([]byte(C.GoString(text)), &settings); err != nil {
		return nil, refuse(StatusInternal, err, "the description is no JSON: %v", err)
	}
	return settings, nil
}

// Close frees the client. It does not wait: calls under way go on, and the last of them frees it. Later calls fail with
// ErrClosed. Closing twice is allowed. A client that is not closed is never freed.
func (c *Client) Close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.closed = true
	c.freeIfUnused()
}

func (c *Client) acquire() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed {
		return refuse(StatusInvalidArgument, ErrClosed, "client: is closed")
	}
	c.calls++
	return nil
}

func (c *Client) release() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.calls--
	c.freeIfUnused()
}

// freeIfUnused wants the mutex locked. A second time it frees NULL, which is nothing to free.
func (c *Client) freeIfUnused() {
	if c.closed && c.calls == 0 {
		C.lambda_client_free(c.handle)
		c.handle = nil
	}
}

// Invoke invokes a function and waits for the answer. Whatever is not a success, a failed function included, is an
// [*Error] and no Result.
//
// The context's deadline ends the call as a timeout does, and cancelling it ends the call within a tenth of a second. If
// it has ended already, nothing is sent. The function itself, once started, runs on: the error's Execution says so.
func (c *Client) Invoke(ctx context.Context, request *Request) (*Result, error) {
	if request == nil {
		return nil, refuse(StatusInvalidArgument, nil, "request: is nil")
	}
	if err := c.acquire(); err != nil {
		return nil, err
	}
	defer c.release()
	if end := endOf(ctx); end != nil {
		status := StatusCancelled
		if errors.Is(end, context.DeadlineExceeded) {
			status = StatusTimeout
		}
		return nil, refuse(status, end, "the context had ended before the call, so nothing was sent: %v", end)
	}
	prepared, err := request.prepare(ctx, c.timeout)
	if err != nil {
		return nil, err
	}
	defer C.lambda_request_free(prepared)

	answer := await(ctx, c.handle, prepared)
	defer C.lambda_result_free(answer)
	result := newResult(answer)
	if result.Status == StatusOK {
		return &result, nil
	}
	failure := &Error{Result: result}
	end := endOf(ctx)
	if result.Status == StatusCancelled || result.Status == StatusTimeout && errors.Is(end, context.DeadlineExceeded) {
		failure.cause = end
	}
	if result.Status == StatusCredentials {
		failure.cause = c.refusals.of(result.ErrorMessage)
	}
	return nil, failure
}

// endOf is why the context has ended, nil if it has not. Its own timer may be late, so its deadline counts too.
func endOf(ctx context.Context) error {
	end := ctx.Err()
	if end == nil {
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			return context.DeadlineExceeded
		}
		return nil
	}
	if cause := context.Cause(ctx); cause != end {
		return errors.Join(end, cause)
	}
	return end
}
