/* A server that is stopped (SIGSTOP) in the middle of a stream: its connections stay open, and nothing arrives. */

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "call.h"

/* What it has sent when it stops: whole frames, or a part of one. */
static const char *const EVENTS[] = {
    "chunk one\nstall",
    "chunk one\ncut 5\nchunk two\nstall",
    "chunk one\ncut 90\nchunk two\nstall",
};
enum { EVENT_COUNT = sizeof EVENTS / sizeof *EVENTS };

static uint64_t cpu_ms(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

/* The program's parent is the local endpoint. */
static void tell_server(int signal) {
    CHECK_INT(kill(getppid(), signal), 0);
}

/* A stream of which the first chunk was read, or of which the request was sent. */
static lambda_stream *begun(const lambda_client *client, lambda_request *request, bool has_chunk) {
    const uint8_t *data;
    size_t len;
    lambda_stream *stream = lambda_invoke_stream(client, request);
    lambda_request_free(request);
    if (has_chunk) {
        CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_OK);
        CHECK_INT(len, 3);
    } else {
        CHECK_INT(lambda_stream_next(stream, 50, &data, &len), LAMBDA_PENDING);
    }
    return stream;
}

static void check_end(lambda_stream *stream, lambda_status status, int32_t execution) {
    uint64_t began = now_ms();
    lambda_result *result = lambda_stream_finish(stream);
    CHECK_AT_MOST(now_ms() - began, within_ms(200));
    CHECK_RESULT(result, status, execution);
    lambda_result_free(result);
}

static void the_deadline_holds(const lambda_client *client, const char *event) {
    const uint8_t *data;
    size_t len;
    const uint64_t timeout = check_light() ? 10000 : 1500;
    lambda_request *request = request_of("streamed", event);
    CHECK_INT(lambda_request_set_timeout_ms(request, timeout), LAMBDA_OK);
    uint64_t began = now_ms();
    lambda_stream *stream = begun(client, request, true);
    tell_server(SIGSTOP);
    uint64_t cpu_before = cpu_ms();
    CHECK_INT(lambda_stream_next(stream, 0, &data, &len), LAMBDA_PENDING);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_E_TIMEOUT);
    CHECK_AT_LEAST(now_ms() - began, timeout);
    CHECK_AT_MOST(now_ms() - began, timeout + within_ms(300));
    /* Nobody waits busily. */
    CHECK_AT_MOST(cpu_ms() - cpu_before, within_ms(100));
    check_end(stream, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_RAN);
    tell_server(SIGCONT);
}

/* Waits step by step, as an application does that has a limit of its own for every chunk. */
static void steps_hold(const lambda_client *client, const char *event) {
    const uint8_t *data;
    size_t len;
    lambda_stream *stream = begun(client, request_of("streamed", event), true);
    tell_server(SIGSTOP);
    uint64_t began = now_ms(), cpu_before = cpu_ms();
    for (int i = 0; i < 5; i++) {
        CHECK_INT(lambda_stream_next(stream, 100, &data, &len), LAMBDA_PENDING);
    }
    CHECK_AT_LEAST(now_ms() - began, 500);
    CHECK_AT_MOST(now_ms() - began, within_ms(800));
    CHECK_AT_MOST(cpu_ms() - cpu_before, within_ms(100));
    /* Ends at once, and does not wait for the server. */
    check_end(stream, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_RAN);
    tell_server(SIGCONT);
}

static sem_t waits;

static int32_t tells_that_it_waits(void *user_data) {
    (void)user_data;
    CHECK_INT(sem_post(&waits), 0);
    return 0;
}

static void *reads_on(void *stream) {
    const uint8_t *data;
    size_t len;
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_E_CANCELLED);
    return NULL;
}

static void a_cancel_holds(const lambda_client *client, const char *event) {
    CHECK_INT(sem_init(&waits, 0, 0), 0);
    lambda_request *request = request_of("streamed", event);
    CHECK_INT(lambda_request_set_interrupt(request, tells_that_it_waits, NULL), LAMBDA_OK);
    lambda_stream *stream = begun(client, request, true);
    tell_server(SIGSTOP);
    while (sem_trywait(&waits) == 0) {}
    pthread_t reader;
    CHECK_INT(pthread_create(&reader, NULL, reads_on, stream), 0);
    /* It was asked twice: it waits. */
    CHECK_INT(sem_wait(&waits), 0);
    CHECK_INT(sem_wait(&waits), 0);
    uint64_t began = now_ms();
    lambda_stream_cancel(stream);
    CHECK_INT(pthread_join(reader, NULL), 0);
    CHECK_AT_MOST(now_ms() - began, within_ms(200));
    check_end(stream, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_RAN);
    tell_server(SIGCONT);
    CHECK_INT(sem_destroy(&waits), 0);
}

/* The request was taken by the kernel of a server that does not run. */
static void before_the_head(const lambda_client *client) {
    const uint8_t *data;
    size_t len;
    lambda_request *request = request_of("counting", "1");
    CHECK_INT(lambda_request_set_timeout_ms(request, check_light() ? 4000 : 400), LAMBDA_OK);
    tell_server(SIGSTOP);
    uint64_t cpu_before = cpu_ms();
    lambda_stream *stream = begun(client, request, false);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_E_TIMEOUT);
    CHECK_AT_MOST(cpu_ms() - cpu_before, within_ms(100));
    check_end(stream, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN);
    tell_server(SIGCONT);
}

/* The response is much longer than what the kernel takes of it: the server stops before the end. */
static void goes_on_with_the_server(const lambda_client *client) {
    const uint8_t *data;
    size_t len;
    uint64_t size = 0;
    lambda_request *request = request_of("streamed", "chunks 3000 10000\ncomplete");
    lambda_stream *stream = lambda_invoke_stream(client, request);
    lambda_request_free(request);
    lambda_status status = lambda_stream_next(stream, -1, &data, &len);
    tell_server(SIGSTOP);
    for (; status == LAMBDA_OK; status = lambda_stream_next(stream, 100, &data, &len)) {
        size += len;
    }
    CHECK_INT(status, LAMBDA_PENDING);
    tell_server(SIGCONT);
    while ((status = lambda_stream_next(stream, -1, &data, &len)) == LAMBDA_OK) {
        size += len;
    }
    CHECK_INT(status, LAMBDA_END);
    CHECK_INT(size, 3000 * 10000);
    check_end(stream, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
}

int main(void) {
    lambda_client *client = default_client();
    for (int i = 0; i < EVENT_COUNT; i++) {
        the_deadline_holds(client, EVENTS[i]);
        steps_hold(client, EVENTS[i]);
        a_cancel_holds(client, EVENTS[i]);
    }
    before_the_head(client);
    goes_on_with_the_server(client);
    lambda_client_free(client);
    return check_done();
}
