/* Little memory: a size that the caller or the server chooses leads to an error, never to an abort. */

#include <sys/resource.h>

#include "call.h"

enum { HUGE = 200 * 1024 * 1024 };

typedef lambda_status (*set_text)(lambda_request *request, const char *value);
typedef lambda_status (*set_setting)(lambda_config *config, const char *value);

static lambda_status set_keys(lambda_config *config, const char *value) {
    return lambda_config_set_credentials(config, value, value, value);
}

static void bloated_answer(const lambda_client *client) {
    lambda_result *result = invoke(client, "bloated", "{}");
    check_result(__FILE__, __LINE__, result, LAMBDA_FUNCTION_ERROR, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(result->error_type, "Bloated");
    CHECK_AT_LEAST(result->payload_len, 20 * 1000 * 1000);
    lambda_result_free(result);
}

int main(void) {
    lambda_client *client = default_client();
    char *huge = malloc((size_t)HUGE + 1);
    if (huge == NULL) {
        return 1;
    }
    memset(huge, '1', HUGE);
    huge[HUGE] = '\0';
    /* Room for one more copy of nothing but small things. A memory checker needs its own memory. */
    if (!check_light()) {
        struct rlimit limit = {(rlim_t)HUGE + 150 * 1024 * 1024, RLIM_INFINITY};
        CHECK_INT(setrlimit(RLIMIT_AS, &limit), 0);
    }

    lambda_request *request = lambda_request_new();
    const set_text texts[] = {lambda_request_set_function_name, lambda_request_set_qualifier,
        lambda_request_set_client_context, lambda_request_set_client_context_json, lambda_request_set_tenant_id,
        lambda_request_set_durable_execution_name, lambda_request_set_trace_header};
    for (size_t at = 0; at < sizeof texts / sizeof *texts; at++) {
        CHECK_INT(texts[at](request, huge), LAMBDA_E_INVALID_ARGUMENT);
    }
    if (!check_light()) {
        CHECK_INT(lambda_request_set_payload(request, huge, HUGE), LAMBDA_E_NO_MEMORY);
    }
    lambda_request_free(request);

    lambda_config *config = lambda_config_new();
    const set_setting settings[] = {lambda_config_set_region, lambda_config_set_endpoint_url, set_keys};
    for (size_t at = 0; at < sizeof settings / sizeof *settings; at++) {
        CHECK_INT(settings[at](config, huge), LAMBDA_E_INVALID_ARGUMENT);
    }
    lambda_config_free(config);

    bloated_answer(client);
    free(huge);
    lambda_client_free(client);
    return check_done();
}
