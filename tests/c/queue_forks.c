/* A child's queue is empty and can be used at once, while the parent's calls go on. */

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "queue.h"

static lambda_client *client;
static lambda_queue *queue;

static void own_calls(const char *text) {
    for (uint64_t i = 0; i < 3; i++) {
        submit(queue, client, "echo", text, i);
    }
    for (int i = 0; i < 3; i++) {
        lambda_result *result = lambda_queue_next(queue, LONG_MS);
        CHECK(result != NULL);
        if (result != NULL) {
            CHECK_COMPLETION(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN, result->tag);
            CHECK_AT_MOST(result->tag, 2);
            CHECK_STRING(payload_text(result), text);
        }
        lambda_result_free(result);
    }
    CHECK(lambda_queue_next(queue, 0) == NULL);
}

static void in_the_child(int number) {
    CHECK_INT(lambda_queue_in_flight(queue), 0);
    CHECK(lambda_queue_next(queue, 0) == NULL);
    CHECK_INT(lambda_queue_cancel(queue, 1000), LAMBDA_OK);
    if (number % 4 == 3) {
        /* Freed unused. */
        lambda_queue_free(queue);
        lambda_client_free(client);
        return;
    }
    struct pollfd polled = {lambda_queue_fd(queue), POLLIN, 0};
    CHECK_INT(poll(&polled, 1, 0), 0);
    char text[32];
    snprintf(text, sizeof text, "child %d", number);
    own_calls(text);
    lambda_queue_wake(queue);
    CHECK_INT(poll(&polled, 1, 0), 1);
    CHECK(lambda_queue_next(queue, -1) == NULL);
    lambda_queue_free(queue);
    lambda_client_free(client);
}

static atomic_bool stop;

/* Keeps the parent's queue busy. */
static void *submits(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        submit(queue, client, "echo", "parent", 5000);
        lambda_result *result = lambda_queue_next(queue, LONG_MS);
        CHECK(result != NULL);
        if (result != NULL) {
            CHECK_COMPLETION(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 5000);
            CHECK_STRING(payload_text(result), "parent");
        }
        lambda_result_free(result);
    }
    return NULL;
}

static void fork_once(int number) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(check_light() ? 100 : 30);
        in_the_child(number);
        _exit(check_done());
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
    int descriptors = count_descriptors();
    client = default_client();
    queue = new_queue();
    /* Before the queue has a thread, and with calls under way, done and woken. */
    fork_once(0);
    submit(queue, client, "slow", "1", 1000);
    submit(queue, client, "echo", "parent", 1001);
    struct pollfd polled = {lambda_queue_fd(queue), POLLIN, 0};
    CHECK_INT(poll(&polled, 1, LONG_MS), 1);
    for (int i = 1; i < check_rounds(9, 3); i++) {
        fork_once(i);
    }
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 1001);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 1000);
    /* While a thread submits and takes. */
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, submits, NULL), 0);
    for (int i = 0; i < check_rounds(40, 3); i++) {
        fork_once(i);
    }
    atomic_store(&stop, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
    lambda_queue_free(queue);
    lambda_client_free(client);
    CHECK_INT(count_descriptors(), descriptors);
    return check_done();
}
