// A call as a program or its plugin makes it, each with the library that it was linked with.

#ifndef CALL_H
#define CALL_H

#include <lambda_invoke.h>

#include <stdio.h>

// 0 if it succeeds.
static int call_with(const lambda_client *client) {
    lambda_request *const request = lambda_request_new();
    lambda_request_set_function_name(request, "hello");
    lambda_request_set_payload(request, "{\"name\": \"Ada\"}", 15);
    lambda_result *const result = lambda_invoke(client, request);
    const int failed = result->status != LAMBDA_OK;
    if (failed) {
        fprintf(stderr, "%s\n", result->error_message);
    }
    lambda_result_free(result);
    lambda_request_free(request);
    return failed;
}

// The same with a client of its own.
static inline int call(void) {
    lambda_client *client = NULL;
    if (lambda_client_new(NULL, &client, NULL) != LAMBDA_OK) {
        return 1;
    }
    const int failed = call_with(client);
    lambda_client_free(client);
    return failed;
}

#endif
