/* pthread_cancel of a thread inside lambda_invoke takes effect when the call has returned, not before. */

#include <pthread.h>

#include "call.h"

static atomic_int asked, freed;

static int32_t note_that_it_waits(void *user_data) {
    (void)user_data;
    atomic_fetch_add(&asked, 1);
    return 0;
}

static void free_result(void *slot) {
    lambda_result *result = *(lambda_result **)slot;
    CHECK(result != NULL);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "0.5");
    lambda_result_free(result);
    atomic_fetch_add(&freed, 1);
}

static void *call(void *client) {
    lambda_result *result = NULL;
    lambda_request *request = request_of("slow", "0.5");
    CHECK_INT(lambda_request_set_interrupt(request, note_that_it_waits, NULL), LAMBDA_OK);
    pthread_cleanup_push(free_result, &result);
    result = lambda_invoke(client, request);
    lambda_request_free(request);
    int state, type;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    CHECK_INT(state, PTHREAD_CANCEL_ENABLE);
    CHECK_INT(type, PTHREAD_CANCEL_DEFERRED);
    pthread_testcancel();
    check_failed(__FILE__, __LINE__, "the thread was not cancelled");
    pthread_cleanup_pop(0);
    return NULL;
}

/* If the caller has disabled cancellation, it is still disabled after the call. */
static void *disabled(void *client) {
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    CHECK_INT(state, PTHREAD_CANCEL_DISABLE);
    return NULL;
}

int main(void) {
    lambda_client *client = default_client();
    for (int i = 0; i < check_rounds(3, 1); i++) {
        pthread_t thread;
        atomic_store(&asked, 0);
        CHECK_INT(pthread_create(&thread, NULL, call, client), 0);
        /* The second time that it is polled, its request is under way. */
        while (atomic_load(&asked) < 2) {
            sleep_ms(1);
        }
        CHECK_INT(pthread_cancel(thread), 0);
        void *status = NULL;
        CHECK_INT(pthread_join(thread, &status), 0);
        CHECK(status == PTHREAD_CANCELED);
        CHECK_INT(atomic_load(&freed), i + 1);
    }
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, disabled, client), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);

    /* The client still works. */
    lambda_result *result = invoke(client, "echo", "after");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    lambda_client_free(client);
    return check_done();
}
