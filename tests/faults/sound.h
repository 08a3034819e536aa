/* Clients of the fault-injecting endpoint, and calls to its ports that inject no faults: each must succeed, and get its own
 * response. */

#ifndef SOUND_H
#define SOUND_H

#include "../c/call.h"

static inline lambda_config *endpoint_config(const char *url, const char *ca_file) {
    lambda_config *config = lambda_config_new();
    lambda_config_set_region(config, "us-east-1");
    lambda_config_set_endpoint_url(config, url);
    lambda_config_set_credentials(config, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL);
    lambda_config_set_ca_bundle(config, ca_file);
    lambda_config_set_proxy(config, "");
    return config;
}

static inline lambda_request *sound_request(uint64_t id, uint64_t timeout_ms) {
    char name[32], payload[64];
    snprintf(name, sizeof name, "f-%" PRIu64, id);
    snprintf(payload, sizeof payload, "{\"id\":\"%" PRIu64 "\"}", id);
    lambda_request *request = request_of(name, payload);
    CHECK_INT(lambda_request_set_timeout_ms(request, timeout_ms), LAMBDA_OK);
    return request;
}

/* Checks that a call succeeded at once, with its own response. */
static inline void check_sound(const lambda_result *result, uint64_t id) {
    char owner[64];
    snprintf(owner, sizeof owner, "%" PRIu64 "-1", id);
    check_completion(__FILE__, __LINE__, result, LAMBDA_OK, LAMBDA_EXECUTION_RAN, result->tag);
    CHECK_INT(result->attempts, 1);
    CHECK_STRING(result->request_id, owner);
}

#endif
