package lambdainvoke

import "C"

import (
	"strings"
	"unsafe"
)

// arena makes NUL-terminated copies of strings, for functions of C that copy them once more, and wipes them all at once. They
// are in Go's memory, since memory of C's would take two more calls each. It remembers the first string that C could not take.
type arena struct {
	copies [][]byte
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
	made := make([]byte, len(value)+1)
	copy(made, value)
	a.copies = append(a.copies, made)
	return (*C.char)(unsafe.Pointer(&made[0]))
}

// wipe ends the use of the copies, of which some are secrets.
func (a *arena) wipe() {
	for _, made := range a.copies {
		clear(made)
	}
}
