package lambdainvoke

/*
#include <lambda_invoke.h>
*/
import "C"

import "runtime/cgo"

// C's static functions of callback.go call these.

//export lambdainvokeAsk
func lambdainvokeAsk(handle C.uintptr_t, out *C.lambda_credentials) C.int32_t {
	var text arena
	defer text.wipe()
	credentials, refusal := cgo.Handle(handle).Value().(*provider).call()
	if refusal != "" {
		C.lambda_credentials_set_error(out, text.copy("error", refusal))
		return C.LAMBDA_E_CREDENTIALS
	}
	id := text.copy("AccessKeyID", credentials.AccessKeyID)
	secret := text.copy("SecretAccessKey", credentials.SecretAccessKey)
	token := text.optional("SessionToken", credentials.SessionToken)
	if text.err != nil {
		C.lambda_credentials_set_error(out, text.copy("error", text.err.ErrorMessage))
		return C.LAMBDA_E_CREDENTIALS
	}
	var expires int64
	if !credentials.Expires.IsZero() {
		// 0 would mean that they do not run out.
		expires = max(1, credentials.Expires.Unix())
	}
	return C.int32_t(C.lambda_credentials_set(out, id, secret, token, C.int64_t(expires)))
}

//export lambdainvokeTell
func lambdainvokeTell(handle C.uintptr_t, level C.int32_t, target, message *C.char) {
	cgo.Handle(handle).Value().(*sink).call(level, C.GoString(target), C.GoString(message))
}

//export lambdainvokeRelease
func lambdainvokeRelease(handle C.uintptr_t) {
	cgo.Handle(handle).Delete()
}
