package lambdainvoke

/*
#include <lambda_invoke.h>
*/
import "C"

import (
	"runtime/cgo"
	"time"
)

// C's static functions of callback.go call these.

//export lambdainvokeAsk
func lambdainvokeAsk(handle C.uintptr_t, out *C.lambda_credentials) C.int32_t {
	var text arena
	defer text.free()
	credentials, err := cgo.Handle(handle).Value().(*provider).call()
	if err != nil {
		if message := text.copy("error", err.Error()); message != nil {
			C.lambda_credentials_set_error(out, message)
		}
		return C.LAMBDA_E_CREDENTIALS
	}
	var expires int64
	if !credentials.Expires.IsZero() {
		// 0 would mean that they do not run out.
		expires = max64(1, credentials.Expires.Truncate(time.Second).Unix())
	}
	status := C.lambda_credentials_set(
		out,
		text.copy("access_key_id", credentials.AccessKeyID),
		text.copy("secret_access_key", credentials.SecretAccessKey),
		text.optional("session_token", credentials.SessionToken),
		C.int64_t(expires),
	)
	return C.int32_t(status)
}

//export lambdainvokeTell
func lambdainvokeTell(handle C.uintptr_t, level C.int32_t, target, message *C.char) {
	cgo.Handle(handle).Value().(*sink).call(level, C.GoString(target), C.GoString(message))
}

//export lambdainvokeRelease
func lambdainvokeRelease(handle C.uintptr_t) {
	cgo.Handle(handle).Delete()
}

func max64(one, other int64) int64 {
	if one > other {
		return one
	}
	return other
}
