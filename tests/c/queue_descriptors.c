/* A queue in a process that has few descriptors: calls wait for them, and none is lost. */

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process.h"
#include "queue.h"

/* What the header says that a queue with a thread costs. */
enum { LIMIT = 40, CALLS = 120, OF_A_QUEUE = 4 };

static int taken[LIMIT];

/* Opens descriptors until no more than `left` are free. Returns how many. */
static int take_all_but(int left) {
    int count = 0;
    while (count < LIMIT && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) != -1) {
        count++;
    }
    while (left-- > 0 && count > 0) {
        close(taken[--count]);
    }
    return count;
}

static void give_back(int count) {
    while (count > 0) {
        close(taken[--count]);
    }
}

int main(void) {
    int descriptors = count_descriptors();
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = LIMIT;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, CALLS), LAMBDA_OK);
    lambda_client *client = client_of(config);

    /* No descriptor for the queue. */
    int count = take_all_but(0);
    lambda_queue *queue = NULL;
    lambda_error *error = NULL;
    CHECK(lambda_queue_new(&queue, &error) != LAMBDA_OK);
    CHECK(queue == NULL);
    CHECK_CONTAINS(lambda_error_message(error), "queue");
    CHECK_CONTAINS(lambda_error_message(error), "limit of open files (ulimit -n) is 40");
    lambda_error_free(error);
    give_back(count);

    /* None for its thread: the completion says so, and the next submit tries again. */
    queue = new_queue();
    count = take_all_but(1);
    submit(queue, client, "echo", "x", 1);
    lambda_result *result = lambda_queue_next(queue, LONG_MS);
    CHECK_COMPLETION(result, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE, 1);
    CHECK_CONTAINS(result->error_message, "limit of open files (ulimit -n) is 40");
    lambda_result_free(result);
    give_back(count);

    /* More calls than descriptors: all come to their end. */
    int calls = check_rounds(CALLS, 50);
    for (int i = 0; i < calls; i++) {
        submit(queue, client, "echo", "x", 2);
    }
    for (int i = 0; i < calls; i++) {
        TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 2);
    }

    /* A blocking call gets the descriptors of connections that the queue has left idle. */
    count = take_all_but(0);
    result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);

    /* And nobody waits for what nobody holds. */
    lambda_client *other = default_client();
    give_back(count);
    lambda_client_free(client);
    /* The queue's thread closes the connections of a client that was freed. */
    uint64_t give_up = now_ms() + LONG_MS;
    while (count_descriptors() > descriptors + OF_A_QUEUE && now_ms() < give_up) {
        sleep_ms(1);
    }
    CHECK_INT(count_descriptors(), descriptors + OF_A_QUEUE);
    count = take_all_but(0);
    submit(queue, other, "echo", "x", 3);
    result = lambda_queue_next(queue, LONG_MS);
    CHECK_COMPLETION(result, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE, 3);
    CHECK_CONTAINS(result->error_message, "limit of open files (ulimit -n) is 40");
    lambda_result_free(result);
    give_back(count);
    submit(queue, other, "echo", "x", 4);
    TAKE(queue, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 4);

    lambda_queue_free(queue);
    lambda_client_free(other);
    CHECK_INT(count_descriptors(), descriptors);
    return check_done();
}
