package lambdainvoke_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// slowest is later than any test runs.
var slowest = time.Now().Add(time.Hour)

// answering is an endpoint that answers at once, with what it got as Authorization.
func answering(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func providedBy(t *testing.T, provide func() (lambdainvoke.Credentials, error)) *lambdainvoke.Client {
	t.Helper()
	return newClient(t, lambdainvoke.Config{EndpointURL: answering(t), CredentialsProvider: provide})
}

var hello = &lambdainvoke.Request{FunctionName: "hello"}

// atOnce runs a function in many goroutines.
func atOnce(run func(i int)) {
	var group sync.WaitGroup
	for i := range [20]struct{}{} {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			run(i)
		}(i)
	}
	group.Wait()
}

func TestProviderIsAskedOnceForMany(t *testing.T) {
	// Without a lock: a provider is called as if by one goroutine, for the race detector too.
	asked := 0
	for name, expires := range map[string]time.Time{
		"for ever": {}, "for an hour": slowest, "for ages": time.Unix(1<<40, 0),
	} {
		asked = 0
		client := providedBy(t, func() (lambdainvoke.Credentials, error) {
			asked++
			time.Sleep(20 * time.Millisecond)
			provided := keys
			provided.Expires = expires
			return provided, nil
		})
		atOnce(func(int) {
			if result, err := client.Invoke(context.Background(), hello); err != nil {
				t.Error(err)
			} else {
				expectContains(t, "Authorization", string(result.Payload), "Credential=AKIDEXAMPLE/")
			}
		})
		expect(t, "asked "+name, asked, 1)
	}
}

func TestProviderIsAskedAgainWhenItsCredentialsExpire(t *testing.T) {
	for name, expires := range map[string]time.Time{
		"a while ago":      time.Now().Add(-time.Minute),
		"now":              time.Now(),
		"long ago":         time.Unix(0, 1),
		"before all times": time.Unix(-1_000_000, 0),
	} {
		asked := 0
		client := providedBy(t, func() (lambdainvoke.Credentials, error) {
			asked++
			return lambdainvoke.Credentials{AccessKeyID: fmt.Sprintf("AKID%d", asked), SecretAccessKey: "s", Expires: expires}, nil
		})
		for i := 1; i <= 3; i++ {
			result := invoke(t, client, hello)
			expectContains(t, name, string(result.Payload), fmt.Sprintf("Credential=AKID%d/", i))
		}
		before := asked
		atOnce(func(int) {
			if _, err := client.Invoke(context.Background(), hello); err != nil {
				t.Error(err)
			}
		})
		if asked == before {
			t.Errorf("%s: not asked again", name)
		}
	}
}

// refusal is an error that errors.As finds.
type refusal struct{ code int }

func (r *refusal) Error() string { return fmt.Sprintf("log in first (%d)", r.code) }

// mute makes a panic of its text.
type mute struct{}

func (mute) Error() string { panic("no words") }

// leaving ends the goroutine of who asks for its text.
type leaving struct{}

func (leaving) Error() string {
	runtime.Goexit()
	return ""
}

func TestProviderThatRefuses(t *testing.T) {
	sentinel := errors.New("the sentinel")
	nothing := lambdainvoke.Credentials{}
	for _, row := range []struct {
		name, message string
		provide       func() (lambdainvoke.Credentials, error)
		cause         bool
	}{
		{"error", "the CredentialsProvider: the sentinel", func() (lambdainvoke.Credentials, error) { return nothing, sentinel }, true},
		{"error with credentials", "the sentinel", func() (lambdainvoke.Credentials, error) { return keys, sentinel }, true},
		{"wrapped error", "who: the sentinel", func() (lambdainvoke.Credentials, error) { return nothing, fmt.Errorf("who: %w", sentinel) }, true},
		{"odd text", "a b\uFFFD c d: the sentinel", func() (lambdainvoke.Credentials, error) {
			return nothing, fmt.Errorf("a\x00b\xff\nc\u2028d: %w", sentinel)
		}, true},
		{"no text", "no reason was given", func() (lambdainvoke.Credentials, error) { return nothing, errors.New("") }, false},
		{"error that panics", "panic: no words", func() (lambdainvoke.Credentials, error) { return nothing, mute{} }, false},
		{"error that ends the goroutine", "runtime.Goexit", func() (lambdainvoke.Credentials, error) { return nothing, leaving{} }, false},
		{"panic with it", "runtime.Goexit", func() (lambdainvoke.Credentials, error) { panic(leaving{}) }, false},
		{"panic", "panic: oh", func() (lambdainvoke.Credentials, error) { panic("oh") }, false},
		{"panic with an error", "panic: the sentinel", func() (lambdainvoke.Credentials, error) { panic(sentinel) }, true},
		{"panic with nil", "panic: ", func() (lambdainvoke.Credentials, error) { panic(nil) }, false},
		{"runtime error", "panic: runtime error", func() (lambdainvoke.Credentials, error) {
			var missing *lambdainvoke.Credentials
			return *missing, nil
		}, false},
		{"end of the goroutine", "runtime.Goexit", func() (lambdainvoke.Credentials, error) {
			runtime.Goexit()
			return keys, nil
		}, false},
		{"nothing", "the CredentialsProvider: AccessKeyID is empty", func() (lambdainvoke.Credentials, error) { return nothing, nil }, false},
		{"half", "SecretAccessKey is empty", func() (lambdainvoke.Credentials, error) {
			return lambdainvoke.Credentials{AccessKeyID: "A"}, nil
		}, false},
		{"space", "SecretAccessKey contains a space", func() (lambdainvoke.Credentials, error) {
			return lambdainvoke.Credentials{AccessKeyID: "A", SecretAccessKey: "hunter2 "}, nil
		}, false},
		{"NUL", "SessionToken: holds a NUL byte, at index 7", func() (lambdainvoke.Credentials, error) {
			return lambdainvoke.Credentials{AccessKeyID: "A", SecretAccessKey: "s", SessionToken: "hunter2\x00"}, nil
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			client := providedBy(t, row.provide)
			// Whatever happened to the first call, the second is not stuck behind it.
			for range [2]struct{}{} {
				failed := invokeFails(t, client, hello)
				expect(t, "Status", failed.Status, lambdainvoke.StatusCredentials)
				expect(t, "Execution", failed.Execution, lambdainvoke.ExecutionNone)
				expect(t, "Attempts", failed.Attempts, 0)
				expectContains(t, "ErrorMessage", failed.ErrorMessage, row.message)
				expect(t, "is the sentinel", errors.Is(failed, sentinel), row.cause)
				expect(t, "shows a secret", strings.Contains(failed.Error(), "hunter2"), false)
				expectGo(t, failed)
			}
		})
	}
}

// Each call that failed has the error that its message tells, whatever the others got meanwhile.
func TestRefusalsOfMany(t *testing.T) {
	var asked int
	client := providedBy(t, func() (lambdainvoke.Credentials, error) {
		if asked++; asked%3 == 0 {
			return lambdainvoke.Credentials{AccessKeyID: "A", SecretAccessKey: "s", Expires: time.Unix(1, 0)}, nil
		}
		return lambdainvoke.Credentials{}, &refusal{asked}
	})
	atOnce(func(int) {
		for range [10]struct{}{} {
			_, err := client.Invoke(context.Background(), hello)
			var failed *lambdainvoke.Error
			var cause *refusal
			switch {
			case err == nil:
			case errors.As(err, &failed) && errors.As(err, &cause):
				expectContains(t, "ErrorMessage", failed.ErrorMessage, cause.Error())
			default:
				t.Errorf("no cause in %v", err)
			}
		}
	})
}

// As the one who asks another function for credentials, and is done with the client meanwhile.
func TestProviderUsesClients(t *testing.T) {
	other := newClient(t, lambdainvoke.Config{})
	var client *lambdainvoke.Client
	client = providedBy(t, func() (lambdainvoke.Credentials, error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		result, err := other.Invoke(ctx, script(t, "answer 200 - AKIDOTHER"))
		if err != nil {
			return lambdainvoke.Credentials{}, err
		}
		client.Close()
		return lambdainvoke.Credentials{AccessKeyID: string(result.Payload), SecretAccessKey: "s"}, nil
	})
	result := invoke(t, client, hello)
	expectContains(t, "Authorization", string(result.Payload), "Credential=AKIDOTHER/")
	expect(t, "is ErrClosed", errors.Is(invokeFails(t, client, hello), lambdainvoke.ErrClosed), true)
}

// It would wait for itself. Goroutines that it does not run on wait for it as ever.
func TestProviderCallsWithItsOwnClient(t *testing.T) {
	var client *lambdainvoke.Client
	var inner error
	client = providedBy(t, func() (lambdainvoke.Credentials, error) {
		_, inner = client.Invoke(context.Background(), hello)
		return keys, nil
	})
	atOnce(func(int) {
		if _, err := client.Invoke(context.Background(), hello); err != nil {
			t.Error(err)
		}
	})
	refused := failure(t, nil, inner)
	expect(t, "Status", refused.Status, lambdainvoke.StatusCredentials)
	expect(t, "Execution", refused.Execution, lambdainvoke.ExecutionNone)
	expectContains(t, "ErrorMessage", refused.ErrorMessage, "hello: the CredentialsProvider calls with its own client")
}

func TestCredentialsGoBeforeProvider(t *testing.T) {
	var asked atomic.Int32
	client := newClient(t, lambdainvoke.Config{
		EndpointURL: answering(t), Credentials: lambdainvoke.Credentials{AccessKeyID: "AKIDSTATIC", SecretAccessKey: "s", Expires: time.Unix(1, 0)},
		CredentialsProvider: func() (lambdainvoke.Credentials, error) {
			asked.Add(1)
			return keys, nil
		},
	})
	expectContains(t, "Authorization", string(invoke(t, client, hello).Payload), "Credential=AKIDSTATIC/")
	expect(t, "asked", asked.Load(), 0)
}

// record is a slog.Handler's text that may be read meanwhile.
type record struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (r *record) Write(line []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.text.Write(line)
}

func (r *record) String() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.text.String()
}

// logged is what a Logger of this level gets of one call that succeeds and one that fails.
func logged(t *testing.T, level slog.Level) (text, inForce string) {
	var record record
	refused := false
	config := lambdainvoke.Config{
		EndpointURL: answering(t), Proxy: pointer(""), Logger: slog.New(slog.NewTextHandler(&record, &slog.HandlerOptions{Level: level})),
		CredentialsProvider: func() (lambdainvoke.Credentials, error) {
			if refused = !refused; refused {
				return lambdainvoke.Credentials{}, errors.New("not yet")
			}
			return keys, nil
		},
	}
	client := newClient(t, config)
	invokeFails(t, client, hello)
	invoke(t, client, hello)
	return record.String(), fmt.Sprint(describe(t, client)["log"].Value)
}

func TestLogger(t *testing.T) {
	names := []string{"level=DEBUG-4 ", "level=DEBUG ", "level=INFO ", "level=WARN ", "level=ERROR "}
	for _, row := range []struct {
		level   slog.Level
		inForce string
		has     string
		hasNot  int
	}{
		{slog.LevelDebug - 100, "trace", "target=lambda_invoke::", 0},
		{lambdainvoke.LevelTrace, "trace", "target=lambda_invoke::", 0},
		{lambdainvoke.LevelTrace + 1, "debug", "target=lambda_invoke::call", 1},
		{slog.LevelDebug, "debug", names[1], 1},
		{slog.LevelInfo, "info", names[2], 2},
		{slog.LevelInfo + 1, "warn", names[4], 3},
		{slog.LevelWarn, "warn", names[4], 3},
		{slog.LevelError, "error", "not yet\" target=lambda_invoke::credentials\n", 4},
		{slog.LevelError + 1, "off", "", 5},
	} {
		text, inForce := logged(t, row.level)
		expect(t, fmt.Sprintf("level in force of %v", row.level), inForce, row.inForce)
		expectContains(t, fmt.Sprint(row.level), text, row.has)
		for _, name := range names[:row.hasNot] {
			if strings.Contains(text, name) {
				t.Errorf("%v: holds %s: %s", row.level, name, text)
			}
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%v: a secret: %s", row.level, text)
		}
	}
}

// handler does what no handler should, for every event.
type handler struct {
	slog.Handler
	handle func()
}

func (handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(context.Context, slog.Record) error {
	h.handle()
	return nil
}

func TestLoggerThatFails(t *testing.T) {
	for name, handle := range map[string]func(){
		"panic":                func() { panic("oh") },
		"end of the goroutine": runtime.Goexit,
	} {
		var heard atomic.Int32
		logger := slog.New(handler{handle: func() {
			heard.Add(1)
			handle()
		}})
		provide := func() (lambdainvoke.Credentials, error) {
			return lambdainvoke.Credentials{AccessKeyID: "A", SecretAccessKey: "s", Expires: time.Unix(1, 0)}, nil
		}
		client := newClient(t, lambdainvoke.Config{EndpointURL: answering(t), Logger: logger, CredentialsProvider: provide})
		atOnce(func(int) {
			if _, err := client.Invoke(context.Background(), hello); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		expect(t, name+" was told something", heard.Load() > 0, true)
	}
}

func TestLoggerOfMany(t *testing.T) {
	var record record
	logger := slog.New(slog.NewTextHandler(&record, &slog.HandlerOptions{Level: lambdainvoke.LevelTrace}))
	client := newClient(t, lambdainvoke.Config{EndpointURL: answering(t), Credentials: keys, Logger: logger})
	atOnce(func(int) {
		if _, err := client.Invoke(context.Background(), hello); err != nil {
			t.Error(err)
		}
	})
	if lines := strings.Count(record.String(), "target=lambda_invoke::call"); lines < 20 {
		t.Errorf("%d events of 20 calls: %s", lines, record.String())
	}
}

// held is what callbacks hold; its end shows that nobody holds them any more.
func held() (*[16]byte, <-chan struct{}) {
	thing, collected := new([16]byte), make(chan struct{})
	runtime.SetFinalizer(thing, func(*[16]byte) { close(collected) })
	return thing, collected
}

// untilCollected waits until what a callback holds is garbage.
func untilCollected(t *testing.T, what string, collected <-chan struct{}) {
	t.Helper()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	await(t, what+" is let go", collected)
}

// holding is a Config of which each callback tells when nobody has it any more.
func holding() (config lambdainvoke.Config, provider, logger <-chan struct{}) {
	one, provider := held()
	other, logger := held()
	return lambdainvoke.Config{
		CredentialsProvider: func() (lambdainvoke.Credentials, error) {
			runtime.KeepAlive(one)
			return lambdainvoke.Credentials{}, errors.New("none")
		},
		Logger: slog.New(handler{handle: func() { runtime.KeepAlive(other) }}),
	}, provider, logger
}

// The client itself may live on.
func TestCloseLetsGoOfCallbacks(t *testing.T) {
	config, provider, logger := holding()
	client := newClient(t, config)
	config = lambdainvoke.Config{}
	invokeFails(t, client, hello)
	runtime.GC()
	select {
	case <-provider:
		t.Error("the provider was let go before")
	case <-logger:
		t.Error("the logger was let go before")
	default:
	}
	invokeFails(t, client, hello)
	client.Close()
	untilCollected(t, "the provider", provider)
	untilCollected(t, "the logger", logger)
	runtime.KeepAlive(client)
}

func TestRefusedConfigLetsGoOfCallbacks(t *testing.T) {
	config, provider, logger := holding()
	config.Profile = "nobody-has-this"
	if _, err := lambdainvoke.NewClient(config); err == nil {
		t.Error("there is a client")
	}
	config = lambdainvoke.Config{}
	untilCollected(t, "the provider", provider)
	untilCollected(t, "the logger", logger)
}

// A call under way may yet ask.
func TestCallUnderWayKeepsCallbacks(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{})
	config, provider, logger := holding()
	config.EndpointURL, config.CredentialsProvider, config.Credentials = slow.url, nil, keys
	slow.client = newClient(t, config)
	config = lambdainvoke.Config{}
	pending := slow.begin(context.Background())
	await(t, "start of the function", slow.started)
	slow.client.Close()
	untilCollected(t, "the provider, which nobody has", provider)
	select {
	case <-logger:
		t.Error("the logger was let go during a call")
	default:
	}
	slow.answer <- struct{}{}
	if ended := await(t, "end of the call", pending); ended.err != nil {
		t.Error(ended.err)
	}
	untilCollected(t, "the logger", logger)
}

func TestCallbacksLeaveNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range [10]struct{}{} {
		config, _, _ := holding()
		client := newClient(t, config)
		invokeFails(t, client, hello)
		client.Close()
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, there were %d", runtime.NumGoroutine(), before)
		}
	}
}
