// A plugin with a copy of the library inside, which its program knows nothing of.

#include "plugin.h"

#include <lambda_invoke.h>

#include "call.h"

const char *plugin_version(void) {
    return lambda_version();
}

int plugin_call(void) {
    return call();
}
