package lambdainvoke

/*
#include <lambda_invoke.h>

#include <stdlib.h>

static int32_t ended(void *flag) {
	return __atomic_load_n((const int32_t *)flag, __ATOMIC_ACQUIRE);
}

static void interrupt_by(lambda_request *request, int32_t *flag) {
	lambda_request_set_interrupt(request, ended, flag);
}
*/
import "C"

import (
	"context"
	"errors"
	"sync/atomic"
	"unsafe"
)

// await makes the prepared call and waits for its end, or for the context's; the caller frees the result. How a call is
// waited for and cancelled is known here and nowhere else.
//
// The library asks a flag while it waits. The flag is C's memory and is read by C: so asking runs no Go code on a thread
// that is inside the library, and the collector has no part in it.
func await(ctx context.Context, client *C.lambda_client, request *C.lambda_request) *C.lambda_result {
	if ctx.Done() == nil {
		return C.lambda_invoke(client, request)
	}
	flag := (*C.int32_t)(C.malloc(C.sizeof_int32_t))
	defer C.free(unsafe.Pointer(flag))
	*flag = 0
	C.interrupt_by(request, flag)

	raised := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(raised)
		// A deadline is already the call's timeout, which ends it at once and by its right name.
		if _, timed := ctx.Deadline(); timed && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return
		}
		atomic.StoreInt32((*int32)(flag), 1)
	})
	result := C.lambda_invoke(client, request)
	if !stop() {
		// It has begun: the flag must outlive it.
		<-raised
	}
	return result
}
