package lambdainvoke

/*
#include <lambda_invoke.h>
*/
import "C"

import "fmt"

const headerVersion = uint32(C.LAMBDA_VERSION_NUMBER)

// Version returns the version of the library that was loaded, such as "0.1.0".
func Version() string {
	return C.GoString(C.lambda_version())
}

// checkVersion says whether a program that was compiled with one version of the header may use a library of another: the
// same major version, and all functions that the header promises.
func checkVersion(header, library uint32) *Error {
	if library/1_000_000 == header/1_000_000 && library >= header {
		return nil
	}
	return refuse(StatusConfig, nil, "the loaded liblambda_invoke is version %s, but this program was compiled with "+
		"version %s: it needs that or a later one of the same major version", dotted(library), dotted(header))
}

func dotted(version uint32) string {
	return fmt.Sprintf("%d.%d.%d", version/1_000_000, version/1000%1000, version%1000)
}
