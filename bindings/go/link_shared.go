//go:build !lambda_invoke_static

package lambdainvoke

// #cgo pkg-config: lambda_invoke
import "C"
