// Conformance speaks the protocol of tests/conformance/README.md, through the public API alone.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// call is what was set since the last answer.
type call struct {
	config  lambdainvoke.Config
	request lambdainvoke.Request
}

func serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	next := new(call)
	for number := 1; ; number++ {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		line = strings.TrimSuffix(line, "\n")
		if perform, known := operations[line]; known {
			if _, err := io.WriteString(out, next.answer(perform)); err != nil {
				return err
			}
			next = new(call)
			continue
		}
		if err := next.set(line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
}

func (c *call) set(line string) error {
	name, digits, _ := strings.Cut(line, " ")
	value, err := hex.DecodeString(digits)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := c.assign(name, value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (c *call) assign(name string, value []byte) (err error) {
	text := string(value)
	switch name {
	case "config.region":
		c.config.Region = text
	case "config.endpoint_url":
		c.config.EndpointURL = text
	case "config.profile":
		c.config.Profile = text
	case "config.use_fips":
		c.config.UseFIPS, err = flag(text)
	case "config.use_dual_stack":
		c.config.UseDualStack, err = flag(text)
	case "config.ca_bundle":
		c.config.CABundle = text
	case "config.proxy":
		c.config.Proxy = &text
	case "config.app_id":
		c.config.AppID = text
	case "config.access_key_id":
		c.config.Credentials.AccessKeyID = text
	case "config.secret_access_key":
		c.config.Credentials.SecretAccessKey = text
	case "config.session_token":
		c.config.Credentials.SessionToken = text
	case "config.timeout_ms":
		c.config.Timeout, err = milliseconds(text)
	case "config.connect_timeout_ms":
		c.config.ConnectTimeout, err = milliseconds(text)
	case "config.max_attempts":
		c.config.MaxAttempts, err = strconv.Atoi(text)
	case "config.retry":
		c.config.Retry, err = choose(text, retries)
	case "config.max_connections":
		c.config.MaxConnections, err = strconv.Atoi(text)
	case "config.max_response_bytes":
		c.config.MaxResponseBytes, err = strconv.ParseInt(text, 10, 64)
	case "function_name":
		c.request.FunctionName = text
	case "qualifier":
		c.request.Qualifier = text
	case "invocation_type":
		c.request.InvocationType, err = choose(text, invocationTypes)
	case "log_type":
		c.request.LogType, err = choose(text, logTypes)
	case "client_context":
		c.request.ClientContext, c.request.ClientContextJSON = text, nil
	case "client_context_json":
		c.request.ClientContext, c.request.ClientContextJSON = "", value
	case "payload":
		c.request.Payload = value
	case "tenant_id":
		c.request.TenantID = text
	case "durable_execution_name":
		c.request.DurableExecutionName = text
	case "trace_header":
		c.request.TraceHeader = text
	case "timeout_ms":
		c.request.Timeout, err = milliseconds(text)
	case "retry":
		c.request.Retry, err = choose(text, retries)
	default:
		return errors.New("there is nothing of this name")
	}
	return err
}

var (
	invocationTypes = map[string]lambdainvoke.InvocationType{
		"RequestResponse": lambdainvoke.InvocationRequestResponse,
		"Event":           lambdainvoke.InvocationEvent,
		"DryRun":          lambdainvoke.InvocationDryRun,
	}
	logTypes = map[string]lambdainvoke.LogType{
		"None": lambdainvoke.LogTypeNone,
		"Tail": lambdainvoke.LogTypeTail,
	}
	retries = map[string]lambdainvoke.RetryMode{
		"safe":   lambdainvoke.RetrySafe,
		"none":   lambdainvoke.RetryNone,
		"always": lambdainvoke.RetryAlways,
	}
)

// protocolNames replaces the fields of this package, which its messages name, by those of the protocol.
var protocolNames = strings.NewReplacer(
	"Region: ", "region: ", "EndpointURL: ", "endpoint_url: ", "AccessKeyID", "access_key_id", "SecretAccessKey", "secret_access_key",
	"MaxResponseBytes", "max_response_bytes", "FunctionName: ", "function_name: ", "Qualifier: ", "qualifier: ",
	"InvocationType: ", "invocation_type: ", "LogType: ", "log_type: ", "ClientContextJSON: ", "client_context: ", "ClientContext: ", "client_context: ",
	"TenantID: ", "tenant_id: ", "AppID: ", "app_id: ", "CABundle: ", "ca_bundle: ", "Proxy: ", "proxy: ",
	"DurableExecutionName: ", "durable_execution_name: ", "TraceHeader: ", "trace_header: ",
)

func choose[T any](text string, of map[string]T) (T, error) {
	value, known := of[text]
	if !known {
		return value, fmt.Errorf("%q is unknown", text)
	}
	return value, nil
}

func flag(text string) (*bool, error) {
	on, err := strconv.ParseBool(text)
	return &on, err
}

func milliseconds(text string) (time.Duration, error) {
	count, err := strconv.ParseUint(text, 10, 64)
	return time.Duration(min(count, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond, err
}

// operations return the payload apart from the result, since a stream hands it out before.
var operations = map[string]func(*lambdainvoke.Client, *lambdainvoke.Request) (*lambdainvoke.Result, []byte){
	"invoke": func(client *lambdainvoke.Client, request *lambdainvoke.Request) (*lambdainvoke.Result, []byte) {
		result := resultOf(client.Invoke(context.Background(), request))
		return result, result.Payload
	},
	"stream": func(client *lambdainvoke.Client, request *lambdainvoke.Request) (*lambdainvoke.Result, []byte) {
		stream, err := client.InvokeStream(context.Background(), request)
		if err != nil {
			return resultOf(nil, err), nil
		}
		defer stream.Close()
		read, err := io.ReadAll(stream)
		if err != nil {
			return resultOf(nil, err), read
		}
		return resultOf(stream.Result()), read
	},
}

func (c *call) answer(perform func(*lambdainvoke.Client, *lambdainvoke.Request) (*lambdainvoke.Result, []byte)) string {
	client, err := lambdainvoke.NewClient(c.config)
	if err != nil {
		failure := resultOf(nil, err)
		return fmt.Sprintf("status %v\nexecution %v\nerror_message %x\n.\n",
			failure.Status, failure.Execution, protocolNames.Replace(failure.ErrorMessage))
	}
	defer client.Close()
	return write(perform(client, &c.request))
}

// resultOf takes both ways in which a call ends for one.
func resultOf(result *lambdainvoke.Result, err error) *lambdainvoke.Result {
	var failure *lambdainvoke.Error
	if errors.As(err, &failure) {
		return &failure.Result
	}
	return result
}

func write(r *lambdainvoke.Result, payload []byte) string {
	var text strings.Builder
	fmt.Fprintf(&text, "status %v\n", r.Status)
	fmt.Fprintf(&text, "execution %v\n", r.Execution)
	fmt.Fprintf(&text, "http_status %d\n", r.HTTPStatus)
	fmt.Fprintf(&text, "attempts %d\n", r.Attempts)
	fmt.Fprintf(&text, "unknown_attempts %d\n", r.UnknownAttempts)
	fmt.Fprintf(&text, "retry_after_ms %d\n", r.RetryAfter.Milliseconds())
	fmt.Fprintf(&text, "payload %x\n", payload)
	if r.Log == nil {
		text.WriteString("log -\n")
	} else {
		fmt.Fprintf(&text, "log %x\n", r.Log)
	}
	for _, field := range []struct{ name, value string }{
		{"function_error", r.FunctionError},
		{"error_type", r.ErrorType},
		{"error_message", r.ErrorMessage},
		{"throttle_reason", r.ThrottleReason},
		{"request_id", r.RequestID},
		{"executed_version", r.ExecutedVersion},
		{"durable_execution_arn", r.DurableExecutionARN},
		{"content_type", r.ContentType},
	} {
		if field.name == "error_message" {
			field.value = protocolNames.Replace(field.value)
		}
		if field.value == "" {
			fmt.Fprintf(&text, "%s -\n", field.name)
		} else {
			fmt.Fprintf(&text, "%s %x\n", field.name, field.value)
		}
	}
	text.WriteString(".\n")
	return text.String()
}
