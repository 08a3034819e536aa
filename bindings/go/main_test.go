package lambdainvoke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// patience is how long a test waits for what must happen at once, on a machine that has much else to do.
const patience = 30 * time.Second

// Set in the environment of the tests once they run on the local endpoint.
const onEndpoint = "LAMBDAINVOKE_TESTS_ON_ENDPOINT"

// TestMain runs the tests below the local endpoint, as its command: so it ends with them, however they end, and their
// environment is that of an AWS program.
func TestMain(m *testing.M) {
	if os.Getenv(asEchoServer) != "" {
		serveEcho()
	}
	if os.Getenv(onEndpoint) == "" {
		fmt.Fprintln(os.Stderr, "cannot start the local endpoint:", startBelowEndpoint())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func startBelowEndpoint() error {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	path, err := exec.LookPath(python)
	if err != nil {
		return err
	}
	// None of the settings of whoever runs the tests.
	environment := []string{onEndpoint + "=1", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null"}
	foreign := regexp.MustCompile(`^(AWS_|_X_AMZN_TRACE_ID=|LAMBDA_INVOKE_LOG=|(?i:HTTPS?|ALL|NO)_(?i:PROXY)=)`)
	for _, entry := range os.Environ() {
		if !foreign.MatchString(entry) {
			environment = append(environment, entry)
		}
	}
	functions := []string{"../../tests/functions", "../../examples/functions/hello.py"}
	command := append([]string{python, "../../local/lambda-local"}, functions...)
	return syscall.Exec(path, append(append(command, "--"), os.Args...), environment)
}

// newClient makes a client of the local endpoint, which the environment names.
func newClient(t testing.TB, config lambdainvoke.Config) *lambdainvoke.Client {
	t.Helper()
	client, err := lambdainvoke.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func invoke(t testing.TB, client *lambdainvoke.Client, request *lambdainvoke.Request) *lambdainvoke.Result {
	t.Helper()
	result, err := client.Invoke(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// failure is the error of a call as what it must be.
func failure(t testing.TB, result *lambdainvoke.Result, err error) *lambdainvoke.Error {
	t.Helper()
	var failure *lambdainvoke.Error
	if !errors.As(err, &failure) {
		t.Fatalf("got %+v, %v (%T), want an *Error", result, err, err)
	}
	if result != nil {
		t.Errorf("there is an error, but a result too: %+v", result)
	}
	return failure
}

func invokeFails(t testing.TB, client *lambdainvoke.Client, request *lambdainvoke.Request) *lambdainvoke.Error {
	t.Helper()
	result, err := client.Invoke(context.Background(), request)
	return failure(t, result, err)
}

func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func expectContains(t testing.TB, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: got %q, which does not contain %q", what, got, want)
	}
}

func await[T any](t testing.TB, what string, channel <-chan T) T {
	t.Helper()
	select {
	case value := <-channel:
		return value
	case <-time.After(patience):
		t.Fatalf("%s: did not happen in %v", what, patience)
		panic("not reached")
	}
}

// slowFunction is an endpoint whose function begins, says so, and answers when it is told to.
type slowFunction struct {
	url     string
	client  *lambdainvoke.Client
	started chan struct{}
	answer  chan struct{}
	count   atomic.Int32
	// The head of the last request.
	head atomic.Pointer[http.Header]
}

func newSlowFunction(t testing.TB, config lambdainvoke.Config) *slowFunction {
	t.Helper()
	slow := &slowFunction{started: make(chan struct{}, 20_000), answer: make(chan struct{}, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		slow.count.Add(1)
		slow.head.Store(&r.Header)
		// The server notices that the client is gone only once it has the whole body.
		_, _ = io.Copy(io.Discard, r.Body)
		slow.started <- struct{}{}
		select {
		case <-slow.answer:
			_, _ = io.WriteString(w, "done")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() {
		// Close waits for all calls: one that did not end has failed its test already.
		server.CloseClientConnections()
		server.Close()
	})
	slow.url, config.EndpointURL = server.URL, server.URL
	slow.client = newClient(t, config)
	return slow
}

// call is an Invoke in a goroutine of its own.
type call struct {
	result *lambdainvoke.Result
	err    error
}

func (s *slowFunction) begin(ctx context.Context) <-chan call {
	calls := make(chan call, 1)
	go func() {
		result, err := s.client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "slow"})
		calls <- call{result, err}
	}()
	return calls
}
