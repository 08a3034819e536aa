/* Calls of every type with one client, so that what an answer leaves on its connection would be taken for the next one's.
 *
 * Settings come from the environment, the function's name is the argument. Prints a line for each call. */

#include <lambda_invoke.h>

#include <stdio.h>
#include <string.h>

static const char *const EXECUTIONS[] = {"UNKNOWN", "NONE", "RAN", "QUEUED"};

static void call(const lambda_client *client, lambda_request *request, int32_t type, const char *payload) {
    lambda_request_set_invocation_type(request, type);
    lambda_request_set_payload(request, payload, strlen(payload));
    lambda_result *result = lambda_invoke(client, request);
    printf("%s %s %d %s\n", lambda_status_name(result->status), EXECUTIONS[result->execution], (int)result->http_status,
        (const char *)result->payload);
    lambda_result_free(result);
}

int main(int argc, char **argv) {
    lambda_client *client;
    if (argc != 2 || lambda_client_new(NULL, &client, NULL) != LAMBDA_OK) {
        return 2;
    }
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, argv[1]);
    call(client, request, LAMBDA_INVOCATION_REQUEST_RESPONSE, "{\"text\": \"first\"}");
    call(client, request, LAMBDA_INVOCATION_EVENT, "{\"text\": \"an event\"}");
    call(client, request, LAMBDA_INVOCATION_REQUEST_RESPONSE, "{\"text\": \"after the event\"}");
    call(client, request, LAMBDA_INVOCATION_DRY_RUN, "{\"text\": \"a dry run\"}");
    call(client, request, LAMBDA_INVOCATION_REQUEST_RESPONSE, "{\"text\": \"after the dry run\"}");
    lambda_request_free(request);
    lambda_client_free(client);
    return 0;
}
