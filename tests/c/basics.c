/* Versions, names of statuses, and NULL in every place of every function. */

#include "call.h"

static void versions(void) {
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", LAMBDA_VERSION_MAJOR, LAMBDA_VERSION_MINOR, LAMBDA_VERSION_PATCH);
    CHECK_STRING(lambda_version(), text);
    CHECK_INT(lambda_version_number(), LAMBDA_VERSION_NUMBER);
    CHECK(lambda_version() == lambda_version());
}

static void names(void) {
    static const struct {
        lambda_status status;
        const char *name;
    } known[] = {
        {LAMBDA_OK, "LAMBDA_OK"},
        {LAMBDA_FUNCTION_ERROR, "LAMBDA_FUNCTION_ERROR"},
        {LAMBDA_END, "LAMBDA_END"},
        {LAMBDA_PENDING, "LAMBDA_PENDING"},
        {LAMBDA_E_INVALID_ARGUMENT, "LAMBDA_E_INVALID_ARGUMENT"},
        {LAMBDA_E_CONFIG, "LAMBDA_E_CONFIG"},
        {LAMBDA_E_CREDENTIALS, "LAMBDA_E_CREDENTIALS"},
        {LAMBDA_E_RESOLVE, "LAMBDA_E_RESOLVE"},
        {LAMBDA_E_CONNECT, "LAMBDA_E_CONNECT"},
        {LAMBDA_E_TLS, "LAMBDA_E_TLS"},
        {LAMBDA_E_IO, "LAMBDA_E_IO"},
        {LAMBDA_E_TIMEOUT, "LAMBDA_E_TIMEOUT"},
        {LAMBDA_E_CANCELLED, "LAMBDA_E_CANCELLED"},
        {LAMBDA_E_THROTTLED, "LAMBDA_E_THROTTLED"},
        {LAMBDA_E_SERVICE, "LAMBDA_E_SERVICE"},
        {LAMBDA_E_PROTOCOL, "LAMBDA_E_PROTOCOL"},
        {LAMBDA_E_TOO_LARGE, "LAMBDA_E_TOO_LARGE"},
        {LAMBDA_E_INTERNAL, "LAMBDA_E_INTERNAL"},
        {LAMBDA_E_NO_MEMORY, "LAMBDA_E_NO_MEMORY"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        CHECK_STRING(lambda_status_name(known[i].status), known[i].name);
    }
    static const lambda_status unknown[] = {4, 1000, -16, -1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK_STRING(lambda_status_name(unknown[i]), "LAMBDA_STATUS_UNKNOWN");
    }
}

static int32_t never(void *user_data) {
    (void)user_data;
    return 0;
}

static void no_receiver(void) {
    lambda_error_free(NULL);
    lambda_config_free(NULL);
    lambda_client_free(NULL);
    lambda_request_free(NULL);
    lambda_result_free(NULL);

    CHECK_INT(lambda_error_status(NULL), LAMBDA_E_INVALID_ARGUMENT);
    CHECK(lambda_error_message(NULL) != NULL && *lambda_error_message(NULL) != '\0');
    CHECK(lambda_request_clone(NULL) == NULL);

    const lambda_status refused[] = {
        lambda_config_set_region(NULL, "us-east-1"),
        lambda_config_set_region(NULL, NULL),
        lambda_config_set_endpoint_url(NULL, "http://localhost"),
        lambda_config_set_credentials(NULL, "a", "b", "c"),
        lambda_config_set_credentials(NULL, NULL, NULL, NULL),
        lambda_config_set_connect_timeout_ms(NULL, 1),
        lambda_config_set_timeout_ms(NULL, 1),
        lambda_config_set_max_attempts(NULL, 1),
        lambda_config_set_retry(NULL, LAMBDA_RETRY_SAFE),
        lambda_config_set_max_connections(NULL, 1),
        lambda_config_set_max_response_bytes(NULL, 1),
        lambda_request_set_function_name(NULL, "f"),
        lambda_request_set_qualifier(NULL, "live"),
        lambda_request_set_invocation_type(NULL, LAMBDA_INVOCATION_EVENT),
        lambda_request_set_log_type(NULL, LAMBDA_LOG_TYPE_TAIL),
        lambda_request_set_client_context(NULL, "e30="),
        lambda_request_set_client_context_json(NULL, "{}"),
        lambda_request_set_payload(NULL, "x", 1),
        lambda_request_set_payload(NULL, NULL, 0),
        lambda_request_set_tenant_id(NULL, "t"),
        lambda_request_set_durable_execution_name(NULL, "d"),
        lambda_request_set_trace_header(NULL, "Root=1"),
        lambda_request_set_timeout_ms(NULL, 1),
        lambda_request_set_retry(NULL, LAMBDA_RETRY_SAFE),
        lambda_request_set_interrupt(NULL, never, NULL),
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (refused[i] != LAMBDA_E_INVALID_ARGUMENT) {
            check_failed(__FILE__, __LINE__, "setter %zu of the list took NULL for its object", i);
        }
    }
}

static void refused_call(const lambda_client *client, const lambda_request *request, const char *what) {
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE);
    CHECK_CONTAINS(result->error_message, what);
    CHECK_INT(result->attempts, 0);
    CHECK_INT(result->unknown_attempts, 0);
    CHECK_INT(result->http_status, 0);
    CHECK_INT(result->payload_len, 0);
    CHECK_STRING(result->request_id, NULL);
    lambda_result_free(result);
}

static void no_arguments(void) {
    lambda_client *client = default_client();
    lambda_request *request = request_of("echo", "x");
    refused_call(NULL, request, "client");
    refused_call(client, NULL, "request");
    refused_call(NULL, NULL, "");

    /* A request as new: the one field that must be set is named. */
    lambda_request *empty = lambda_request_new();
    refused_call(client, empty, "function_name");
    lambda_request_free(empty);

    lambda_error *error = NULL;
    CHECK_INT(lambda_client_new(NULL, NULL, &error), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_error_status(error), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_CONTAINS(lambda_error_message(error), "client");
    lambda_error_free(error);
    CHECK_INT(lambda_client_new(NULL, NULL, NULL), LAMBDA_E_INVALID_ARGUMENT);

    /* The error output is optional, and a success does not write to it. */
    lambda_client *other = NULL;
    CHECK_INT(lambda_client_new(NULL, &other, NULL), LAMBDA_OK);
    lambda_client_free(other);
    lambda_error *untouched = (lambda_error *)&error;
    CHECK_INT(lambda_client_new(NULL, &other, &untouched), LAMBDA_OK);
    CHECK(untouched == (lambda_error *)&error);
    lambda_client_free(other);

    lambda_request_free(request);
    lambda_client_free(client);
}

int main(void) {
    versions();
    names();
    no_receiver();
    no_arguments();
    return check_done();
}
