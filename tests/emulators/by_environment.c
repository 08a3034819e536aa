/* Calls twice with one client that nothing sets but the environment and the shared files; the function's name is the
 * argument. Prints a line for each call, or for the client that could not be made: status, execution, HTTP status, error
 * type, and the error's message or the payload. */

#include <lambda_invoke.h>

#include <stdio.h>

static const char *const EXECUTIONS[] = {"UNKNOWN", "NONE", "RAN", "QUEUED"};

int main(int argc, char **argv) {
    lambda_client *client;
    lambda_error *error;
    if (argc != 2) {
        return 2;
    }
    if (lambda_client_new(NULL, &client, &error) != LAMBDA_OK) {
        printf("%s\tNONE\t0\t\t%s\n", lambda_status_name(lambda_error_status(error)), lambda_error_message(error));
        lambda_error_free(error);
        return 0;
    }
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, argv[1]);
    lambda_request_set_payload(request, "{}", 2);
    for (int i = 0; i < 2; i++) {
        lambda_result *result = lambda_invoke(client, request);
        printf("%s\t%s\t%d\t%s\t%s\n", lambda_status_name(result->status), EXECUTIONS[result->execution],
            (int)result->http_status, result->error_type == NULL ? "" : result->error_type,
            result->status == LAMBDA_OK ? (const char *)result->payload : result->error_message);
        lambda_result_free(result);
    }
    lambda_request_free(request);
    lambda_client_free(client);
    return 0;
}
