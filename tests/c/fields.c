/* Every field of a request arrives where it belongs, on the wire and at the function. */

#include "call.h"

static lambda_client *client;

static void sees(lambda_request *request, const char *line) {
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_CONTAINS(payload_text(result), line);
    lambda_result_free(result);
}

static void names_and_qualifiers(void) {
    static const struct {
        const char *name, *qualifier, *version, *arn;
    } forms[] = {
        {"context", NULL, "$LATEST", "arn:aws:lambda:us-east-1:123456789012:function:context"},
        {"context", "1", "1", "arn:aws:lambda:us-east-1:123456789012:function:context:1"},
        {"context", "live", "2", "arn:aws:lambda:us-east-1:123456789012:function:context:live"},
        {"context", "$LATEST", "$LATEST", "arn:aws:lambda:us-east-1:123456789012:function:context:$LATEST"},
        {"context:live", NULL, "2", "arn:aws:lambda:us-east-1:123456789012:function:context:live"},
        {"context:live", "live", "2", "arn:aws:lambda:us-east-1:123456789012:function:context:live"},
        {"123456789012:function:context", NULL, "$LATEST", "arn:aws:lambda:us-east-1:123456789012:function:context"},
        {"123456789012:function:context:2", NULL, "2", "arn:aws:lambda:us-east-1:123456789012:function:context:2"},
        {"arn:aws:lambda:us-east-1:123456789012:function:context", "live", "2",
            "arn:aws:lambda:us-east-1:123456789012:function:context:live"},
        /* The region of the ARN signs, not the client's: the endpoint would refuse the signature otherwise. */
        {"arn:aws:lambda:eu-west-1:123456789012:function:context:1", NULL, "1",
            "arn:aws:lambda:eu-west-1:123456789012:function:context:1"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        lambda_request *request = request_of(forms[i].name, "{}");
        CHECK_INT(lambda_request_set_qualifier(request, forms[i].qualifier), LAMBDA_OK);
        lambda_result *result = invoke_once(client, request);
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        CHECK_STRING(result->executed_version, forms[i].version);
        char line[256];
        snprintf(line, sizeof line, "arn=%s\n", forms[i].arn);
        CHECK_CONTAINS(payload_text(result), line);
        lambda_result_free(result);
    }

    lambda_request *contradicting = request_of("context:live", "{}");
    CHECK_INT(lambda_request_set_qualifier(contradicting, "1"), LAMBDA_OK);
    lambda_result *result = invoke_once(client, contradicting);
    CHECK_RESULT(result, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE);
    CHECK_CONTAINS(result->error_message, "qualifier");
    CHECK_INT(result->attempts, 0);
    lambda_result_free(result);

    lambda_request *missing = request_of("context", "{}");
    CHECK_INT(lambda_request_set_qualifier(missing, "no-such-alias"), LAMBDA_OK);
    result = invoke_once(client, missing);
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_STRING(result->error_type, "ResourceNotFoundException");
    lambda_result_free(result);
}

static void client_context(void) {
    lambda_request *request = request_of("context", "{}");
    sees(request, "client_context=None\n");
    /* {"custom":{"k":"v"}} */
    CHECK_INT(lambda_request_set_client_context(request, "eyJjdXN0b20iOnsiayI6InYifX0="), LAMBDA_OK);
    sees(request, "client_context={\"custom\": {\"k\": \"v\"}}\n");
    CHECK_INT(lambda_request_set_client_context_json(request, "{\"env\": {\"lang\": \"\xc3\xa9\"}}"), LAMBDA_OK);
    sees(request, "client_context={\"env\": {\"lang\": \"\\u00e9\"}}\n");
    /* One field with two setters: the last one counts, and either unsets it. */
    CHECK_INT(lambda_request_set_client_context(request, "eyJjdXN0b20iOnsiayI6InYifX0="), LAMBDA_OK);
    sees(request, "client_context={\"custom\": {\"k\": \"v\"}}\n");
    CHECK_INT(lambda_request_set_client_context_json(request, NULL), LAMBDA_OK);
    sees(request, "client_context=None\n");
    lambda_request_free(request);
}

static void texts(void) {
    lambda_request *request = request_of("context", "{}");
    CHECK_INT(lambda_request_set_tenant_id(request, "blue  team, \"7\"; x=y"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_durable_execution_name(request, "order-4711"), LAMBDA_OK);
    CHECK_INT(
        lambda_request_set_trace_header(request, "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"), LAMBDA_OK);
    sees(request, "tenant_id=blue  team, \"7\"; x=y\n");
    sees(request, "durable_execution_name=order-4711\n");
    sees(request, "trace_header=Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1\n");
    CHECK_INT(lambda_request_set_tenant_id(request, NULL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_durable_execution_name(request, NULL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_trace_header(request, NULL), LAMBDA_OK);
    sees(request, "tenant_id=None\n");
    sees(request, "durable_execution_name=None\n");
    sees(request, "trace_header=None\n");
    lambda_request_free(request);
}

static void longest_values(void) {
    char tenant[257], name[65], qualifier[129];
    memset(tenant, 't', sizeof tenant - 1);
    memset(name, 'd', sizeof name - 1);
    memset(qualifier, 'q', sizeof qualifier - 1);
    tenant[sizeof tenant - 1] = name[sizeof name - 1] = qualifier[sizeof qualifier - 1] = '\0';
    lambda_request *request = request_of("wire", "{}");
    CHECK_INT(lambda_request_set_tenant_id(request, tenant), LAMBDA_OK);
    CHECK_INT(lambda_request_set_durable_execution_name(request, name), LAMBDA_OK);
    CHECK_INT(lambda_request_set_qualifier(request, qualifier), LAMBDA_OK);
    lambda_result *result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_CONTAINS(payload_text(result), tenant);
    CHECK_CONTAINS(payload_text(result), name);
    CHECK_CONTAINS(payload_text(result), qualifier);
    lambda_result_free(result);
}

static void on_the_wire(void) {
    lambda_request *request = request_of("wire", "{\"n\": 1}");
    CHECK_INT(lambda_request_set_qualifier(request, "a b/c?d&e=f+g\xc3\xa9$"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_log_type(request, LAMBDA_LOG_TYPE_TAIL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_tenant_id(request, "blue"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_durable_execution_name(request, "order"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_trace_header(request, "Root=1"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_client_context_json(request, "{}"), LAMBDA_OK);
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    const char *wire = payload_text(result);
    CHECK_CONTAINS(wire, "POST /2015-03-31/functions/wire/invocations?Qualifier=a%20b%2Fc%3Fd%26e%3Df%2Bg%C3%A9%24\n");
    CHECK_CONTAINS(wire, "\nx-amz-log-type: Tail\n");
    CHECK_CONTAINS(wire, "\nx-amz-tenant-id: blue\n");
    CHECK_CONTAINS(wire, "\nx-amz-durable-execution-name: order\n");
    CHECK_CONTAINS(wire, "\nx-amzn-trace-id: Root=1\n");
    CHECK_CONTAINS(wire, "\nx-amz-client-context: e30=\n");
    CHECK_CONTAINS(wire, "\nuser-agent: ");
    CHECK_CONTAINS(wire, "\n\n{\"n\": 1}");
    lambda_result_free(result);

    /* Unset again, nothing is left of them. */
    CHECK_INT(lambda_request_set_qualifier(request, NULL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_log_type(request, LAMBDA_LOG_TYPE_NONE), LAMBDA_OK);
    CHECK_INT(lambda_request_set_tenant_id(request, NULL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_durable_execution_name(request, NULL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_trace_header(request, NULL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_client_context(request, NULL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(request, NULL, 0), LAMBDA_OK);
    result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    wire = payload_text(result);
    CHECK_CONTAINS(wire, "/invocations?\n");
    CHECK(strstr(wire, "x-amz-log-type: Tail") == NULL);
    CHECK(strstr(wire, "x-amz-tenant-id") == NULL);
    CHECK(strstr(wire, "x-amz-durable-execution-name") == NULL);
    CHECK(strstr(wire, "x-amzn-trace-id") == NULL);
    CHECK(strstr(wire, "x-amz-client-context") == NULL);
    CHECK_CONTAINS(wire, "\ncontent-length: 0\n");
    lambda_result_free(result);
    lambda_request_free(request);
}

static void invocation_types(void) {
    static const struct {
        int32_t type, http_status, execution;
        const char *line;
    } types[] = {
        {LAMBDA_INVOCATION_EVENT, 202, LAMBDA_EXECUTION_QUEUED, "\nx-amz-invocation-type: Event\n"},
        {LAMBDA_INVOCATION_DRY_RUN, 204, LAMBDA_EXECUTION_NONE, "\nx-amz-invocation-type: DryRun\n"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        lambda_request *request = request_of("wire", "{\"event\": true}");
        CHECK_INT(lambda_request_set_invocation_type(request, types[i].type), LAMBDA_OK);
        lambda_result *result = invoke_once(client, request);
        CHECK_RESULT(result, LAMBDA_OK, types[i].execution);
        CHECK_INT(result->http_status, types[i].http_status);
        CHECK_INT(result->payload_len, 0);
        CHECK_INT(result->attempts, 1);
        CHECK_INT(result->unknown_attempts, 0);
        CHECK(result->request_id != NULL);
        lambda_result_free(result);
        result = invoke(client, "wire", "last");
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        CHECK_CONTAINS(payload_text(result), types[i].line);
        CHECK_CONTAINS(payload_text(result), "\n\n{\"event\": true}");
        lambda_result_free(result);
    }

    /* And back to the default; the handler's own endpoint knows the difference as well. */
    lambda_request *request = request_of("context", "{}");
    CHECK_INT(lambda_request_set_invocation_type(request, LAMBDA_INVOCATION_DRY_RUN), LAMBDA_OK);
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_NONE);
    lambda_result_free(result);
    CHECK_INT(lambda_request_set_invocation_type(request, LAMBDA_INVOCATION_REQUEST_RESPONSE), LAMBDA_OK);
    sees(request, "payload={}\n");
    lambda_request_free(request);

    /* Only a RequestResponse can return a log. */
    static const int32_t without_log[] = {LAMBDA_INVOCATION_EVENT, LAMBDA_INVOCATION_DRY_RUN};
    for (size_t i = 0; i < 2; i++) {
        request = request_of("wire", "{}");
        CHECK_INT(lambda_request_set_invocation_type(request, without_log[i]), LAMBDA_OK);
        CHECK_INT(lambda_request_set_log_type(request, LAMBDA_LOG_TYPE_TAIL), LAMBDA_OK);
        result = invoke_once(client, request);
        CHECK_RESULT(result, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE);
        CHECK_CONTAINS(result->error_message, "log_type");
        CHECK_INT(result->attempts, 0);
        lambda_result_free(result);
    }
}

static void clones_and_reuse(void) {
    lambda_request *request = request_of("context", "first");
    CHECK_INT(lambda_request_set_tenant_id(request, "blue"), LAMBDA_OK);
    lambda_request *clone = lambda_request_clone(request);
    CHECK_INT(lambda_request_set_tenant_id(request, "red"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(request, "second", 6), LAMBDA_OK);
    sees(clone, "tenant_id=blue\n");
    sees(clone, "payload=first\n");
    sees(request, "tenant_id=red\n");
    sees(request, "payload=second\n");
    lambda_request_free(request);
    sees(clone, "payload=first\n");

    /* The values were copied, so the caller may change them at once. */
    char name[] = "context", payload[] = "third";
    CHECK_INT(lambda_request_set_function_name(clone, name), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(clone, payload, 5), LAMBDA_OK);
    memset(name, 'x', sizeof name - 1);
    memset(payload, 'x', sizeof payload - 1);
    sees(clone, "payload=third\n");
    lambda_request_free(clone);
}

int main(void) {
    client = default_client();
    names_and_qualifiers();
    client_context();
    texts();
    longest_values();
    on_the_wire();
    invocation_types();
    clones_and_reuse();
    lambda_client_free(client);
    return check_done();
}
