/* Invokes functions from libuv's event loop: the loop polls the queue's descriptor.
 *
 *   cc libuv.c -llambda_invoke -luv */

#include <stdio.h>

#include <uv.h>

#include "lambda_invoke.h"

static lambda_client *client;
static lambda_queue *queue;
static uv_poll_t completions;

/* What the program knows of a call. Its address is the call's tag. */
struct call {
    const char *name;
    void (*done)(const struct call *call, const lambda_result *result);
};

static void on_completions(uv_poll_t *handle, int status, int events) {
    (void)status, (void)events;
    for (lambda_result *result; (result = lambda_queue_next(queue, 0)) != NULL; lambda_result_free(result)) {
        const struct call *call = (const struct call *)(uintptr_t)result->tag;
        call->done(call, result);
    }
    /* Lets the loop end when nothing is left to wait for. */
    if (lambda_queue_in_flight(queue) == 0) {
        uv_poll_stop(handle);
    }
}

static void invoke(struct call *call) {
    char payload[64];
    int length = snprintf(payload, sizeof payload, "{\"name\": \"%s\"}", call->name);
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, "hello");
    lambda_request_set_payload(request, payload, (size_t)length);
    lambda_status status = lambda_queue_submit(queue, client, request, (uintptr_t)call);
    if (status == LAMBDA_OK) {
        uv_poll_start(&completions, UV_READABLE, on_completions);
    } else {
        fprintf(stderr, "%s: %s\n", call->name, lambda_status_name(status));
    }
    lambda_request_free(request);
}

static void show(const struct call *call, const lambda_result *result) {
    printf("%s: %s\n", call->name, result->status == LAMBDA_OK ? (const char *)result->payload : result->error_message);
}

int main(void) {
    lambda_error *error = NULL;
    if (lambda_client_new(NULL, &client, &error) != LAMBDA_OK || lambda_queue_new(&queue, &error) != LAMBDA_OK) {
        fprintf(stderr, "%s\n", lambda_error_message(error));
        lambda_error_free(error);
        return 1;
    }
    uv_loop_t *loop = uv_default_loop();
    if (uv_poll_init(loop, &completions, lambda_queue_fd(queue)) != 0) {
        fprintf(stderr, "libuv cannot poll the queue\n");
        return 1;
    }
    struct call calls[] = {{"Ada", show}, {"Grace", show}, {"Margaret", show}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        invoke(&calls[i]);
    }
    uv_run(loop, UV_RUN_DEFAULT);

    /* First the loop lets go of the descriptor, then the queue closes it. */
    uv_close((uv_handle_t *)&completions, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    lambda_queue_free(queue);
    lambda_client_free(client);
    return 0;
}
