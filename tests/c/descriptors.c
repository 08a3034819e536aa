/* Fewer descriptors than calls: a call that gets none waits for a permit, and all succeed. */

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "call.h"
#include "process.h"

enum { THREADS = 16 };

static int calls;

static void *call(void *client) {
    for (int i = 0; i < calls; i++) {
        lambda_result *result = invoke(client, "slow", "0.02");
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        CHECK_STRING(payload_text(result), "0.02");
        CHECK_INT(result->attempts, 1);
        lambda_result_free(result);
    }
    return NULL;
}

static void all_succeed(lambda_client *client) {
    int before = count_descriptors();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, call, client), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    lambda_client_free(client);
    CHECK_INT(count_descriptors(), before);
}

static lambda_client *client_with(uint32_t max_connections) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, max_connections), LAMBDA_OK);
    return client_of(config);
}

/* No descriptor is left, and no other call will close any. */
static void none_at_all(void) {
    lambda_client *client = default_client();
    int taken[64], count = 0;
    while (count < 64 && (taken[count] = dup(0)) >= 0) {
        count++;
    }
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE);
    CHECK_CONTAINS(result->error_message, "descriptor");
    CHECK_INT(result->unknown_attempts, 0);
    lambda_result_free(result);
    while (count > 0) {
        close(taken[--count]);
    }
    result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    lambda_client_free(client);
}

int main(void) {
    calls = check_rounds(5, 1);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 24;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    /* As many at once as the limit allows; fewer; and more than there are descriptors for. */
    all_succeed(client_with(0));
    all_succeed(client_with(1));
    all_succeed(client_with(THREADS));
    none_at_all();
    return check_done();
}
