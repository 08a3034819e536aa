/* Keeps 1,000 calls in flight from one thread, which waits in epoll.
 *
 *   epoll [CALLS]
 *
 * A program that has an event loop adds the queue's descriptor to it in the same way. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lambda_invoke.h"

enum { IN_FLIGHT = 1000 };

static lambda_client *client;
static lambda_queue *queue;
static uint64_t calls = 2000, submitted, succeeded, failed;

static void submit(void) {
    char payload[64];
    int length = snprintf(payload, sizeof payload, "{\"name\": \"number %" PRIu64 "\"}", submitted);
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, "hello");
    lambda_request_set_payload(request, payload, (size_t)length);
    /* Any other status means that no completion will come. What is wrong with a request comes as its completion. */
    if (lambda_queue_submit(queue, client, request, submitted) != LAMBDA_OK) {
        failed++;
    }
    submitted++;
    lambda_request_free(request);
}

/* Takes all completions that are there, and submits a new call for each. */
static void take(void) {
    for (lambda_result *result; (result = lambda_queue_next(queue, 0)) != NULL; lambda_result_free(result)) {
        if (result->status == LAMBDA_OK) {
            succeeded++;
        } else {
            failed++;
            fprintf(stderr, "call %" PRIu64 ": %s\n", result->tag, result->error_message);
        }
        if (submitted < calls) {
            submit();
        }
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        calls = strtoull(argv[1], NULL, 10);
    }
    /* The others wait for their turn, without a connection: no more than the function's concurrency is under way. */
    lambda_config *config = lambda_config_new();
    lambda_config_set_max_connections(config, 8);
    lambda_error *error = NULL;
    if (lambda_client_new(config, &client, &error) != LAMBDA_OK || lambda_queue_new(&queue, &error) != LAMBDA_OK) {
        fprintf(stderr, "%s\n", lambda_error_message(error));
        lambda_error_free(error);
        return 1;
    }
    lambda_config_free(config);

    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, lambda_queue_fd(queue), &event) != 0) {
        perror("epoll");
        return 1;
    }
    while (submitted < calls && submitted < IN_FLIGHT) {
        submit();
    }
    while (lambda_queue_in_flight(queue) > 0) {
        if (epoll_wait(loop, &event, 1, -1) == 1) {
            take();
        }
    }
    printf("%" PRIu64 " succeeded, %" PRIu64 " failed\n", succeeded, failed);
    close(loop);
    lambda_queue_free(queue);
    lambda_client_free(client);
    return succeeded != calls;
}
