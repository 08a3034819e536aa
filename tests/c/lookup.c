/* A host name that cannot be looked up, since no descriptor is left. The name may exist all the same. */

#include <fcntl.h>
#include <unistd.h>

#include "call.h"

int main(void) {
    const char *endpoint = getenv("AWS_ENDPOINT_URL_LAMBDA");
    const char *port = endpoint == NULL ? NULL : strrchr(endpoint, ':');
    char url[64];
    CHECK(port != NULL);
    snprintf(url, sizeof url, "http://localhost%s", port == NULL ? "" : port);
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_endpoint_url(config, url), LAMBDA_OK);
    lambda_client *client = client_of(config);

    /* All but the three that a worker takes before it connects. */
    int taken[1 << 16];
    int count = 0;
    while (count < (int)(sizeof taken / sizeof *taken) && (taken[count] = dup(0)) >= 0) {
        count++;
    }
    for (int given = 0; given < 3 && count > 0; given++) {
        close(taken[--count]);
    }
    lambda_result *result = invoke(client, "echo", "1");
    check_result(__FILE__, __LINE__, result, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE);
    CHECK_CONTAINS(result->error_message, "localhost");
    lambda_result_free(result);
    while (count > 0) {
        close(taken[--count]);
    }

    result = invoke(client, "echo", "1");
    check_result(__FILE__, __LINE__, result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    lambda_client_free(client);
    return check_done();
}
