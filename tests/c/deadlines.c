/* Deadlines: of the client and of the request, and what they cut short. */

#include <pthread.h>

#include "script.h"

/* Long enough for a slow tool to get its request sent. */
static uint64_t deadline(uint64_t ms) {
    return check_light() ? ms * 5 : ms;
}

static lambda_client *client_with_timeout(uint64_t ms) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_timeout_ms(config, deadline(ms)), LAMBDA_OK);
    return client_of(config);
}

static void ends_after(const lambda_result *result, uint64_t ms) {
    CHECK_AT_LEAST(result->duration_us, deadline(ms) * 1000);
    CHECK_AT_MOST(result->duration_us, within_ms(ms + 200) * 1000);
    CHECK_CONTAINS(result->error_message, "deadline");
}

static void while_the_function_runs(void) {
    lambda_client *client = client_with_timeout(300);
    lambda_request *request = request_of("slow", "5");
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_INT(result->attempts, 1);
    CHECK_INT(result->unknown_attempts, 1);
    CHECK_INT(result->http_status, 0);
    ends_after(result, 300);
    lambda_result_free(result);

    /* The request's deadline takes precedence over the client's, shorter or longer; 0 restores the client's. */
    CHECK_INT(lambda_request_set_timeout_ms(request, deadline(100)), LAMBDA_OK);
    result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN);
    ends_after(result, 100);
    lambda_result_free(result);
    CHECK_INT(lambda_request_set_timeout_ms(request, 0), LAMBDA_OK);
    result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN);
    ends_after(result, 300);
    lambda_result_free(result);
    CHECK_INT(lambda_request_set_payload(request, "0.5", 3), LAMBDA_OK);
    CHECK_INT(lambda_request_set_timeout_ms(request, 20000), LAMBDA_OK);
    result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    /* As long as a number can say. */
    CHECK_INT(lambda_request_set_timeout_ms(request, UINT64_MAX), LAMBDA_OK);
    result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);

    /* A deadline does not tell whether the function ran, and leaves no time for a retry under RETRY_ALWAYS either. */
    CHECK_INT(lambda_request_set_timeout_ms(request, deadline(100)), LAMBDA_OK);
    CHECK_INT(lambda_request_set_retry(request, LAMBDA_RETRY_ALWAYS), LAMBDA_OK);
    result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_INT(result->attempts, 1);
    lambda_result_free(result);
    lambda_client_free(client);
}

static void in_the_middle_of_the_answer(void) {
    lambda_client *client = client_with_timeout(800);
    lambda_result *result = invoke_once(
        client, script_of("half",
                    "send HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\nx-amzn-RequestId: r-1\\r\\n\\r\\nhalf\nwait"));
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->http_status, 200);
    CHECK_STRING(result->request_id, "r-1");
    CHECK_INT(result->attempts, 1);
    CHECK_INT(result->unknown_attempts, 0);
    ends_after(result, 800);
    lambda_result_free(result);

    result = invoke_once(client, script_of("half a head", "send HTTP/1.1 200 OK\\r\\nContent-\nwait"));
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_INT(result->http_status, 0);
    CHECK_INT(result->unknown_attempts, 1);
    ends_after(result, 800);
    lambda_result_free(result);

    result = invoke_once(client,
        script_of("failed",
            "send HTTP/1.1 200 OK\\r\\nX-Amz-Function-Error: Unhandled\\r\\nContent-Length: 9\\r\\n\\r\\n{\nwait"));
    CHECK_RESULT(result, LAMBDA_FUNCTION_ERROR, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(result->function_error, "Unhandled");
    lambda_result_free(result);

    result = invoke_once(client, script_of("refused", "send HTTP/1.1 404 X\\r\\nContent-Length: 9\\r\\n\\r\\n{\nwait"));
    /* The code did not arrive, and it may be one after which the function may have run. */
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_INT(result->http_status, 404);
    ends_after(result, 800);
    lambda_result_free(result);

    result = invoke_once(client,
        script_of("named",
            "send HTTP/1.1 404 X\\r\\nx-amzn-ErrorType: ResourceNotFoundException\\r\\nContent-Length: 9\\r\\n\\r\\n{\nwait"));
    CHECK_RESULT(result, LAMBDA_E_SERVICE, LAMBDA_EXECUTION_NONE);
    CHECK_STRING(result->error_type, "ResourceNotFoundException");
    lambda_result_free(result);

    /* The event was accepted: nothing that follows the head of a 202 counts. */
    result = invoke_once(client, script_of("taken", "send HTTP/1.1 202 X\\r\\nContent-Length: 9\\r\\n\\r\\n{\nwait"));
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_QUEUED);
    lambda_result_free(result);
    lambda_client_free(client);
}

/* A deadline during the second attempt: the execution of the first one is kept. */
static void over_several_attempts(void) {
    lambda_client *client = client_with_timeout(1000);
    lambda_request *request = script_of("twice", "reset\nthen\nwait");
    CHECK_INT(lambda_request_set_retry(request, LAMBDA_RETRY_ALWAYS), LAMBDA_OK);
    lambda_result *result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_INT(result->attempts, 2);
    CHECK_INT(result->unknown_attempts, 2);
    ends_after(result, 1000);
    lambda_result_free(result);
    lambda_client_free(client);
}

static atomic_int under_way;

static int32_t note_that_it_waits(void *user_data) {
    (void)user_data;
    atomic_fetch_add(&under_way, 1);
    return 0;
}

static void *occupy(void *client) {
    lambda_request *request = request_of("slow", "1");
    CHECK_INT(lambda_request_set_interrupt(request, note_that_it_waits, NULL), LAMBDA_OK);
    CHECK_INT(lambda_request_set_timeout_ms(request, 20000), LAMBDA_OK);
    lambda_result *result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    return NULL;
}

static void waiting_for_a_turn(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, 1), LAMBDA_OK);
    lambda_client *client = client_of(config);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, occupy, client), 0);
    /* Polled before the call begins, and again while it waits: from then on the only permit is taken. */
    while (atomic_load(&under_way) < 2) {
        sleep_ms(1);
    }
    lambda_request *request = request_of("counter", "{}");
    CHECK_INT(lambda_request_set_timeout_ms(request, deadline(100)), LAMBDA_OK);
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 0);
    CHECK_INT(result->unknown_attempts, 0);
    ends_after(result, 100);
    lambda_result_free(result);
    CHECK_INT(pthread_join(thread, NULL), 0);

    /* The permit is free again, and the call that gave up was never sent. */
    CHECK_INT(lambda_request_set_timeout_ms(request, 0), LAMBDA_OK);
    result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "0");
    lambda_result_free(result);
    lambda_client_free(client);
}

int main(void) {
    while_the_function_runs();
    in_the_middle_of_the_answer();
    over_several_attempts();
    waiting_for_a_turn();
    return check_done();
}
