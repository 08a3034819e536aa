/* Copies of results: of a real one, of one filled in by hand, of none. */

#include "script.h"

static void of_a_real_one(void) {
    lambda_client *client = default_client();
    lambda_request *request =
        script_of("clone", "answer 200 X-Amz-Function-Error=Unhandled|X-Amz-Log-Result=YQBi|X-Amz-Executed-Version=3|"
                           "X-Amz-Durable-Execution-Arn=arn:x|x-amzn-RequestId=r-1|Content-Type=text/x|Retry-After=3 "
                           "{\"errorType\":\"T\",\"errorMessage\":\"M\"}");
    lambda_result *result = invoke_once(client, request);
    lambda_client_free(client);
    lambda_result expected = *result;
    lambda_result *copy = lambda_result_clone(result);
    CHECK(copy != result);
    CHECK(copy->payload != result->payload && copy->log != result->log);
    CHECK(copy->error_message != result->error_message && copy->request_id != result->request_id);
    lambda_result_free(result);

    CHECK_RESULT(copy, LAMBDA_FUNCTION_ERROR, LAMBDA_EXECUTION_RAN);
    CHECK_INT(copy->http_status, 200);
    CHECK_INT(copy->attempts, 1);
    CHECK_INT(copy->unknown_attempts, 0);
    CHECK_INT(copy->retry_after_ms, expected.retry_after_ms);
    CHECK_INT(copy->duration_us, expected.duration_us);
    CHECK_STRING(payload_text(copy), "{\"errorType\":\"T\",\"errorMessage\":\"M\"}");
    CHECK_INT(copy->log_len, 3);
    CHECK(memcmp(copy->log, "a\0b", 4) == 0);
    CHECK_STRING(copy->function_error, "Unhandled");
    CHECK_STRING(copy->error_type, "T");
    CHECK_STRING(copy->error_message, "M");
    CHECK_STRING(copy->throttle_reason, NULL);
    CHECK_STRING(copy->request_id, "r-1");
    CHECK_STRING(copy->executed_version, "3");
    CHECK_STRING(copy->durable_execution_arn, "arn:x");
    CHECK_STRING(copy->content_type, "text/x");
    lambda_result *second = lambda_result_clone(copy);
    lambda_result_free(copy);
    CHECK_STRING(second->error_message, "M");
    lambda_result_free(second);
}

static void of_a_handmade_one(void) {
    lambda_result made;
    memset(&made, 0, sizeof made);
    lambda_result *copy = lambda_result_clone(&made);
    CHECK_INT(copy->status, LAMBDA_OK);
    CHECK_INT(copy->execution, LAMBDA_EXECUTION_UNKNOWN);
    CHECK(copy->payload != NULL && copy->payload_len == 0 && copy->payload[0] == 0);
    CHECK(copy->log == NULL && copy->error_message == NULL && copy->request_id == NULL);
    lambda_result_free(copy);

    uint8_t payload[3] = {'a', 0, 'b'};
    char log[2] = {'l', 'g'}, message[] = "slow down", reason[] = "why";
    made.status = LAMBDA_E_THROTTLED;
    made.execution = LAMBDA_EXECUTION_NONE;
    made.http_status = 429;
    made.attempts = 3;
    made.payload = payload;
    made.payload_len = sizeof payload;
    made.log = log;
    made.log_len = sizeof log;
    made.error_message = message;
    made.throttle_reason = reason;
    made.retry_after_ms = 1234;
    made.duration_us = 5678;
    made.tag = 0x123456789abcdef0;
    made.unknown_attempts = 2;
    copy = lambda_result_clone(&made);
    memset(payload, 'x', sizeof payload);
    memset(log, 'x', sizeof log);
    memset(message, 'x', sizeof message - 1);
    memset(reason, 'x', sizeof reason - 1);
    CHECK_INT(copy->status, LAMBDA_E_THROTTLED);
    CHECK_INT(copy->execution, LAMBDA_EXECUTION_NONE);
    CHECK_INT(copy->http_status, 429);
    CHECK_INT(copy->attempts, 3);
    CHECK_INT(copy->payload_len, 3);
    CHECK(memcmp(copy->payload, "a\0b", 4) == 0);
    CHECK_INT(copy->log_len, 2);
    CHECK_STRING(copy->log, "lg");
    CHECK_STRING(copy->error_message, "slow down");
    CHECK_STRING(copy->throttle_reason, "why");
    CHECK_INT(copy->retry_after_ms, 1234);
    CHECK_INT(copy->duration_us, 5678);
    CHECK_INT(copy->tag, 0x123456789abcdef0);
    CHECK_INT(copy->unknown_attempts, 2);
    CHECK_STRING(copy->request_id, NULL);
    lambda_result_free(copy);
}

static void of_none(void) {
    lambda_result *result = lambda_result_clone(NULL);
    CHECK_RESULT(result, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE);
    CHECK(result->error_message != NULL);
    lambda_result_free(result);
}

int main(void) {
    of_a_real_one();
    of_a_handmade_one();
    of_none();
    return check_done();
}
