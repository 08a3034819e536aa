package lambdainvoke_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// own are the credentials that the local endpoint takes.
func own() lambdainvoke.Credentials {
	return lambdainvoke.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
	}
}

func TestDescribe(t *testing.T) {
	on, none := true, ""
	client := newClient(t, lambdainvoke.Config{
		Region: "eu-west-3", UseFIPS: new(bool), UseDualStack: new(bool), Proxy: &none, AppID: "orders",
		Credentials: lambdainvoke.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hunter2hunter2"},
	})
	settings, err := client.Describe()
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"region": "eu-west-3", "use_fips": false, "use_dual_stack": false, "proxy": nil, "app_id": "orders",
		"credentials": "access key AKIDEXAMPLE",
	} {
		if got := settings[name]; got.Value != value || got.Source != "setter" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if source := settings["endpoint"].Source; !strings.Contains(source, "AWS_ENDPOINT_URL") {
		t.Errorf("endpoint: %q", source)
	}
	if strings.Contains(fmt.Sprint(settings), "hunter2") {
		t.Errorf("a secret: %v", settings)
	}
	client.Close()
	if _, err := client.Describe(); !errors.Is(err, lambdainvoke.ErrClosed) {
		t.Error(err)
	}
	for field, config := range map[string]lambdainvoke.Config{
		"profile":        {Profile: "nobody-has-this"},
		"FIPS":           {UseFIPS: &on},
		"dual-stack":     {UseDualStack: &on},
		"ca_bundle":      {CABundle: "/does/not/exist.pem"},
		"app_id":         {AppID: "two words"},
		"proxy: holds a": {Proxy: pointer("http://a\x00b")},
		"proxy":          {Proxy: pointer("ftp://proxy")},
	} {
		if _, err := lambdainvoke.NewClient(config); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func pointer(text string) *string { return &text }

func TestCredentialsProvider(t *testing.T) {
	var asked, inside atomic.Int32
	client := newClient(t, lambdainvoke.Config{CredentialsProvider: func() (lambdainvoke.Credentials, error) {
		asked.Add(1)
		if inside.Add(1) != 1 {
			t.Error("asked twice at once")
		}
		defer inside.Add(-1)
		credentials := own()
		credentials.Expires = time.Now().Add(time.Hour)
		return credentials, nil
	}})
	request := script(t, "answer 200 - signed")
	var group sync.WaitGroup
	for range [20]struct{}{} {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := client.Invoke(context.Background(), request); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestCredentialsThatExpireAreAskedForAgain(t *testing.T) {
	asked := 0
	client := newClient(t, lambdainvoke.Config{CredentialsProvider: func() (lambdainvoke.Credentials, error) {
		asked++
		credentials := own()
		credentials.Expires = time.Unix(1, 0)
		return credentials, nil
	}})
	for range [3]struct{}{} {
		invoke(t, client, script(t, "answer 200 - signed"))
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}

func TestProviderThatRefuses(t *testing.T) {
	refusal := errors.New("log in first")
	for part, provide := range map[string]func() (lambdainvoke.Credentials, error){
		"log in first":  func() (lambdainvoke.Credentials, error) { return lambdainvoke.Credentials{}, refusal },
		"panic: oh":     func() (lambdainvoke.Credentials, error) { panic("oh") },
		"access_key_id": func() (lambdainvoke.Credentials, error) { return lambdainvoke.Credentials{}, nil },
		"secret_access_key": func() (lambdainvoke.Credentials, error) {
			return lambdainvoke.Credentials{AccessKeyID: "A", SecretAccessKey: "hunter 2"}, nil
		},
	} {
		client := newClient(t, lambdainvoke.Config{CredentialsProvider: provide})
		result, err := client.Invoke(context.Background(), script(t, "answer 200 - never"))
		failed := failure(t, result, err)
		if failed.Status != lambdainvoke.StatusCredentials || failed.Execution != lambdainvoke.ExecutionNone || failed.Attempts != 0 {
			t.Errorf("%s: %+v", part, failed)
		}
		if !strings.Contains(failed.ErrorMessage, part) || strings.Contains(failed.ErrorMessage, "hunter") {
			t.Errorf("%s: %s", part, failed.ErrorMessage)
		}
		if is := errors.Is(err, refusal); is != (part == "log in first") {
			t.Errorf("%s: errors.Is says %v", part, is)
		}
	}
}

func TestLogger(t *testing.T) {
	var text bytes.Buffer
	var mutex sync.Mutex
	handler := slog.NewTextHandler(writer{&mutex, &text}, &slog.HandlerOptions{Level: lambdainvoke.LevelTrace})
	client := newClient(t, lambdainvoke.Config{Logger: slog.New(handler), CredentialsProvider: func() (lambdainvoke.Credentials, error) {
		return own(), nil
	}})
	invoke(t, client, script(t, "answer 200 - logged"))
	logged := text.String()
	for _, part := range []string{"level=DEBUG-4", "level=DEBUG ", "level=INFO", "target=lambda_invoke::call", "target=lambda_invoke::credentials"} {
		if !strings.Contains(logged, part) {
			t.Errorf("%q is missing in %s", part, logged)
		}
	}
	for _, secret := range []string{own().SecretAccessKey, own().SessionToken} {
		if len(secret) >= 8 && strings.Contains(logged, secret) {
			t.Errorf("a secret: %s", logged)
		}
	}

	text.Reset()
	quiet := slog.New(slog.NewTextHandler(writer{&mutex, &text}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	invoke(t, newClient(t, lambdainvoke.Config{Logger: quiet}), script(t, "answer 200 - quiet"))
	if text.Len() != 0 {
		t.Errorf("not a warning: %s", text.String())
	}
}

type writer struct {
	mutex *sync.Mutex
	text  *bytes.Buffer
}

func (w writer) Write(line []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.text.Write(line)
}

// What a client was made with can be collected when it is closed.
func TestCloseLetsGoOfCallbacks(t *testing.T) {
	gone := make(chan struct{})
	func() {
		held := new([1024]byte)
		runtime.SetFinalizer(held, func(*[1024]byte) { close(gone) })
		client, err := lambdainvoke.NewClient(lambdainvoke.Config{CredentialsProvider: func() (lambdainvoke.Credentials, error) {
			runtime.KeepAlive(held)
			return own(), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
	}()
	deadline := time.After(patience)
	for {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-deadline:
			t.Fatal("the provider is still held")
		case <-time.After(time.Millisecond):
		}
	}
}
