/* Objects do not depend on each other: any order of ends is right. */

#include "call.h"

static lambda_config *local_config(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_region(config, getenv("AWS_REGION")), LAMBDA_OK);
    CHECK_INT(lambda_config_set_endpoint_url(config, getenv("AWS_ENDPOINT_URL_LAMBDA")), LAMBDA_OK);
    CHECK_INT(lambda_config_set_credentials(config, getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), NULL),
        LAMBDA_OK);
    return config;
}

/* Every order of the four frees; the result is read whenever it is still alive. */
static void every_order(void) {
    for (int order = 0; order < 24; order++) {
        lambda_config *config = local_config();
        lambda_client *client = NULL;
        CHECK_INT(lambda_client_new(config, &client, NULL), LAMBDA_OK);
        lambda_request *request = request_of("echo", "alive");
        lambda_result *result = lambda_invoke(client, request);
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        int left[4] = {0, 1, 2, 3}, number = order;
        for (int count = 4; count > 0; count--) {
            int at = number % count;
            number /= count;
            switch (left[at]) {
            case 0: lambda_config_free(config); break;
            case 1: lambda_client_free(client); break;
            case 2: lambda_request_free(request); break;
            default: CHECK_STRING(payload_text(result), "alive"); lambda_result_free(result);
            }
            left[at] = left[count - 1];
        }
    }
}

static void a_config_serves_many_clients(void) {
    lambda_config *config = local_config();
    lambda_client *first = NULL, *second = NULL;
    CHECK_INT(lambda_client_new(config, &first, NULL), LAMBDA_OK);
    /* A client has its own copy: a later change affects only later clients. */
    CHECK_INT(lambda_config_set_endpoint_url(config, "http://127.0.0.1:1"), LAMBDA_OK);
    CHECK_INT(lambda_config_set_max_attempts(config, 1), LAMBDA_OK);
    CHECK_INT(lambda_client_new(config, &second, NULL), LAMBDA_OK);
    lambda_config_free(config);
    lambda_request *request = request_of("echo", "x");
    lambda_result *good = lambda_invoke(first, request), *bad = lambda_invoke(second, request);
    CHECK_RESULT(good, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_RESULT(bad, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE);
    lambda_client_free(first);
    lambda_client_free(second);
    lambda_request_free(request);
    CHECK_STRING(payload_text(good), "x");
    CHECK_CONTAINS(bad->error_message, "127.0.0.1:1");
    lambda_result_free(bad);
    lambda_result_free(good);
}

static void unused_objects(void) {
    lambda_config_free(lambda_config_new());
    lambda_request_free(lambda_request_new());
    lambda_client_free(default_client());
    lambda_request *request = lambda_request_new();
    lambda_request *clone = lambda_request_clone(request);
    lambda_request_free(request);
    lambda_request_free(clone);
}

static void an_error_outlives_its_config(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_region(config, "No Region"), LAMBDA_E_INVALID_ARGUMENT);
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    CHECK_INT(lambda_client_new(config, &client, &error), LAMBDA_E_INVALID_ARGUMENT);
    CHECK(client == NULL);
    lambda_config_free(config);
    CHECK_CONTAINS(lambda_error_message(error), "No Region");
    lambda_error_free(error);
}

/* Many results of one client at the same time, with their own memory each. */
static void many_results(void) {
    enum { COUNT = 50 };
    lambda_client *client = default_client();
    lambda_result *results[COUNT];
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        snprintf(text, sizeof text, "number %d", i);
        results[i] = invoke(client, "echo", text);
    }
    lambda_client_free(client);
    for (int i = COUNT - 1; i >= 0; i--) {
        char text[16];
        snprintf(text, sizeof text, "number %d", i);
        CHECK_STRING(payload_text(results[i]), text);
        lambda_result_free(results[i]);
    }
}

int main(void) {
    every_order();
    a_config_serves_many_clients();
    unused_objects();
    an_error_outlives_its_config();
    many_results();
    return check_done();
}
