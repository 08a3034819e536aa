package lambdainvoke_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// Programs make errors for their own tests.
func TestErrorsThatProgramsMake(t *testing.T) {
	for _, row := range []struct {
		status lambdainvoke.Status
		is     error
	}{
		{lambdainvoke.StatusTimeout, lambdainvoke.ErrTimeout},
		{lambdainvoke.StatusThrottled, lambdainvoke.ErrThrottled},
		{lambdainvoke.StatusFunctionError, lambdainvoke.ErrFunction},
	} {
		made := error(&lambdainvoke.Error{Result: lambdainvoke.Result{Status: row.status, ErrorMessage: "what happened"}})
		for _, target := range []error{lambdainvoke.ErrTimeout, lambdainvoke.ErrThrottled, lambdainvoke.ErrFunction, lambdainvoke.ErrClosed} {
			expect(t, row.status.String()+" is "+target.Error(), errors.Is(made, target), target == row.is)
		}
		expectContains(t, "Error()", made.Error(), "what happened")
	}
}

// What a function says may have many lines; an error has one, and ErrorMessage has the function's own words.
func TestErrorHasOneLine(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{})
	failed := invokeFails(t, client, &lambdainvoke.Request{
		FunctionName: "failing",
		Payload:      []byte(`{"message": "Traceback:\r\n  line 1\n  line 2\u2028\u0085\u0007"}`),
	})
	expectContains(t, "Error()", failed.Error(), "Traceback: line 1 line 2")
	expect(t, "has another line", strings.ContainsAny(failed.Error(), "\r\n\u2028\u0085\a"), false)
}

// The names of this package, and what was called, also where the library speaks.
func TestTooLargeInGo(t *testing.T) {
	client := newClient(t, lambdainvoke.Config{MaxResponseBytes: 9, Timeout: time.Minute})
	failed := invokeFails(t, client, &lambdainvoke.Request{FunctionName: "echo", Payload: []byte("1234567890")})
	expectContains(t, "ErrorMessage", failed.ErrorMessage, "MaxResponseBytes")
	expectContains(t, "Error()", failed.Error(), "lambdainvoke: echo: LAMBDA_E_TOO_LARGE: ")
}
