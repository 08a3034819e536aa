//go:build lambda_invoke_static

package lambdainvoke

// pkg-config names the library as -llambda_invoke, for which the linker takes the shared one where both are installed.
// So the archive stands before it by its file's name, and --as-needed drops the shared one, of which nothing is left to
// need.

// #cgo LDFLAGS: -l:liblambda_invoke.a -Wl,--as-needed
// #cgo pkg-config: --static lambda_invoke
import "C"
