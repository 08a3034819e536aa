/* Calls whose responses the caller writes: see tests/functions/script.py. */

#ifndef SCRIPT_H
#define SCRIPT_H

#include "call.h"

/* Each call has a tenant of its own, by which the endpoint counts its attempts. */
static inline lambda_request *script_of(const char *tenant, const char *script) {
    lambda_request *request = request_of("script", script);
    CHECK_INT(lambda_request_set_tenant_id(request, tenant), LAMBDA_OK);
    return request;
}

/* How many attempts of the tenant's call reached the endpoint. */
static inline long script_attempts(const lambda_client *client, const char *tenant) {
    lambda_result *result = invoke_once(client, script_of(tenant, "count"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    long attempts = strtol(payload_text(result), NULL, 10);
    lambda_result_free(result);
    return attempts;
}

#endif
