/* Fewer descriptors than calls: a call that gets none waits, and all succeed. */

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "call.h"
#include "process.h"

enum { THREADS = 16 };

static int calls;

static uint64_t cpu_ms(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

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

/* Descriptors for one call at a time, so that two that begin at once stand in each other's way. All clients of the process
 * compete for them, and what one keeps idle is closed for another. */
static void several_clients(int free_descriptors) {
    enum { CLIENTS = 3 };
    lambda_client *clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_with(THREADS);
    }
    int before = count_descriptors();
    struct rlimit old, low;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    low = old;
    /* The count itself had one open. */
    low.rlim_cur = (rlim_t)(before - 1 + free_descriptors);
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    uint64_t began = now_ms(), cpu_before = cpu_ms();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, call, clients[i % CLIENTS]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    /* Nobody waits busily: 80 calls one after the other cost some 40 ms. */
    CHECK_AT_MOST(cpu_ms() - cpu_before, within_ms(500));
    /* And each is woken by the one before it, sooner than it would look by itself. */
    CHECK_AT_MOST(now_ms() - began, within_ms(6000));
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    for (int i = 0; i < CLIENTS; i++) {
        lambda_client_free(clients[i]);
    }
}

static atomic_bool is_over;

static void *holds(void *client) {
    lambda_result *result = invoke(client, "slow", check_light() ? "20" : "2");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    atomic_store(&is_over, true);
    return NULL;
}

static void *finds_what_is_closed(void *client) {
    lambda_result *result = invoke(client, "slow", "0");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    return NULL;
}

static void *waits_in_vain(void *client) {
    lambda_request *request = request_of("slow", "0");
    CHECK_INT(lambda_request_set_timeout_ms(request, 300), LAMBDA_OK);
    uint64_t began = now_ms();
    lambda_result *result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE);
    CHECK_AT_MOST(now_ms() - began, within_ms(500));
    lambda_result_free(result);
    return NULL;
}

/* While one call of another client has the descriptors, the others wait inside their deadlines; and what the application
 * closes, which nobody announces, is found. */
static void deadlines_hold(void) {
    lambda_client *holder = client_with(1), *others = client_with(THREADS);
    lambda_result_free(invoke(holder, "slow", "0"));
    int taken[64], count = 0;
    while (count < 64 && (taken[count] = dup(0)) >= 0) {
        count++;
    }
    pthread_t threads[THREADS];
    pthread_t holding;
    CHECK_INT(pthread_create(&holding, NULL, holds, holder), 0);
    sleep_ms(100);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, waits_in_vain, others), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    pthread_t finding;
    CHECK_INT(pthread_create(&finding, NULL, finds_what_is_closed, others), 0);
    sleep_ms(100);
    while (count > 0) {
        close(taken[--count]);
    }
    CHECK_INT(pthread_join(finding, NULL), 0);
    CHECK(!atomic_load(&is_over));
    CHECK_INT(pthread_join(holding, NULL), 0);
    lambda_client_free(holder);
    lambda_client_free(others);
}

static int taken[64], count_taken;

/* Takes all descriptors that are left. */
static void take_all(void) {
    while (count_taken < 64 && (taken[count_taken] = dup(0)) >= 0) {
        count_taken++;
    }
}

static void give_all_back(void) {
    while (count_taken > 0) {
        close(taken[--count_taken]);
    }
}

/* No descriptor is left, and no other call will close any. */
static void none_at_all(void) {
    lambda_client *client = default_client();
    take_all();
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE);
    CHECK_CONTAINS(result->error_message, "descriptor");
    CHECK_CONTAINS(result->error_message, "is 24");
    CHECK_INT(result->unknown_attempts, 0);
    lambda_result_free(result);
    give_all_back();
    result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    lambda_client_free(client);
}

/* A client without its files might be another one than was meant: it is not made. */
static void settings_cannot_be_read(void) {
    take_all();
    lambda_client *client = NULL;
    lambda_error *error = NULL;
    CHECK_INT(lambda_client_new(NULL, &client, &error), LAMBDA_E_CONFIG);
    give_all_back();
    CHECK_CONTAINS(lambda_error_message(error), getenv("AWS_CONFIG_FILE"));
    CHECK_CONTAINS(lambda_error_message(error), "; the limit of open files (ulimit -n) is 24");
    lambda_error_free(error);
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
    several_clients(4);
    several_clients(7);
    deadlines_hold();
    none_at_all();
    settings_cannot_be_read();
    return check_done();
}
