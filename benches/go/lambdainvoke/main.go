// lambdainvoke measures this library.
package main

import (
	"context"
	"log"

	"github.com/lambda-invoke/liblambda_invoke/benches/go/bench"
	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

func main() {
	c := bench.FromArguments()
	client, err := lambdainvoke.NewClient(lambdainvoke.Config{EndpointURL: c.URL, MaxConnections: c.InFlight})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	c.Run(func(function string) (int, int, error) {
		result, err := client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: function, Payload: c.Payload})
		if err != nil {
			return 0, 0, err
		}
		return result.HTTPStatus, len(result.Payload), nil
	})
}
