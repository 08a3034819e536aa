/* Leaks a result and a client with its open connection: proves that the memory checker would find it. */

#include "call.h"

int main(void) {
    lambda_client *client = default_client();
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    return check_done();
}
