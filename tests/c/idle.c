/* Idle connections: kept after a burst, closed by lambda_client_release_idle, which leaves those in use alone. */

#define _GNU_SOURCE

#include <pthread.h>
#include <sched.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "process.h"

enum { THREADS = 8 };

static pthread_barrier_t together;

/* What the endpoint's functions wait for is time, not each other, so it is long enough for all to be under way at once. */
static const char *a_while(void) {
    return check_light() ? "3" : "0.5";
}

static void *call(void *client) {
    pthread_barrier_wait(&together);
    lambda_result *result = invoke(client, "slow", a_while());
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->attempts, 1);
    lambda_result_free(result);
    return NULL;
}

static void burst(lambda_client *client, void (*meanwhile)(lambda_client *)) {
    CHECK_INT(pthread_barrier_init(&together, NULL, THREADS + 1), 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, call, client), 0);
    }
    pthread_barrier_wait(&together);
    meanwhile(client);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    CHECK_INT(pthread_barrier_destroy(&together), 0);
}

/* As many calls as processors have a runtime each, of 3 descriptors, and the others share one. Each has a socket. */
static int descriptors_of_a_burst(void) {
    cpu_set_t processors;
    CHECK_INT(sched_getaffinity(0, sizeof processors, &processors), 0);
    int alone = CPU_COUNT(&processors);
    return THREADS + 3 * (alone < THREADS ? alone + 1 : THREADS);
}

static void nothing(lambda_client *client) {
    (void)client;
}

static void releases(lambda_client *client) {
    for (int i = 0; i < 100; i++) {
        lambda_client_release_idle(client);
        sleep_ms(1);
    }
}

static void keeps_and_releases(void) {
    lambda_client *client = default_client();
    int before = count_descriptors();
    lambda_client_release_idle(client);
    CHECK_INT(count_descriptors(), before);
    burst(client, nothing);
    CHECK_INT(count_descriptors(), before + descriptors_of_a_burst());
    lambda_client_release_idle(client);
    CHECK_INT(count_descriptors(), before);
    lambda_client_release_idle(client);
    burst(client, releases);
    CHECK_INT(count_descriptors(), before + descriptors_of_a_burst());
    lambda_client_free(client);
    CHECK_INT(count_descriptors(), before);
}

/* The parent's connections are not the child's to close. */
static void a_child_leaves_its_parents_connections(void) {
    lambda_client *client = default_client();
    lambda_result_free(invoke(client, "slow", "0"));
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        lambda_client_release_idle(client);
        lambda_result *result = invoke(client, "slow", "0");
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        lambda_result_free(result);
        lambda_client_release_idle(client);
        _exit(check_done());
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    int with_connection = count_descriptors();
    lambda_result *result = invoke(client, "slow", "0");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->attempts, 1);
    lambda_result_free(result);
    CHECK_INT(count_descriptors(), with_connection);
    lambda_client_free(client);
}

int main(void) {
    lambda_client_release_idle(NULL);
    keeps_and_releases();
    a_child_leaves_its_parents_connections();
    return check_done();
}
