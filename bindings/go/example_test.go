package lambdainvoke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

func ExampleClient_Invoke() {
	client, err := lambdainvoke.NewClient(lambdainvoke.Config{}) // configured like every AWS tool
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	result, err := client.Invoke(context.Background(), &lambdainvoke.Request{
		FunctionName: "hello",
		Payload:      []byte(`{"name": "Ada"}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", result.Payload)
	// Output: {"greeting": "Hello, Ada!"}
}

func ExampleError() {
	client, err := lambdainvoke.NewClient(lambdainvoke.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = client.Invoke(ctx, &lambdainvoke.Request{
		FunctionName: "failing",
		Payload:      []byte(`{"message": "no bolts"}`),
	})

	var failure *lambdainvoke.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("took too long")
	case errors.Is(err, lambdainvoke.ErrFunction) && errors.As(err, &failure):
		fmt.Println("the function failed:", failure.ErrorType, failure.ErrorMessage)
	case errors.As(err, &failure) && failure.Execution == lambdainvoke.ExecutionNone:
		fmt.Println("did not run, so it may be called again:", err)
	case err != nil:
		fmt.Println(err)
	}
	// Output: the function failed: OutOfStock no bolts
}

// greeter answers each request with what a function returns for its body. One client serves all requests; one that waits for
// its function costs a goroutine, not a thread. If the browser goes away, then the request's context ends the call.
type greeter struct {
	client *lambdainvoke.Client
}

func (g greeter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "the request's body cannot be read", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	result, err := g.client.Invoke(ctx, &lambdainvoke.Request{FunctionName: "hello", Payload: event})
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(result.Payload)
	case errors.Is(err, context.Canceled):
		// Nobody waits for an answer any more.
	case errors.Is(err, lambdainvoke.ErrThrottled):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "try again later", http.StatusServiceUnavailable)
	case errors.Is(err, lambdainvoke.ErrTimeout):
		http.Error(w, "the function took too long", http.StatusGatewayTimeout)
	default:
		log.Print(err)
		http.Error(w, "the function failed", http.StatusBadGateway)
	}
}

func ExampleClient_Invoke_httpHandler() {
	client, err := lambdainvoke.NewClient(lambdainvoke.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	server := httptest.NewServer(greeter{client}) // in a program: http.ListenAndServe(":8080", greeter{client})
	defer server.Close()

	response, err := http.Post(server.URL, "application/json", strings.NewReader(`{"name": "Ada"}`))
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(answer))
	// Output: 200 {"greeting": "Hello, Ada!"}
}
