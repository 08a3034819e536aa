/* Errors of the service: code, message, reason, and what the caller can do about them. */

#include "script.h"

static lambda_client *client;

static void not_found(void) {
    lambda_result *result = invoke(client, "no-such-function", "{}");
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->http_status, 404);
    CHECK_INT(result->attempts, 1);
    CHECK_STRING(result->error_type, "ResourceNotFoundException");
    CHECK_CONTAINS(result->error_message, "no-such-function");
    CHECK(result->request_id != NULL);
    CHECK_STRING(result->function_error, NULL);
    CHECK_STRING(result->throttle_reason, NULL);
    lambda_result_free(result);
}

static void throttled(void) {
    lambda_request *request = request_of("full", "{}");
    CHECK_INT(lambda_request_set_retry(request, LAMBDA_RETRY_NONE), LAMBDA_OK);
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_E_THROTTLED, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->http_status, 429);
    CHECK_INT(result->attempts, 1);
    CHECK_STRING(result->error_type, "TooManyRequestsException");
    CHECK_STRING(result->error_message, "full: Rate Exceeded.");
    CHECK_STRING(result->throttle_reason, "ReservedFunctionConcurrentInvocationLimitExceeded");
    CHECK_INT(result->retry_after_ms, 1000);
    lambda_result_free(result);

    /* The service's own wait is the least between two attempts; a wait beyond the deadline is not begun. */
    CHECK_INT(lambda_request_set_retry(request, LAMBDA_RETRY_SAFE), LAMBDA_OK);
    CHECK_INT(lambda_request_set_timeout_ms(request, within_ms(1900)), LAMBDA_OK);
    result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_E_THROTTLED, LAMBDA_EXECUTION_NONE);
    if (!check_light()) {
        CHECK_INT(result->attempts, 2);
        CHECK_AT_LEAST(result->duration_us, 1000000);
        CHECK_AT_MOST(result->duration_us, 1900000);
    }
    lambda_result_free(result);
    CHECK_INT(lambda_request_set_timeout_ms(request, 500), LAMBDA_OK);
    result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_E_THROTTLED, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 1);
    CHECK_AT_MOST(result->duration_us, within_ms(400) * 1000);
    lambda_result_free(result);

    /* The library does not wait for more than 20 s. */
    result = invoke_once(client, script_of("long", "answer 429 Retry-After=21"));
    CHECK_RESULT(result, LAMBDA_E_THROTTLED, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 1);
    CHECK_INT(result->retry_after_ms, 21000);
    lambda_result_free(result);
    result = invoke_once(client, script_of("date", "answer 503 Retry-After=Fri,~31~Dec~9999~23:59:59~GMT busy"));
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_AT_LEAST(result->retry_after_ms, UINT64_C(1000) * 86400 * 365 * 1000);
    lambda_result_free(result);

    /* The body has the wait too; the header takes precedence. */
    request =
        script_of("in the body", "answer 429 - {\"retryAfterSeconds\":\"7\",\"Reason\":\"CallerRateLimitExceeded\"}");
    CHECK_INT(lambda_request_set_retry(request, LAMBDA_RETRY_NONE), LAMBDA_OK);
    result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_E_THROTTLED, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->retry_after_ms, 7000);
    CHECK_STRING(result->throttle_reason, "CallerRateLimitExceeded");
    lambda_result_free(result);
}

static void payload_too_large(void) {
    size_t length = 7 * 1024 * 1024;
    char *payload = malloc(length);
    memset(payload, ' ', length);
    lambda_request *request = lambda_request_new();
    CHECK_INT(lambda_request_set_function_name(request, "echo"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(request, payload, length), LAMBDA_OK);
    free(payload);
    lambda_result *result = invoke_once(client, request);
    /* The refusal arrives while the payload is still being sent: it is read, or lost with the broken connection. */
    if (result->status == LAMBDA_E_SERVICE) {
        CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
        CHECK_INT(result->http_status, 413);
        CHECK_STRING(result->error_type, "RequestTooLargeException");
    } else {
        CHECK_RESULT(result, LAMBDA_E_IO, LAMBDA_EXECUTION_UNKNOWN);
        CHECK_CONTAINS(result->error_message, "7340032");
        CHECK_CONTAINS(result->error_message, "6 MB");
    }
    CHECK_INT(result->attempts, 1);
    lambda_result_free(result);
}

static void wrong_secret(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, "local", "quite-another-secret", NULL), LAMBDA_OK);
    lambda_client *stranger = client_of(config);
    lambda_result *result = invoke(stranger, "echo", "{}");
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->http_status, 403);
    CHECK_INT(result->attempts, 1);
    CHECK_STRING(result->error_type, "InvalidSignatureException");
    CHECK(strstr(result->error_message, "quite-another-secret") == NULL);
    lambda_result_free(result);
    lambda_client_free(stranger);

    config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, "somebody", "quite-another-secret", "t0ken"), LAMBDA_OK);
    stranger = client_of(config);
    result = invoke(stranger, "echo", "{}");
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->http_status, 403);
    lambda_result_free(result);
    lambda_client_free(stranger);

    /* If a server repeats the request, no secret gets into a message. */
    config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials(config, "local", "local-secret", NULL), LAMBDA_OK);
    stranger = client_of(config);
    result = invoke_once(stranger, script_of("secret", "answer 403 - {\"message\":\"you sent local-secret\"}"));
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_CONTAINS(result->error_message, "you sent ");
    CHECK(strstr(result->error_message, "local-secret") == NULL);
    lambda_result_free(result);
    lambda_client_free(stranger);
}

static void wrong_clock(void) {
    /* A server whose clock is far from this one's: the second attempt is signed with the server's time, which the
     * endpoint, whose clock is correct, then refuses as well. There is no third attempt. */
    lambda_client *misled = default_client();
    lambda_result *result = invoke_once(misled,
        script_of("clock", "answer 403 x-amzn-ErrorType=InvalidSignatureException|Date=Thu,~01~Jan~2099~00:00:00~GMT "
                           "{\"message\":\"Signature not yet current\"}"));
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_STRING(result->error_type, "InvalidSignatureException");
    CHECK_INT(result->attempts, 2);
    CHECK_INT(result->unknown_attempts, 0);
    lambda_result_free(result);
    lambda_client_free(misled);
}

static void bodies(void) {
    static const struct {
        const char *answer, *type, *message;
    } errors[] = {
        {"- {\"message\":\"m\"}", NULL, "m"},
        {"- {\"Message\":\"m\"}", NULL, "m"},
        {"x-amzn-ErrorType=Code {\"message\":\"m\"}", "Code", "m"},
        {"x-amzn-ErrorType=com.amazon#Code:http://internal/ {\"Message\":\"m\"}", "Code", "m"},
        {"- {\"__type\":\"com.amazon#Code\",\"message\":\"m\"}", "Code", "m"},
        {"- {\"code\":\"Code\",\"message\":\"m\"}", "Code", "m"},
        {"x-amzn-ErrorType=Header {\"__type\":\"Body\",\"message\":\"m\"}", "Header", "m"},
        {"Content-Type=text/xml <ErrorResponse><Error><Code>Code</Code><Message>m</Message></Error></ErrorResponse>",
            "Code", "m"},
        {"Content-Type=text/plain just words", NULL, "just words"},
        {"Content-Type=text/html <html><body>Bad &nbsp; gateway</body>", NULL, NULL},
        {"- {\"message\":\"a\\u0000b\"}", NULL,
            "a\xef\xbf\xbd"
            "b"},
        {"- {\"message\":7}", NULL, NULL},
        {"- {", NULL, NULL},
        {"- []", NULL, NULL},
        {"-", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        char script[512], tenant[32];
        snprintf(script, sizeof script, "answer 418 %s", errors[i].answer);
        snprintf(tenant, sizeof tenant, "body %zu", i);
        lambda_result *result = invoke_once(client, script_of(tenant, script));
        CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
        CHECK_STRING(result->error_type, errors[i].type);
        if (errors[i].message != NULL) {
            char message[64];
            snprintf(message, sizeof message, "script: %s", errors[i].message);
            CHECK_STRING(result->error_message, message);
        }
        CHECK(result->error_message != NULL && *result->error_message != '\0');
        CHECK_INT(result->http_status, 418);
        lambda_result_free(result);
    }
    /* A message that never ends is cut, not waited for; a code may stand behind the cut. */
    lambda_result *result = invoke_once(client,
        script_of("endless", "send HTTP/1.1 418 X\\r\\nContent-Length: 30000000\\r\\n\\r\\n\npad 3000000\nwait"));
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_AT_MOST(strlen(result->error_message), 4096);
    lambda_result_free(result);
}

int main(void) {
    client = default_client();
    not_found();
    throttled();
    payload_too_large();
    wrong_secret();
    wrong_clock();
    bodies();
    lambda_client_free(client);
    return check_done();
}
