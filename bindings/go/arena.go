package lambdainvoke

/*
#include <stdlib.h>

// Through volatile, so that the compiler does not drop stores to memory that is freed next.
static void wipe(char *text) {
	for (volatile char *at = text; *at != '\0'; at++) {
		*at = '\0';
	}
}
*/
import "C"

import (
	"strings"
	"unsafe"
)

// arena makes C's copies of strings and releases them all at once. It remembers the first string that C could not take.
type arena struct {
	copies []*C.char
	err    *Error
}

// optional returns NULL for the empty string, which means "not set" in this package.
func (a *arena) optional(field, value string) *C.char {
	if value == "" {
		return nil
	}
	return a.copy(field, value)
}

func (a *arena) copy(field, value string) *C.char {
	if at := strings.IndexByte(value, 0); at >= 0 {
		if a.err == nil {
			a.err = refuse(StatusInvalidArgument, nil, "%s: holds a NUL byte, at index %d", field, at)
		}
		return nil
	}
	made := C.CString(value)
	a.copies = append(a.copies, made)
	return made
}

// free wipes the copies, since some of them are secrets.
func (a *arena) free() {
	for _, made := range a.copies {
		C.wipe(made)
		C.free(unsafe.Pointer(made))
	}
}
