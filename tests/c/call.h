/* The few steps that nearly every program here takes. */

#ifndef CALL_H
#define CALL_H

#include <lambda_invoke.h>

#include <time.h>

#include "check.h"

/* A client of the local endpoint, which the environment names. Takes the config, which may be NULL. */
static inline lambda_client *client_of(lambda_config *config) {
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    if (lambda_client_new(config, &client, &error) != LAMBDA_OK) {
        fprintf(stderr, "no client: %s\n", lambda_error_message(error));
        exit(1);
    }
    lambda_config_free(config);
    return client;
}

static inline lambda_client *default_client(void) {
    return client_of(NULL);
}

static inline lambda_request *request_of(const char *function, const char *payload) {
    lambda_request *request = lambda_request_new();
    CHECK_INT(lambda_request_set_function_name(request, function), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(request, payload, strlen(payload)), LAMBDA_OK);
    return request;
}

/* Invokes with a request, and frees it. */
static inline lambda_result *invoke_once(const lambda_client *client, lambda_request *request) {
    lambda_result *result = lambda_invoke(client, request);
    lambda_request_free(request);
    return result;
}

static inline lambda_result *invoke(const lambda_client *client, const char *function, const char *payload) {
    return invoke_once(client, request_of(function, payload));
}

static inline const char *payload_text(const lambda_result *result) {
    return (const char *)result->payload;
}

/* Shows the result if it is not what was expected. */
static inline void check_completion(
    const char *file, int line, const lambda_result *result, lambda_status status, int32_t execution, uint64_t tag) {
    if (result->status != status || result->execution != execution) {
        check_failed(file, line, "%s, execution %d, not %s, execution %d (HTTP %d, %u attempts): %s",
            lambda_status_name(result->status), result->execution, lambda_status_name(status), execution,
            result->http_status, result->attempts, check_show(result->error_message));
    }
    if (result->status != LAMBDA_OK && result->error_message == NULL) {
        check_failed(file, line, "a failure without a message");
    }
    if (result->payload == NULL || result->payload[result->payload_len] != 0) {
        check_failed(file, line, "no NUL past the payload's end");
    }
    if (result->status != LAMBDA_OK && result->status != LAMBDA_FUNCTION_ERROR && result->payload_len != 0) {
        check_failed(file, line, "a failed call has a payload of %zu bytes", result->payload_len);
    }
    if (result->reserved != 0 || result->tag != tag) {
        check_failed(file, line, "reserved is not 0, or the tag is %" PRIu64 ", not %" PRIu64, result->tag, tag);
    }
}

static inline void check_result(
    const char *file, int line, const lambda_result *result, lambda_status status, int32_t execution) {
    check_completion(file, line, result, status, execution, 0);
}

#define CHECK_RESULT(result, status, execution) check_result(__FILE__, __LINE__, (result), (status), (execution))

static inline uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void sleep_ms(unsigned ms) {
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&time, &time) != 0) {}
}

/* A limit on time for a machine that does nothing else; much more under a slow tool. */
static inline uint64_t within_ms(uint64_t ms) {
    return check_light() ? ms * 20 : ms;
}

#endif
