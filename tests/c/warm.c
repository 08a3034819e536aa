/* Makes as many calls as it is told, one after the other: see test_instructions.py. */

#include "call.h"

int main(int argc, char **argv) {
    long calls = argc > 1 ? strtol(argv[1], NULL, 10) : 3;
    lambda_client *client = default_client();
    char payload[128];
    memset(payload, 'a', sizeof payload);
    payload[0] = payload[sizeof payload - 1] = '"';
    lambda_request *request = lambda_request_new();
    CHECK_INT(lambda_request_set_function_name(request, "echo"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(request, payload, sizeof payload), LAMBDA_OK);
    for (long i = 0; i < calls; i++) {
        lambda_result *result = lambda_invoke(client, request);
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        lambda_result_free(result);
    }
    lambda_request_free(request);
    lambda_client_free(client);
    return check_done();
}
