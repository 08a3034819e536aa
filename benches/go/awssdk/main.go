// awssdk measures aws-sdk-go-v2.
package main

import (
	"context"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/lambda-invoke/liblambda_invoke/benches/go/bench"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"net/http"
)

func main() {
	c := bench.FromArguments()
	// The SDK would keep 10 idle connections, and open a new one for most calls of 64 goroutines.
	keep := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = c.InFlight, c.InFlight
	})
	settings, err := config.LoadDefaultConfig(context.Background(),
		config.WithBaseEndpoint(c.URL), config.WithHTTPClient(keep))
	if err != nil {
		log.Fatal(err)
	}
	client := lambda.NewFromConfig(settings)
	c.Run(func(function string) (int, int, error) {
		output, err := client.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &function, Payload: c.Payload})
		if err != nil {
			return 0, 0, err
		}
		return int(output.StatusCode), len(output.Payload), nil
	})
}
