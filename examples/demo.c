/* Invokes functions and shows what became of each call.
 *
 *   demo [--error TYPE] FUNCTION PAYLOAD [[--error TYPE] FUNCTION PAYLOAD ...]
 *
 * Every call is expected to succeed, or, after --error, to fail with that error type. The exit status is 1 if a call
 * ends otherwise. Region, credentials and endpoint come from the environment, as for every AWS tool. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lambda_invoke.h"

static const char *execution_text(int32_t execution) {
    switch (execution) {
    case LAMBDA_EXECUTION_NONE: return "did not run";
    case LAMBDA_EXECUTION_RAN: return "ran";
    case LAMBDA_EXECUTION_QUEUED: return "is queued";
    default: return "may have run";
    }
}

static void show(const lambda_result *result) {
    printf("  status     %s, the function %s (HTTP %" PRId32 ", %" PRIu32 " attempt%s, %.1f ms)\n",
        lambda_status_name(result->status), execution_text(result->execution), result->http_status, result->attempts,
        result->attempts == 1 ? "" : "s", (double)result->duration_us / 1000.0);
    if (result->error_message != NULL) {
        printf("  error      %s: %s\n", result->error_type != NULL ? result->error_type : "-", result->error_message);
    }
    if (result->payload_len > 0) {
        printf("  payload    %.*s\n", (int)result->payload_len, (const char *)result->payload);
    }
    /* The log is NUL-terminated bytes, which are printed line by line. */
    for (const char *line = result->log; line != NULL && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        printf("  log        %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    printf("\n");
}

struct call {
    const char *function_name;
    const char *payload;
    const char *error_type; /* NULL: the call should succeed */
};

/* Reads the call whose arguments begin at an index. Returns the index after it, or 0 if they are incomplete. */
static int read_call(int argc, char **argv, int at, struct call *call) {
    call->error_type = NULL;
    if (at + 1 < argc && strcmp(argv[at], "--error") == 0) {
        call->error_type = argv[at + 1];
        at += 2;
    }
    if (at + 1 >= argc) {
        return 0;
    }
    call->function_name = argv[at];
    call->payload = argv[at + 1];
    return at + 2;
}

static bool is_expected(const struct call *call, const lambda_result *result) {
    if (call->error_type == NULL) {
        return result->status == LAMBDA_OK;
    }
    return result->error_type != NULL && strcmp(result->error_type, call->error_type) == 0;
}

/* Makes the call. Returns whether its result is the expected one. */
static bool make(const lambda_client *client, const struct call *call) {
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, call->function_name);
    lambda_request_set_payload(request, call->payload, strlen(call->payload));
    lambda_request_set_log_type(request, LAMBDA_LOG_TYPE_TAIL);

    printf("%s <- %s\n", call->function_name, call->payload);
    lambda_result *result = lambda_invoke(client, request);
    show(result);

    bool expected = is_expected(call, result);
    if (!expected) {
        fprintf(stderr, "%s: expected %s, got %s (%s)\n", call->function_name,
            call->error_type != NULL ? call->error_type : lambda_status_name(LAMBDA_OK),
            lambda_status_name(result->status), result->error_type != NULL ? result->error_type : "no error type");
    }
    lambda_result_free(result);
    lambda_request_free(request);
    return expected;
}

int main(int argc, char **argv) {
    struct call call;
    int at = 1;
    do {
        at = read_call(argc, argv, at, &call);
        if (at == 0) {
            fprintf(
                stderr, "usage: %s [--error TYPE] FUNCTION PAYLOAD [[--error TYPE] FUNCTION PAYLOAD ...]\n", argv[0]);
            return 2;
        }
    } while (at < argc);

    lambda_client *client = NULL;
    lambda_error *error = NULL;
    if (lambda_client_new(NULL, &client, &error) != LAMBDA_OK) {
        fprintf(stderr, "%s\n", lambda_error_message(error));
        lambda_error_free(error);
        return 1;
    }
    bool expected = true;
    for (at = 1; at < argc;) {
        at = read_call(argc, argv, at, &call);
        expected = make(client, &call) && expected;
    }
    lambda_client_free(client);

    /* The exit status also reports output that could not be written. */
    return expected && fflush(stdout) == 0 ? 0 : 1;
}
