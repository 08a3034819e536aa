/* Calls through a queue. */

#ifndef QUEUE_H
#define QUEUE_H

#include "call.h"

/* Longer than anything takes that a test waits for. */
enum { LONG_MS = 20000 };

static inline lambda_queue *new_queue(void) {
    lambda_queue *queue = NULL;
    lambda_error *error = NULL;
    if (lambda_queue_new(&queue, &error) != LAMBDA_OK) {
        fprintf(stderr, "no queue: %s\n", lambda_error_message(error));
        exit(1);
    }
    return queue;
}

/* Submits with a request, and frees it. */
static inline lambda_status submit_once(
    lambda_queue *queue, const lambda_client *client, lambda_request *request, uint64_t tag) {
    lambda_status status = lambda_queue_submit(queue, client, request, tag);
    lambda_request_free(request);
    return status;
}

static inline void submit(
    lambda_queue *queue, const lambda_client *client, const char *function, const char *payload, uint64_t tag) {
    CHECK_INT(submit_once(queue, client, request_of(function, payload), tag), LAMBDA_OK);
}

#define CHECK_COMPLETION(result, status, execution, tag) \
    check_completion(__FILE__, __LINE__, (result), (status), (execution), (tag))

/* Takes the next completion and checks it. */
#define TAKE(queue, status, execution, tag)                         \
    do {                                                            \
        lambda_result *taken = lambda_queue_next((queue), LONG_MS); \
        CHECK(taken != NULL);                                       \
        if (taken != NULL) {                                        \
            CHECK_COMPLETION(taken, (status), (execution), (tag));  \
        }                                                           \
        lambda_result_free(taken);                                  \
    } while (0)

#endif
