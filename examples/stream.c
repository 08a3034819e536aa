/* Prints a streamed response as it is made. The function's name is the first argument, its payload the second one. */

#include <lambda_invoke.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *payload = argc > 2 ? argv[2] : "10";
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    if (lambda_client_new(NULL, &client, &error) != LAMBDA_OK) {
        fprintf(stderr, "%s\n", lambda_error_message(error));
        lambda_error_free(error);
        return 1;
    }
    lambda_request *request = lambda_request_new();
    /* lambda_stream_next reports what a setter rejects. */
    lambda_request_set_function_name(request, argc > 1 ? argv[1] : "counting");
    lambda_request_set_payload(request, payload, strlen(payload));

    lambda_stream *stream = lambda_invoke_stream(client, request);
    const uint8_t *data;
    size_t len;
    while (lambda_stream_next(stream, -1, &data, &len) == LAMBDA_OK) {
        fwrite(data, 1, len, stdout);
        fflush(stdout);
    }
    lambda_result *result = lambda_stream_finish(stream);
    int failed = result->status != LAMBDA_OK;
    if (failed) {
        fprintf(stderr, "%s: %s\n", lambda_status_name(result->status), result->error_message);
    }
    lambda_result_free(result);
    lambda_request_free(request);
    lambda_client_free(client);
    return failed;
}
