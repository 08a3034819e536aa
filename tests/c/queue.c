/* The queue: completions, cancellation, wakes, the descriptor, and what is left afterwards. */

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "process.h"
#include "queue.h"
#include "script.h"

static lambda_client *client;

static bool is_readable(const lambda_queue *queue) {
    struct pollfd polled = {lambda_queue_fd(queue), POLLIN, 0};
    return poll(&polled, 1, 0) == 1;
}

/* Waits for the descriptor, as an event loop does. */
static void wait_readable(const lambda_queue *queue) {
    struct pollfd polled = {lambda_queue_fd(queue), POLLIN, 0};
    CHECK_INT(poll(&polled, 1, LONG_MS), 1);
}

static void needs_nothing_before_the_first_submit(void) {
    int threads = count_threads(), descriptors = count_descriptors();
    lambda_queue *queue = new_queue();
    CHECK_INT(count_threads(), threads);
    CHECK_INT(count_descriptors(), descriptors + 1);
    CHECK_INT(lambda_queue_in_flight(queue), 0);
    CHECK(lambda_queue_next(queue, 0) == NULL);
    CHECK(!is_readable(queue));
    lambda_queue_free(queue);
    CHECK_INT(count_descriptors(), descriptors);
}

static void completes_every_call_once(void) {
    int threads = count_threads();
    lambda_queue *queue = new_queue();
    int calls = check_rounds(300, 20);
    bool *seen = calloc((size_t)calls, sizeof *seen);
    for (int i = 0; i < calls; i++) {
        char text[32];
        snprintf(text, sizeof text, "call %d", i);
        submit(queue, client, "echo", text, (uint64_t)i);
    }
    CHECK_INT(count_threads(), threads + 1);
    CHECK_INT(lambda_queue_in_flight(queue), calls);
    for (int i = 0; i < calls; i++) {
        lambda_result *result = lambda_queue_next(queue, LONG_MS);
        CHECK(result != NULL);
        if (result == NULL) {
            break;
        }
        CHECK_COMPLETION(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN, result->tag);
        CHECK(result->tag < (uint64_t)calls && !seen[result->tag]);
        seen[result->tag] = true;
        char text[32];
        snprintf(text, sizeof text, "call %" PRIu64, result->tag);
        CHECK_STRING(payload_text(result), text);
        CHECK(result->duration_us > 0);
        lambda_result_free(result);
    }
    CHECK_INT(lambda_queue_in_flight(queue), 0);
    CHECK(lambda_queue_next(queue, 0) == NULL);
    free(seen);
    lambda_queue_free(queue);
    CHECK_INT(count_threads(), threads);
}

/* In the order of completion, whatever the order of the submits. */
static void completes_in_the_order_of_the_ends(void) {
    lambda_queue *queue = new_queue();
    submit(queue, client, "slow", "1.0", 1);
    submit(queue, client, "echo", "x", 2);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 2);
    CHECK(lambda_queue_next(queue, 0) == NULL);
    CHECK_INT(lambda_queue_in_flight(queue), 1);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 1);
    lambda_queue_free(queue);
}

static void says_why_a_request_cannot_be_sent(void) {
    lambda_queue *queue = new_queue();
    lambda_request *request = lambda_request_new();
    CHECK_INT(lambda_queue_submit(queue, client, request, 1), LAMBDA_OK);
    CHECK_INT(lambda_request_set_log_type(request, 99), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(submit_once(queue, client, request, 2), LAMBDA_OK);
    TAKE(queue, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE, 1);
    lambda_result *result = lambda_queue_next(queue, 0);
    CHECK_COMPLETION(result, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE, 2);
    CHECK_CONTAINS(result->error_message, "log_type");
    lambda_result_free(result);
    lambda_queue_free(queue);
}

static void refuses_null(void) {
    lambda_queue *queue = new_queue();
    lambda_request *request = request_of("echo", "x");
    CHECK_INT(lambda_queue_submit(NULL, client, request, 1), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_queue_submit(queue, NULL, request, 1), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(submit_once(queue, client, NULL, 1), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_queue_cancel(NULL, 1), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_queue_fd(NULL), -1);
    CHECK_INT(lambda_queue_in_flight(NULL), 0);
    CHECK(lambda_queue_next(NULL, -1) == NULL);
    lambda_queue_wake(NULL);
    lambda_queue_free(NULL);
    CHECK_INT(lambda_queue_in_flight(queue), 0);
    lambda_error *error = NULL;
    CHECK_INT(lambda_queue_new(NULL, &error), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_STRING(lambda_error_message(error), "queue: is NULL");
    lambda_error_free(error);
    lambda_request_free(request);
    lambda_queue_free(queue);
}

/* A call takes its snapshot; and the client's inside lives as long as the call. */
static void keeps_what_the_caller_frees(void) {
    lambda_queue *queue = new_queue();
    lambda_client *own = default_client();
    lambda_request *request = request_of("slow", "0.3");
    CHECK_INT(lambda_queue_submit(queue, own, request, 1), LAMBDA_OK);
    CHECK_INT(lambda_request_set_function_name(request, "failing"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(request, "y", 1), LAMBDA_OK);
    lambda_request_free(request);
    lambda_client_free(own);
    lambda_result *result = lambda_queue_next(queue, LONG_MS);
    CHECK_COMPLETION(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 1);
    CHECK_STRING(payload_text(result), "0.3");
    lambda_queue_free(queue);
    /* And a result lives on without its queue. */
    CHECK_STRING(payload_text(result), "0.3");
    lambda_result_free(result);
}

static void cancels_by_tag(void) {
    lambda_queue *queue = new_queue();
    for (int i = 0; i < 3; i++) {
        submit(queue, client, "slow", "60", 7);
    }
    CHECK_INT(lambda_queue_cancel(queue, 6), LAMBDA_OK);
    /* Once a call that began after them has ended, their requests were sent. */
    submit(queue, client, "slow", "0.2", 5);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 5);
    submit(queue, client, "slow", "0.5", 8);
    uint64_t started = now_ms();
    CHECK_INT(lambda_queue_cancel(queue, 7), LAMBDA_OK);
    for (int i = 0; i < 3; i++) {
        TAKE(queue, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_UNKNOWN, 7);
    }
    CHECK_AT_MOST(now_ms() - started, within_ms(200));
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 8);
    /* What is done stays done. */
    submit(queue, client, "echo", "x", 9);
    wait_readable(queue);
    CHECK_INT(lambda_queue_cancel(queue, 9), LAMBDA_OK);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 9);
    lambda_queue_free(queue);
}

static void ends_calls_at_their_deadlines(void) {
    lambda_queue *queue = new_queue();
    uint64_t started = now_ms();
    for (uint64_t ms = 100; ms <= 300; ms += 100) {
        lambda_request *request = request_of("slow", "60");
        CHECK_INT(lambda_request_set_timeout_ms(request, ms), LAMBDA_OK);
        CHECK_INT(submit_once(queue, client, request, ms), LAMBDA_OK);
    }
    for (uint64_t ms = 100; ms <= 300; ms += 100) {
        TAKE(queue, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN, ms);
        CHECK_AT_LEAST(now_ms() - started, ms);
        CHECK_AT_MOST(now_ms() - started, within_ms(ms + 100));
    }
    lambda_queue_free(queue);
}

static void waits_its_turn(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, 2), LAMBDA_OK);
    lambda_client *narrow = client_of(config);
    lambda_queue *queue = new_queue();
    uint64_t started = now_ms();
    for (uint64_t i = 0; i < 4; i++) {
        submit(queue, narrow, "slow", "0.3", i);
    }
    lambda_request *request = request_of("echo", "x");
    CHECK_INT(lambda_request_set_timeout_ms(request, 100), LAMBDA_OK);
    CHECK_INT(submit_once(queue, narrow, request, 9), LAMBDA_OK);
    /* Its deadline passes while it waits: nothing was sent. */
    TAKE(queue, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE, 9);
    for (uint64_t i = 0; i < 4; i++) {
        lambda_result *result = lambda_queue_next(queue, LONG_MS);
        CHECK_COMPLETION(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN, result->tag);
        lambda_result_free(result);
        /* Two after two. */
        CHECK_AT_LEAST(now_ms() - started, i < 2 ? 300 : 600);
    }
    /* A call that waits for its turn can be cancelled. */
    submit(queue, narrow, "slow", "60", 1);
    submit(queue, narrow, "slow", "60", 1);
    submit(queue, narrow, "echo", "x", 2);
    CHECK_INT(lambda_queue_cancel(queue, 2), LAMBDA_OK);
    TAKE(queue, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_NONE, 2);
    lambda_queue_free(queue);
    lambda_client_free(narrow);
}

static void retries(void) {
    lambda_queue *queue = new_queue();
    const char *script = "answer 429 Retry-After=0 {}\nthen\nanswer 200 - done";
    CHECK_INT(submit_once(queue, client, script_of("queue-retries", script), 5), LAMBDA_OK);
    lambda_result *result = lambda_queue_next(queue, LONG_MS);
    CHECK_COMPLETION(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 5);
    CHECK_INT(result->attempts, 2);
    lambda_result_free(result);
    lambda_queue_free(queue);
}

static void *waits_for_ever(void *queue) {
    return lambda_queue_next(queue, -1);
}

static void wakes(void) {
    lambda_queue *queue = new_queue();
    CHECK(!is_readable(queue));
    /* Wakes are counted, and the descriptor stays readable until the last one is taken. */
    lambda_queue_wake(queue);
    lambda_queue_wake(queue);
    CHECK(is_readable(queue));
    CHECK(lambda_queue_next(queue, -1) == NULL);
    CHECK(is_readable(queue));
    CHECK(lambda_queue_next(queue, -1) == NULL);
    CHECK(!is_readable(queue));
    /* One wake for each thread that waits. */
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, waits_for_ever, queue), 0);
    }
    for (int i = 0; i < 3; i++) {
        lambda_queue_wake(queue);
    }
    for (int i = 0; i < 3; i++) {
        void *taken = &taken;
        CHECK_INT(pthread_join(threads[i], &taken), 0);
        CHECK(taken == NULL);
    }
    /* A completion comes first. */
    submit(queue, client, "echo", "x", 3);
    wait_readable(queue);
    lambda_queue_wake(queue);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 3);
    CHECK(is_readable(queue));
    CHECK(lambda_queue_next(queue, LONG_MS) == NULL);
    lambda_queue_free(queue);
}

static void is_readable_while_something_waits(void) {
    lambda_queue *queue = new_queue();
    submit(queue, client, "echo", "x", 1);
    submit(queue, client, "echo", "x", 2);
    while (lambda_queue_in_flight(queue) > 0) {
        wait_readable(queue);
        CHECK(is_readable(queue));
        lambda_result *result = lambda_queue_next(queue, 0);
        CHECK(result != NULL);
        lambda_result_free(result);
    }
    CHECK(!is_readable(queue));
    /* Whoever asks for it late finds it set. */
    lambda_queue *late = new_queue();
    submit(late, client, "echo", "x", 3);
    lambda_queue_wake(late);
    CHECK(is_readable(late));
    lambda_queue_free(late);
    lambda_queue_free(queue);
}

enum { SUBMITTERS = 4, TAKERS = 4 };

static int calls_of_each;
static atomic_long taken_in_all;
static atomic_uchar taken_tags[SUBMITTERS * 1000];

static void *submits(void *number) {
    static atomic_int next;
    uint64_t first = (uint64_t)(atomic_fetch_add(&next, 1) * calls_of_each);
    for (int i = 0; i < calls_of_each; i++) {
        submit(number, client, "echo", "x", first + (uint64_t)i);
    }
    return NULL;
}

static void *takes(void *queue) {
    for (lambda_result *result; (result = lambda_queue_next(queue, -1)) != NULL;) {
        CHECK_COMPLETION(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN, result->tag);
        CHECK_INT(atomic_fetch_add(&taken_tags[result->tag], 1), 0);
        atomic_fetch_add(&taken_in_all, 1);
        lambda_result_free(result);
    }
    return NULL;
}

static void is_shared_by_threads(void) {
    calls_of_each = check_rounds(300, 5);
    lambda_queue *queue = new_queue();
    pthread_t submitters[SUBMITTERS], takers[TAKERS];
    for (int i = 0; i < TAKERS; i++) {
        CHECK_INT(pthread_create(&takers[i], NULL, takes, queue), 0);
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        CHECK_INT(pthread_create(&submitters[i], NULL, submits, queue), 0);
    }
    for (int i = 0; i < SUBMITTERS; i++) {
        CHECK_INT(pthread_join(submitters[i], NULL), 0);
    }
    while (lambda_queue_in_flight(queue) > 0) {
        sched_yield();
    }
    for (int i = 0; i < TAKERS; i++) {
        lambda_queue_wake(queue);
    }
    for (int i = 0; i < TAKERS; i++) {
        CHECK_INT(pthread_join(takers[i], NULL), 0);
    }
    CHECK_INT(atomic_load(&taken_in_all), SUBMITTERS * calls_of_each);
    lambda_queue_free(queue);
}

/* Freeing waits for nothing on the network. */
static void is_freed_with_calls_under_way(void) {
    int threads = count_threads();
    lambda_queue *queue = new_queue();
    for (uint64_t i = 0; i < 10; i++) {
        submit(queue, client, "slow", "60", i);
        submit(queue, client, "echo", "x", i);
    }
    /* One is done, and the others are on their way. */
    lambda_result *result = lambda_queue_next(queue, LONG_MS);
    CHECK(result != NULL);
    lambda_result_free(result);
    uint64_t started = now_ms();
    lambda_queue_free(queue);
    CHECK_AT_MOST(now_ms() - started, within_ms(200));
    CHECK_INT(count_threads(), threads);
    /* At once after a submit. */
    queue = new_queue();
    submit(queue, client, "echo", "x", 1);
    lambda_queue_free(queue);
    CHECK_INT(count_threads(), threads);
}

static atomic_int callbacks;

static lambda_status slow_credentials(void *user_data, struct lambda_credentials *out) {
    (void)user_data;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    CHECK(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPIPE) == 1);
    atomic_fetch_add(&callbacks, 1);
    sleep_ms(1500);
    return lambda_credentials_set(
        out, getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN"), 0);
}

/* A slow credentials callback stops neither the calls of other clients nor the deadline of its own. */
static void runs_callbacks_beside_other_calls(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_credentials_callback(config, slow_credentials, NULL, NULL), LAMBDA_OK);
    lambda_client *own = client_of(config);
    lambda_queue *queue = new_queue();
    lambda_request *request = request_of("echo", "x");
    CHECK_INT(lambda_request_set_timeout_ms(request, 700), LAMBDA_OK);
    CHECK_INT(submit_once(queue, own, request, 1), LAMBDA_OK);
    submit(queue, own, "echo", "x", 2);
    submit(queue, client, "echo", "x", 3);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 3);
    TAKE(queue, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE, 1);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 2);
    CHECK_INT(atomic_load(&callbacks), 1);
    lambda_queue_free(queue);
    lambda_client_free(own);
}

static uint64_t cpu_ms(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

/* Calls that wait, for a response or for their turn, keep no thread busy. */
static void waits_without_work(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, 5), LAMBDA_OK);
    lambda_client *narrow = client_of(config);
    lambda_queue *queue = new_queue();
    for (uint64_t i = 0; i < 500; i++) {
        submit(queue, narrow, "slow", "60", i);
    }
    CHECK(lambda_queue_next(queue, 500) == NULL);
    uint64_t before = cpu_ms();
    CHECK(lambda_queue_next(queue, 1000) == NULL);
    CHECK_AT_MOST(cpu_ms() - before, within_ms(50));
    lambda_queue_free(queue);
    lambda_client_free(narrow);
}

/* Two queues with one client, and blocking calls in between. */
static void shares_a_client(void) {
    lambda_queue *one = new_queue(), *two = new_queue();
    for (uint64_t i = 0; i < 5; i++) {
        submit(one, client, "echo", "x", i);
        submit(two, client, "echo", "x", i + 100);
        lambda_result *result = invoke(client, "echo", "x");
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        lambda_result_free(result);
    }
    for (uint64_t i = 0; i < 5; i++) {
        lambda_result *result = lambda_queue_next(two, LONG_MS);
        CHECK(result != NULL && result->tag >= 100);
        lambda_result_free(result);
    }
    lambda_queue_free(two);
    CHECK_INT(lambda_queue_in_flight(one), 5);
    lambda_queue_free(one);
}

int main(void) {
    int descriptors = count_descriptors();
    CHECK_INT(count_threads(), 1);
    /* The endpoint runs no more functions at once than this, and throttles what exceeds it. */
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, 64), LAMBDA_OK);
    client = client_of(config);
    needs_nothing_before_the_first_submit();
    completes_every_call_once();
    completes_in_the_order_of_the_ends();
    says_why_a_request_cannot_be_sent();
    refuses_null();
    keeps_what_the_caller_frees();
    cancels_by_tag();
    ends_calls_at_their_deadlines();
    waits_its_turn();
    retries();
    wakes();
    is_readable_while_something_waits();
    is_shared_by_threads();
    is_freed_with_calls_under_way();
    runs_callbacks_beside_other_calls();
    waits_without_work();
    shares_a_client();
    lambda_client_free(client);
    CHECK_INT(count_descriptors(), descriptors);
    CHECK_INT(count_threads(), 1);
    return check_done();
}
