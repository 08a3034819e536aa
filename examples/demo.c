/* Invokes functions and shows what became of each call.
 *
 *   demo FUNCTION PAYLOAD [FUNCTION PAYLOAD ...]
 *
 * Region, credentials and endpoint come from the environment, as for every AWS tool. */
#include <inttypes.h>
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
    /* The log is bytes with a NUL behind them: shown line by line. */
    for (const char *line = result->log; line != NULL && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        printf("  log        %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    printf("\n");
}

int main(int argc, char **argv) {
    if (argc < 3 || argc % 2 == 0) {
        fprintf(stderr, "usage: %s FUNCTION PAYLOAD [FUNCTION PAYLOAD ...]\n", argv[0]);
        return 2;
    }

    lambda_client *client = NULL;
    lambda_error *error = NULL;
    if (lambda_client_new(NULL, &client, &error) != LAMBDA_OK) {
        fprintf(stderr, "%s\n", lambda_error_message(error));
        lambda_error_free(error);
        return 1;
    }

    for (int at = 1; at + 1 < argc; at += 2) {
        lambda_request *request = lambda_request_new();
        lambda_request_set_function_name(request, argv[at]);
        lambda_request_set_payload(request, argv[at + 1], strlen(argv[at + 1]));
        lambda_request_set_log_type(request, LAMBDA_LOG_TYPE_TAIL);

        printf("%s <- %s\n", argv[at], argv[at + 1]);
        lambda_result *result = lambda_invoke(client, request);
        show(result);

        lambda_result_free(result);
        lambda_request_free(request);
    }
    lambda_client_free(client);
    return 0;
}
