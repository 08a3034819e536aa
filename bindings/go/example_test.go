package lambdainvoke_test

import (
	"context"
	"errors"
	"fmt"
	"log"
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
