/* Everything in a response arrives in the result, complete and in its field. */

#include "script.h"

static lambda_client *client;

static lambda_request *bytes_of(const char *function, const void *data, size_t length) {
    lambda_request *request = lambda_request_new();
    CHECK_INT(lambda_request_set_function_name(request, function), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(request, data, length), LAMBDA_OK);
    return request;
}

static void echoes(const void *data, size_t length) {
    lambda_result *result = invoke_once(client, bytes_of("echo", data, length));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->payload_len, length);
    CHECK(length == 0 || result->payload_len != length || memcmp(result->payload, data, length) == 0);
    lambda_result_free(result);
}

static void payloads(void) {
    uint8_t every_byte[256];
    for (size_t i = 0; i < sizeof every_byte; i++) {
        every_byte[i] = (uint8_t)i;
    }
    echoes(every_byte, sizeof every_byte);
    echoes("", 0);
    echoes(NULL, 0);
    echoes("\0", 1);
    echoes("\0\0\0", 3);
    echoes("{}", 2);

    size_t six_mb = 6 * 1024 * 1024;
    uint8_t *large = malloc(six_mb);
    for (size_t i = 0; i < six_mb; i++) {
        large[i] = (uint8_t)(i * 7 + i / 251);
    }
    echoes(large, six_mb);
    echoes(large, 65536);
    echoes(large, 65537);
    free(large);
}

static void members(void) {
    lambda_request *request = request_of("context", "{}");
    CHECK_INT(lambda_request_set_qualifier(request, "live"), LAMBDA_OK);
    lambda_result *result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->http_status, 200);
    CHECK_INT(result->attempts, 1);
    CHECK_INT(result->unknown_attempts, 0);
    CHECK_STRING(result->error_message, NULL);
    CHECK_STRING(result->error_type, NULL);
    CHECK_STRING(result->function_error, NULL);
    CHECK_STRING(result->throttle_reason, NULL);
    CHECK_STRING(result->durable_execution_arn, NULL);
    CHECK_STRING(result->executed_version, "2");
    CHECK_STRING(result->content_type, "application/octet-stream");
    CHECK(result->log == NULL);
    CHECK_INT(result->log_len, 0);
    CHECK_INT(result->retry_after_ms, 0);
    CHECK_AT_LEAST(result->duration_us, 1);
    char line[128];
    snprintf(line, sizeof line, "request_id=%s\n", check_show(result->request_id));
    CHECK_CONTAINS(payload_text(result), line);
    lambda_result_free(result);

    /* The duration is the caller's own. */
    uint64_t before = now_ms();
    result = invoke(client, "slow", "0.2");
    uint64_t taken = now_ms() - before;
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(result->content_type, "application/json");
    CHECK_AT_LEAST(result->duration_us, 200000);
    CHECK_AT_MOST(result->duration_us, (taken + 1) * 1000);
    lambda_result_free(result);

    result = invoke_once(
        client, script_of("durable", "answer 200 X-Amz-Durable-Execution-Arn=arn:aws:lambda:x|X-Amz-Executed-Version=7|"
                                     "Content-Type=text/plain;charset=utf-8|x-amzn-RequestId=r-1 1"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(result->durable_execution_arn, "arn:aws:lambda:x");
    CHECK_STRING(result->executed_version, "7");
    CHECK_STRING(result->content_type, "text/plain;charset=utf-8");
    CHECK_STRING(result->request_id, "r-1");
    lambda_result_free(result);

    result = invoke_once(
        client, script_of("bare", "send HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 1\\r\\n\\r\\n1"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "1");
    CHECK_STRING(result->request_id, NULL);
    CHECK_STRING(result->executed_version, NULL);
    CHECK_STRING(result->content_type, NULL);
    lambda_result_free(result);

    /* Chunked, and until the end of the connection: both are HTTP's own ways to end a body. */
    result = invoke_once(client,
        script_of("chunked", "send HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
                             "2\\r\\nab\\r\\n3\\r\\ncde\\r\\n0\\r\\n\\r\\n"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "abcde");
    lambda_result_free(result);
    result = invoke_once(client, script_of("until the end", "send HTTP/1.1 200 OK\\r\\n\\r\\nabc\nclose"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "abc");
    lambda_result_free(result);
}

static void logs(void) {
    lambda_request *request = request_of("printing", "{\"text\": \"h\\u00e9llo\"}");
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK(result->log == NULL);
    lambda_result_free(result);
    CHECK_INT(lambda_request_set_log_type(request, LAMBDA_LOG_TYPE_TAIL), LAMBDA_OK);
    result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "\"printed\"");
    CHECK_CONTAINS(result->log, "h\xc3\xa9llo\n");
    CHECK_CONTAINS(result->log, "START RequestId: ");
    CHECK(result->log != NULL && result->log_len == strlen(result->log));
    lambda_result_free(result);

    /* Bytes, not a string: NULs and invalid UTF-8 are kept. */
    result = invoke_once(client, script_of("bytes", "answer 200 X-Amz-Log-Result=YQBi/w== 1"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->log_len, 4);
    CHECK(result->log != NULL && memcmp(result->log, "a\0b\xff", 5) == 0);
    lambda_result_free(result);
    result = invoke_once(client, script_of("empty log", "answer 200 X-Amz-Log-Result= 1"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK(result->log != NULL && result->log_len == 0 && result->log[0] == '\0');
    lambda_result_free(result);
    result = invoke_once(client, script_of("no base64", "answer 200 X-Amz-Log-Result=%%% 1"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK(result->log == NULL);
    lambda_result_free(result);
}

static void function_errors(void) {
    lambda_request *request = request_of("failing", "{\"message\": \"no \\\"bolts\\\" left\"}");
    CHECK_INT(lambda_request_set_log_type(request, LAMBDA_LOG_TYPE_TAIL), LAMBDA_OK);
    lambda_result *result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_FUNCTION_ERROR, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->http_status, 200);
    CHECK_INT(result->attempts, 1);
    CHECK_STRING(result->function_error, "Unhandled");
    CHECK_STRING(result->error_type, "OutOfStock");
    CHECK_STRING(result->error_message, "no \"bolts\" left");
    CHECK_CONTAINS(payload_text(result), "\"errorMessage\"");
    CHECK_CONTAINS(payload_text(result), "\"stackTrace\"");
    CHECK_CONTAINS(result->log, "about to fail\n");
    lambda_result_free(result);

    /* A string of C cannot hold a NUL; the payload can. */
    result = invoke(client, "failing", "{\"message\": \"a\\u0000b\"}");
    CHECK_RESULT(result, LAMBDA_FUNCTION_ERROR, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(result->error_message, "a\xef\xbf\xbd"
                                        "b");
    lambda_result_free(result);

    static const struct {
        const char *body, *type, *message;
    } odd[] = {
        {"{\"errorType\":\"X\",\"errorMessage\":\"m\"}", "X", "m"},
        {"{\"errorMessage\":\"m\"}", NULL, "m"},
        {"{\"errorType\":7,\"errorMessage\":null}", NULL, NULL},
        {"[1]", NULL, NULL},
        {"not JSON", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char script[256], tenant[32];
        snprintf(script, sizeof script, "answer 200 X-Amz-Function-Error=Handled %s", odd[i].body);
        snprintf(tenant, sizeof tenant, "odd %zu", i);
        result = invoke_once(client, script_of(tenant, script));
        CHECK_RESULT(result, LAMBDA_FUNCTION_ERROR, LAMBDA_EXECUTION_RAN);
        CHECK_STRING(result->function_error, "Handled");
        CHECK_STRING(result->error_type, odd[i].type);
        CHECK(result->error_message != NULL && *result->error_message != '\0');
        if (odd[i].message != NULL) {
            CHECK_STRING(result->error_message, odd[i].message);
        }
        CHECK_STRING(payload_text(result), odd[i].body);
        lambda_result_free(result);
    }
}

static void too_large(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_response_bytes(config, 1000), LAMBDA_OK);
    lambda_client *limited = client_of(config);
    static const struct {
        const char *script;
        lambda_status status;
    } answers[] = {
        {"send HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 1000\\r\\n\\r\\n\npad 1000", LAMBDA_OK},
        {"send HTTP/1.1 200 OK\\r\\nContent-Length: 1001\\r\\n\\r\\n\npad 1001", LAMBDA_E_TOO_LARGE},
        {"send HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3e8\\r\\n\npad 1000\nsend \\r\\n0\\r\\n\\r\\n",
            LAMBDA_OK},
        {"send HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n3e9\\r\\n\npad 1001\nsend \\r\\n0\\r\\n\\r\\n",
            LAMBDA_E_TOO_LARGE},
        {"send HTTP/1.1 200 OK\\r\\n\\r\\n\npad 200000", LAMBDA_E_TOO_LARGE},
        /* No memory is reserved for bytes that are only announced. */
        {"send HTTP/1.1 200 OK\\r\\nContent-Length: 9223372036854775807\\r\\n\\r\\nabc\nclose", LAMBDA_E_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        char tenant[32];
        snprintf(tenant, sizeof tenant, "size %zu", i);
        lambda_result *result = invoke_once(limited, script_of(tenant, answers[i].script));
        CHECK_RESULT(result, answers[i].status, LAMBDA_EXECUTION_RAN);
        CHECK_INT(result->http_status, 200);
        CHECK_INT(result->attempts, 1);
        CHECK_INT(result->payload_len, answers[i].status == LAMBDA_OK ? 1000 : 0);
        if (answers[i].status != LAMBDA_OK) {
            CHECK_CONTAINS(result->error_message, "1000");
        }
        lambda_result_free(result);
    }
    lambda_client_free(limited);

    /* Without a limit there is still no memory for a length that no server could send. */
    config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_response_bytes(config, UINT64_MAX), LAMBDA_OK);
    limited = client_of(config);
    lambda_result *huge = invoke_once(limited,
        script_of("huge", "send HTTP/1.1 200 OK\\r\\nContent-Length: 9223372036854775807\\r\\n\\r\\nabc\nclose"));
    CHECK(huge->status == LAMBDA_E_NO_MEMORY || huge->status == LAMBDA_E_IO);
    CHECK_INT(huge->execution, LAMBDA_EXECUTION_RAN);
    CHECK_INT(huge->http_status, 200);
    lambda_result_free(huge);
    /* The client still works. */
    lambda_result *result = invoke(limited, "echo", "fits");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "fits");
    lambda_result_free(result);
    lambda_client_free(limited);
}

int main(void) {
    client = default_client();
    payloads();
    members();
    logs();
    function_errors();
    too_large();
    lambda_client_free(client);
    return check_done();
}
