/* Many threads with one client and one request; and what is left when they are done: nothing. */

#include <pthread.h>

#include "call.h"
#include "process.h"

enum { THREADS = 8 };

static lambda_client *client;
static lambda_request *shared_request;
static int calls;

static void *call(void *number) {
    for (int i = 0; i < calls; i++) {
        /* The one request that all share, and in between one of its own, so that mixed-up responses would show. */
        lambda_result *result = lambda_invoke(client, shared_request);
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        CHECK_STRING(payload_text(result), "shared");
        lambda_result_free(result);
        char text[64];
        snprintf(text, sizeof text, "thread %d, call %d", *(int *)number, i);
        result = invoke(client, "wire", text);
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        const char *body = strstr(payload_text(result), "\n\n");
        CHECK_STRING(body == NULL ? NULL : body + 2, text);
        lambda_result_free(result);
    }
    return NULL;
}

static void *own_client(void *number) {
    (void)number;
    for (int i = 0; i < calls / 10 + 1; i++) {
        lambda_client *own = default_client();
        lambda_result *result = invoke(own, "wire", "x");
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        lambda_client_free(own);
        lambda_result_free(result);
    }
    return NULL;
}

static void in_threads(void *(*work)(void *)) {
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK_INT(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
}

int main(void) {
    calls = check_rounds(200, 3);
    int descriptors = count_descriptors();
    CHECK_INT(count_threads(), 1);

    /* A client costs no descriptor and no thread until its first call. */
    client = default_client();
    CHECK_INT(count_descriptors(), descriptors);
    CHECK_INT(count_threads(), 1);

    shared_request = request_of("wire", "shared");
    lambda_result *result = lambda_invoke(client, shared_request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    lambda_request_free(shared_request);
    CHECK_INT(count_threads(), 1);

    shared_request = request_of("echo", "shared");
    in_threads(call);
    /* What is kept for later calls is bounded: a worker has four descriptors. */
    CHECK_AT_MOST(count_descriptors(), descriptors + 4 * THREADS);
    in_threads(own_client);
    CHECK_INT(count_threads(), 1);
    lambda_request_free(shared_request);
    lambda_client_free(client);
    CHECK_INT(count_descriptors(), descriptors);
    CHECK_INT(count_threads(), 1);
    return check_done();
}
