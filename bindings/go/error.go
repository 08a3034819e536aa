package lambdainvoke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrClosed is what errors.Is finds in the error of a call on a closed client.
	ErrClosed = errors.New("lambdainvoke: the client is closed")
	// ErrFunction is what errors.Is finds if the function ran and failed (StatusFunctionError).
	ErrFunction = errors.New("lambdainvoke: the function failed")
	// ErrThrottled is what errors.Is finds if the request was throttled (StatusThrottled).
	ErrThrottled = errors.New("lambdainvoke: throttled")
	// ErrTimeout is what errors.Is finds if the call's deadline passed (StatusTimeout), whether a timeout or the context
	// set it.
	ErrTimeout = errors.New("lambdainvoke: the call's deadline passed")
)

// Error is every error of this package. Its fields are those of the Result: Execution tells whether the function ran,
// Payload is what a failed function threw.
//
// errors.Is finds context.Canceled in it if the context cancelled the call, context.DeadlineExceeded and ErrTimeout if the
// call's deadline passed, and the context's cause. It also finds what a CredentialsProvider returned, if that ended the
// call. errors.As finds a net.Error in it if the call's deadline passed.
type Error struct {
	Result
	function string
	cause    error
}

// Error returns one line: the function that was called, the status, what the function or the service said, whether the
// function ran, and the request id. Of a throttled call it also has the reason and the number of attempts.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString("lambdainvoke: ")
	message := e.ErrorMessage
	if e.function != "" {
		fmt.Fprintf(&text, "%s: ", e.function)
		message = strings.TrimPrefix(message, e.function+": ")
	}
	fmt.Fprintf(&text, "%v: ", e.Status)
	if e.ErrorType != "" {
		fmt.Fprintf(&text, "%s: ", e.ErrorType)
	}
	fmt.Fprintf(&text, "%s (execution %v", message, e.Execution)
	if e.ThrottleReason != "" {
		fmt.Fprintf(&text, ", reason %s", e.ThrottleReason)
	}
	if e.Attempts > 1 || e.Status == StatusThrottled {
		fmt.Fprintf(&text, ", attempts %d", e.Attempts)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&text, ", request id %s", e.RequestID)
	}
	text.WriteString(")")
	return oneLine(text.String())
}

// Unwrap returns what ended the call from outside, such as the error of the context or of a CredentialsProvider, or nil.
func (e *Error) Unwrap() error {
	return e.cause
}

// Is serves errors.Is with ErrFunction, ErrThrottled, ErrTimeout and context.DeadlineExceeded.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrFunction:
		return e.Status == StatusFunctionError
	case ErrThrottled:
		return e.Status == StatusThrottled
	case ErrTimeout, context.DeadlineExceeded:
		return e.Status == StatusTimeout
	}
	return false
}

// Timeout tells whether the call's deadline passed, as net.Error has it.
func (e *Error) Timeout() bool {
	return e.Status == StatusTimeout
}

// refuse makes the error of a call that was not handed to the library, so that the function certainly did not run.
func refuse(status Status, cause error, format string, args ...any) *Error {
	message := oneLine(fmt.Sprintf(format, args...))
	return &Error{Result: Result{Status: status, Execution: ExecutionNone, ErrorMessage: message}, cause: cause}
}

// of names the function that was called in the message of a call that the library did not make.
func (e *Error) of(function string) *Error {
	if function != "" {
		e.function, e.ErrorMessage = function, function+": "+e.ErrorMessage
	}
	return e
}

// end is why the caller ended a call: StatusCancelled or StatusTimeout, and what errors.Is is to find.
type end struct {
	status Status
	cause  error
}

// endOf returns why the context has ended, nil if it has not. Its own timer may be late, so its deadline counts too.
func endOf(ctx context.Context) *end {
	err := ctx.Err()
	if err == nil {
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			return &end{StatusTimeout, context.DeadlineExceeded}
		}
		return nil
	}
	status := StatusCancelled
	if errors.Is(err, context.DeadlineExceeded) {
		status = StatusTimeout
	}
	if cause := context.Cause(ctx); cause != nil && cause != err {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &end{status, err}
}

// endedByDeadline tells whether the deadline of a context that has ended was its end. That is already the call's timeout,
// which ends the call at once and by its right name.
func endedByDeadline(ctx context.Context) bool {
	_, timed := ctx.Deadline()
	return timed && errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// refuse makes the error of a call that the library did not make; what reads on "the context".
func (e *end) refuse(what string) *Error {
	return refuse(e.status, e.cause, "the context %s: %v", what, e.cause)
}
