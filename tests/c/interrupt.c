/* The interrupt callback: when, where and how it is called, and what it ends. */

#include <pthread.h>
#include <signal.h>

#include "script.h"

struct watch {
    pthread_t caller;
    int calls, end_at;
    uint64_t last_ms, longest_gap_ms, ended_ms;
    sigset_t mask;
    bool elsewhere, other_mask;
};

static bool same_mask(const sigset_t *one, const sigset_t *other) {
    for (int number = 1; number < 32; number++) {
        if (sigismember(one, number) != sigismember(other, number)) {
            return false;
        }
    }
    return true;
}

static int32_t look(void *user_data) {
    struct watch *watch = user_data;
    uint64_t now = now_ms();
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    watch->other_mask |= !same_mask(&mask, &watch->mask);
    watch->elsewhere |= pthread_equal(pthread_self(), watch->caller) == 0;
    if (watch->calls > 0 && now - watch->last_ms > watch->longest_gap_ms) {
        watch->longest_gap_ms = now - watch->last_ms;
    }
    watch->last_ms = now;
    watch->calls++;
    if (watch->end_at == 0 || watch->calls < watch->end_at) {
        return 0;
    }
    watch->ended_ms = now;
    /* Anything but 0. */
    return INT32_MIN;
}

static lambda_result *watched(const lambda_client *client, lambda_request *request, struct watch *watch) {
    watch->caller = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &watch->mask);
    CHECK_INT(lambda_request_set_interrupt(request, look, watch), LAMBDA_OK);
    lambda_result *result = invoke_once(client, request);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    CHECK(same_mask(&mask, &watch->mask));
    CHECK(!watch->elsewhere);
    CHECK(!watch->other_mask);
    return result;
}

static void before_anything(const lambda_client *client) {
    struct watch watch = {.end_at = 1};
    lambda_result *result = watched(client, request_of("counter", "{}"), &watch);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 0);
    CHECK_INT(result->unknown_attempts, 0);
    CHECK_INT(watch.calls, 1);
    lambda_result_free(result);
    /* Nothing was sent: the endpoint counts from 0. */
    result = invoke(client, "counter", "{}");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "0");
    lambda_result_free(result);
}

static void while_the_function_runs(const lambda_client *client) {
    struct watch watch = {.end_at = 4};
    lambda_result *result = watched(client, request_of("slow", "3"), &watch);
    uint64_t returned_ms = now_ms();
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_INT(result->attempts, 1);
    CHECK_INT(result->unknown_attempts, 1);
    CHECK_INT(result->http_status, 0);
    CHECK_INT(watch.calls, 4);
    CHECK_AT_MOST(returned_ms - watch.ended_ms, within_ms(200));
    lambda_result_free(result);
    /* The next call must not get the response of the call that ended early. */
    result = invoke(client, "echo", "next");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "next");
    lambda_result_free(result);
}

static void often_enough(const lambda_client *client) {
    struct watch watch = {.end_at = 0};
    lambda_result *result = watched(client, request_of("slow", "1"), &watch);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_AT_LEAST(watch.calls, check_light() ? 2 : 9);
    /* Every 100 ms, with tolerance for a busy machine. */
    CHECK_AT_MOST(watch.longest_gap_ms, within_ms(200));
    lambda_result_free(result);
}

static void in_other_waits(const lambda_client *client) {
    /* Between two attempts. */
    struct watch backing_off = {.end_at = 5};
    lambda_result *result = watched(client, script_of("later", "answer 429 Retry-After=15"), &backing_off);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 1);
    CHECK_AT_MOST(result->duration_us, within_ms(5000) * 1000);
    lambda_result_free(result);

    /* In the middle of the response. */
    struct watch reading = {.end_at = 6};
    result = watched(
        client, script_of("half", "send HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhalf\nwait"), &reading);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->http_status, 200);
    CHECK_INT(result->unknown_attempts, 0);
    lambda_result_free(result);
}

struct occupant {
    const lambda_client *client;
    struct watch watch;
    atomic_bool release;
};

static int32_t until_released(void *user_data) {
    struct occupant *occupant = user_data;
    look(&occupant->watch);
    return atomic_load(&occupant->release);
}

static void *occupy(void *user_data) {
    struct occupant *occupant = user_data;
    lambda_request *request = script_of("occupant", "wait");
    occupant->watch.caller = pthread_self();
    CHECK_INT(lambda_request_set_interrupt(request, until_released, occupant), LAMBDA_OK);
    lambda_result *result = invoke_once(occupant->client, request);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_UNKNOWN);
    lambda_result_free(result);
    return NULL;
}

static int32_t stop_flag(void *user_data) {
    return atomic_load((atomic_int *)user_data);
}

static void *raise_flag(void *user_data) {
    sleep_ms(100);
    atomic_store((atomic_int *)user_data, 1);
    return NULL;
}

static void waiting_for_a_turn(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, 1), LAMBDA_OK);
    lambda_client *client = client_of(config);
    struct occupant occupant = {.client = client};
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, occupy, &occupant), 0);
    lambda_result *count;
    lambda_client *other = default_client();
    while (script_attempts(other, "occupant") == 0) {}
    struct watch watch = {.end_at = 4};
    count = watched(client, request_of("echo", "{}"), &watch);
    CHECK_RESULT(count, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_NONE);
    CHECK_INT(count->attempts, 0);
    CHECK_INT(watch.calls, 4);
    lambda_result_free(count);
    atomic_store(&occupant.release, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
    lambda_client_free(other);
    lambda_client_free(client);
}

/* As a program would use it: a flag that another thread raises. */
static void a_stop_flag(const lambda_client *client) {
    atomic_int flag = 0;
    pthread_t thread;
    lambda_request *request = script_of("flag", "wait");
    CHECK_INT(lambda_request_set_interrupt(request, stop_flag, &flag), LAMBDA_OK);
    CHECK_INT(pthread_create(&thread, NULL, raise_flag, &flag), 0);
    lambda_result *result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_AT_MOST(result->duration_us, within_ms(300) * 1000);
    lambda_result_free(result);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

static void unset_and_cloned(const lambda_client *client) {
    struct watch watch = {.end_at = 1, .caller = pthread_self()};
    lambda_request *request = request_of("echo", "x");
    CHECK_INT(lambda_request_set_interrupt(request, look, &watch), LAMBDA_OK);
    lambda_request *clone = lambda_request_clone(request);
    lambda_result *result = invoke_once(client, clone);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_NONE);
    lambda_result_free(result);
    CHECK_INT(lambda_request_set_interrupt(request, NULL, NULL), LAMBDA_OK);
    result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(watch.calls, 1);
    lambda_result_free(result);
}

/* The callback is the caller's code, which may use the library too. */
static int32_t invoke_inside(void *user_data) {
    const lambda_client *client = user_data;
    lambda_result *result = invoke(client, "echo", "inner");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "inner");
    lambda_result_free(result);
    return 0;
}

static void a_call_inside(const lambda_client *client) {
    lambda_request *request = request_of("slow", "0.3");
    CHECK_INT(lambda_request_set_interrupt(request, invoke_inside, (void *)client), LAMBDA_OK);
    lambda_result *result = invoke_once(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "0.3");
    lambda_result_free(result);
}

int main(void) {
    /* A mask that no library would choose by itself. */
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    lambda_client *client = default_client();
    before_anything(client);
    while_the_function_runs(client);
    often_enough(client);
    in_other_waits(client);
    a_stop_flag(client);
    unset_and_cloned(client);
    a_call_inside(client);
    sigaddset(&mask, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    while_the_function_runs(client);
    waiting_for_a_turn();
    lambda_client_free(client);
    return check_done();
}
