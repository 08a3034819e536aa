package lambdainvoke_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

func invokeStream(t *testing.T, ctx context.Context, function, event string) *lambdainvoke.Stream {
	t.Helper()
	client := newClient(t, lambdainvoke.Config{})
	stream, err := client.InvokeStream(ctx, &lambdainvoke.Request{FunctionName: function, Payload: []byte(event)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	return stream
}

func TestStreamIsAReader(t *testing.T) {
	stream := invokeStream(t, context.Background(), "counting", "3")
	if _, err := stream.Result(); err == nil {
		t.Fatal("a result before the end")
	}
	lines := bufio.NewScanner(stream)
	var text string
	for lines.Scan() {
		text += lines.Text() + ","
	}
	if err := lines.Err(); err != nil || text != "0,1,2," {
		t.Fatalf("%q, %v", text, err)
	}
	result, err := stream.Result()
	if err != nil || result.ExecutedVersion != "$LATEST" || len(result.Payload) != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	if n, err := stream.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestStreamThatIsNoSuccess(t *testing.T) {
	for event, status := range map[string]lambdainvoke.Status{
		"chunk one\ncomplete {\"ErrorCode\":\"E\"}": lambdainvoke.StatusFunctionError,
		"chunk one": lambdainvoke.StatusIO,
		"chunk one\nflip 90\nchunk two\ncomplete": lambdainvoke.StatusProtocol,
	} {
		stream := invokeStream(t, context.Background(), "streamed", event)
		data, err := io.ReadAll(stream)
		var failure *lambdainvoke.Error
		if string(data) != "one" || !errors.As(err, &failure) || failure.Status != status ||
			failure.Execution != lambdainvoke.ExecutionRan {
			t.Errorf("%q: %q, %v", event, data, err)
		}
		if _, again := stream.Result(); again != err {
			t.Errorf("%q: %v, then %v", event, err, again)
		}
	}
}

func TestStreamEndsWithItsContextAndByClose(t *testing.T) {
	for name, end := range map[string]func(cancel func(), stream *lambdainvoke.Stream){
		"cancel": func(cancel func(), _ *lambdainvoke.Stream) { cancel() },
		"close":  func(_ func(), stream *lambdainvoke.Stream) { _ = stream.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			stream := invokeStream(t, ctx, "streamed", "chunk one\nstall")
			buffer := make([]byte, 10)
			if n, err := stream.Read(buffer); n != 3 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			go end(cancel, stream)
			_, err := stream.Read(buffer)
			var failure *lambdainvoke.Error
			if !errors.As(err, &failure) || failure.Status != lambdainvoke.StatusCancelled {
				t.Fatal(err)
			}
			if name == "cancel" && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		})
	}
}

func TestStreamDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	data, err := io.ReadAll(invokeStream(t, ctx, "streamed", "chunk one\nstall"))
	if string(data) != "one" || !errors.Is(err, lambdainvoke.ErrTimeout) {
		t.Fatalf("%q, %v", data, err)
	}
}

func TestStreamThatIsNeverRead(t *testing.T) {
	stream := invokeStream(t, context.Background(), "counting", "1")
	for i := 0; i < 2; i++ {
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var failure *lambdainvoke.Error
	if _, err := stream.Read(make([]byte, 1)); !errors.As(err, &failure) ||
		failure.Status != lambdainvoke.StatusCancelled || failure.Execution != lambdainvoke.ExecutionNone {
		t.Fatal(err)
	}
}

func TestStreamRefusals(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	stream, err := client.InvokeStream(context.Background(), &lambdainvoke.Request{
		FunctionName: "counting", InvocationType: lambdainvoke.InvocationEvent,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var failure *lambdainvoke.Error
	if _, err := io.ReadAll(stream); !errors.As(err, &failure) || failure.Status != lambdainvoke.StatusInvalidArgument {
		t.Fatal(err)
	}
	if _, err := client.InvokeStream(context.Background(), nil); err == nil {
		t.Fatal("a nil request")
	}
	client.Close()
	if _, err := client.InvokeStream(context.Background(), &lambdainvoke.Request{}); !errors.Is(err, lambdainvoke.ErrClosed) {
		t.Fatal(err)
	}
}
