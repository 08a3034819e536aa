/* This library: blocking calls, calls of a queue, and streams.
 *
 *   lambda_invoke blocking|queue URL CASE CALLS IN_FLIGHT SIZE */

#include "bench.h"
#include "lambda_invoke.h"

static lambda_client *client;

static void start(const struct bench *bench) {
    lambda_config *config = lambda_config_new();
    lambda_config_set_endpoint_url(config, bench->url);
    lambda_config_set_max_connections(config, (uint32_t)bench->in_flight);
    lambda_error *error = NULL;
    if (lambda_client_new(config, &client, &error) != LAMBDA_OK) {
        check(0, lambda_error_message(error));
    }
    lambda_config_free(config);
}

static void expect(const struct bench *bench, lambda_result *result) {
    check(result->status == LAMBDA_OK, result->error_message);
    check(result->http_status == 200 && result->payload_len == bench->size, "another response was expected");
    lambda_result_free(result);
}

static lambda_request *request_of(const char *function, const void *payload, size_t size) {
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, function);
    lambda_request_set_payload(request, payload, size);
    return request;
}

struct state {
    const struct bench *bench;
    lambda_request *request;
};

static void *make(const struct bench *bench) {
    struct state *state = malloc(sizeof *state);
    *state = (struct state){bench, request_of("f", bench->payload, bench->size)};
    return state;
}

static void calls(void *argument, const char *function, int count) {
    struct state *state = argument;
    lambda_request_set_function_name(state->request, function);
    for (int i = 0; i < count; i++) {
        expect(state->bench, lambda_invoke(client, state->request));
    }
}

static void release(void *argument) {
    struct state *state = argument;
    lambda_request_free(state->request);
    free(state);
}

/* Keeps in_flight calls in flight until all are made. */
static void calls_of_queue(const struct bench *bench, lambda_queue *queue, const char *function, int count) {
    lambda_request *request = request_of(function, bench->payload, bench->size);
    int submitted = 0;
    for (int taken = 0; taken < count; taken++) {
        while (submitted < count && submitted - taken < bench->in_flight) {
            check(lambda_queue_submit(queue, client, request, 0) == LAMBDA_OK, "a call was not accepted");
            submitted++;
        }
        expect(bench, lambda_queue_next(queue, -1));
    }
    lambda_request_free(request);
}

static void run_queue(const struct bench *bench) {
    lambda_queue *queue = NULL;
    check(lambda_queue_new(&queue, NULL) == LAMBDA_OK, "there is no queue");
    if (bench_is(bench, "burst")) {
        calls_of_queue(bench, queue, BURST[0], bench->in_flight);
        sleep(PAUSE_SECONDS);
        calls_of_queue(bench, queue, BURST[1], bench->in_flight);
        meter_finish(meter_start(), 1, -1);
    } else {
        calls_of_queue(bench, queue, "f", bench_warm_up(bench) * bench->in_flight);
        struct meter meter = meter_start();
        calls_of_queue(bench, queue, "f", bench->calls);
        meter_finish(meter, bench->calls, -1);
    }
    lambda_queue_free(queue);
}

/* Reads a response of some bytes, and returns the microseconds to its first ones. */
static double stream(size_t size) {
    char function[64];
    snprintf(function, sizeof function, "stream-%zu", size);
    lambda_request *request = request_of(function, "{}", 2);
    double begin = bench_clock(CLOCK_MONOTONIC), first_byte = 0;
    lambda_stream *stream = lambda_invoke_stream(client, request);
    const uint8_t *data;
    size_t len, received = 0;
    while (lambda_stream_next(stream, -1, &data, &len) == LAMBDA_OK) {
        if (received == 0) {
            first_byte = bench_clock(CLOCK_MONOTONIC) - begin;
        }
        received += len;
    }
    lambda_result *result = lambda_stream_finish(stream);
    check(result->status == LAMBDA_OK, result->error_message);
    check(received == size, "another length was expected");
    lambda_result_free(result);
    lambda_request_free(request);
    return first_byte;
}

static int compare(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void run_streams(const struct bench *bench) {
    double *times = calloc((size_t)bench->calls, sizeof *times);
    stream(bench->size < 65536 ? bench->size : 65536);
    struct meter meter = meter_start();
    for (int i = 0; i < bench->calls; i++) {
        times[i] = stream(bench->size);
    }
    qsort(times, (size_t)bench->calls, sizeof *times, compare);
    meter_finish(meter, bench->calls, times[bench->calls / 2]);
    free(times);
}

int main(int argc, char **argv) {
    check(argc > 1, "usage: lambda_invoke blocking|queue URL CASE CALLS IN_FLIGHT SIZE");
    struct bench bench = bench_from(argc - 1, argv + 1);
    start(&bench);
    if (bench_is(&bench, "stream")) {
        run_streams(&bench);
    } else if (strcmp(argv[1], "queue") == 0) {
        run_queue(&bench);
    } else {
        static const bench_client blocking = {make, calls, release};
        bench_block(&bench, &blocking);
    }
    lambda_client_free(client);
    free(bench.payload);
    return 0;
}
