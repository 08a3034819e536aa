/* Leaks a result and a client with its open connection: proof that the tool that looks on would see it. */

#include "call.h"

int main(void) {
    lambda_client *client = default_client();
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    return check_done();
}
