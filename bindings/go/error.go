package lambdainvoke

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrClosed is what errors.Is finds in the error of a call on a closed client.
	ErrClosed = errors.New("lambdainvoke: the client is closed")
	// ErrFunction is what errors.Is finds if the function ran and failed (StatusFunctionError).
	ErrFunction = errors.New("lambdainvoke: the function failed")
	// ErrThrottled is what errors.Is finds if the service turned the call away for its rate (StatusThrottled).
	ErrThrottled = errors.New("lambdainvoke: throttled")
)

// Error is every error of this package. Its fields are those of the Result: Execution says whether the function ran all
// the same, Payload is what a failed function threw.
//
// errors.Is finds context.Canceled or context.DeadlineExceeded in it if the context ended the call, and the context's
// cause; and what a CredentialsProvider returned, if that ended the call.
type Error struct {
	Result
	cause error
}

// Error names the status, what the function or the service said, whether the function ran, and the request id.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "lambdainvoke: %v: ", e.Status)
	if e.ErrorType != "" {
		fmt.Fprintf(&text, "%s: ", e.ErrorType)
	}
	fmt.Fprintf(&text, "%s (execution %v", e.ErrorMessage, e.Execution)
	if e.RequestID != "" {
		fmt.Fprintf(&text, ", request id %s", e.RequestID)
	}
	text.WriteString(")")
	return text.String()
}

// Unwrap returns what ended the call from outside, such as the error of the context or of a CredentialsProvider, or nil.
func (e *Error) Unwrap() error {
	return e.cause
}

// Is serves errors.Is with ErrFunction and ErrThrottled.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrFunction:
		return e.Status == StatusFunctionError
	case ErrThrottled:
		return e.Status == StatusThrottled
	}
	return false
}

// Timeout tells whether the call's deadline passed, as net.Error has it.
func (e *Error) Timeout() bool {
	return e.Status == StatusTimeout
}

// refuse makes the error of a call that was not handed to the library, so that the function certainly did not run.
func refuse(status Status, cause error, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Result{Status: status, Execution: ExecutionNone, ErrorMessage: message}, cause}
}
