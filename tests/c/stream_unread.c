/* Streams that nobody reads any more: they hold little memory and few descriptors, and their end frees all of it. */

#include <unistd.h>

#include "call.h"
#include "process.h"

enum { STREAMS = 16, LIGHT_STREAMS = 3 };
/* Per stream: what lambda_stream holds, and the most of a response that waits in the library. */
enum { DESCRIPTORS = 4, MEMORY_KB = 1024 + 512 };

/* Each is much longer than what the kernel and the library take of it. */
static const char *const EVENTS[] = {"chunks 20000 10000", "chunks 1500 130000", "chunks 12 16000000"};

static uint64_t resident_kb(void) {
    unsigned long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &all, &resident) != 2) {
        check_failed(__FILE__, __LINE__, "cannot read /proc/self/statm");
    }
    if (file != NULL) {
        fclose(file);
    }
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static lambda_stream *stream_of(const lambda_client *client, const char *event) {
    lambda_request *request = request_of("streamed", event);
    lambda_stream *stream = lambda_invoke_stream(client, request);
    lambda_request_free(request);
    return stream;
}

static void read_to_end(lambda_stream *stream, uint64_t expected) {
    const uint8_t *data;
    size_t len;
    uint64_t size = 0;
    lambda_status status;
    while ((status = lambda_stream_next(stream, -1, &data, &len)) == LAMBDA_OK) {
        size += len;
    }
    CHECK_INT(status, LAMBDA_END);
    CHECK_INT(size, expected);
    lambda_result_free(lambda_stream_finish(stream));
}

static void resting(const lambda_client *client, const char *event) {
    const uint8_t *data;
    size_t len;
    const int count = check_rounds(STREAMS, LIGHT_STREAMS);
    lambda_stream *streams[STREAMS], *unbegun[STREAMS];
    /* The first stream of a process costs more than the later ones. */
    read_to_end(stream_of(client, "chunks 30 100000\ncomplete"), 3000000);
    lambda_client_release_idle(client);
    const int descriptors = count_descriptors(), threads = count_threads();
    const uint64_t memory = resident_kb();
    for (int i = 0; i < count; i++) {
        unbegun[i] = stream_of(client, event);
    }
    /* Those have nothing yet. */
    CHECK_INT(count_descriptors(), descriptors);
    for (int i = 0; i < count; i++) {
        streams[i] = stream_of(client, event);
        CHECK_INT(lambda_stream_next(streams[i], -1, &data, &len), LAMBDA_OK);
    }
    /* Meanwhile the server sends all that it can, and other calls go on. */
    read_to_end(stream_of(client, "chunks 300 100000\ncomplete"), 30000000);
    CHECK_AT_MOST(count_descriptors(), descriptors + (count + 1) * DESCRIPTORS);
    CHECK_INT(count_threads(), threads);
    if (!check_light()) {
        CHECK_AT_MOST(resident_kb(), memory + (uint64_t)count * MEMORY_KB);
    }
    for (int i = 0; i < count; i++) {
        lambda_result *result = lambda_stream_finish(streams[i]);
        CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_RAN);
        lambda_result_free(result);
        lambda_result_free(lambda_stream_finish(unbegun[i]));
    }
    lambda_client_release_idle(client);
    CHECK_INT(count_descriptors(), descriptors);
    /* Their places among the calls under way are free again. */
    lambda_result *result = invoke(client, "echo", "1");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
}

int main(void) {
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, STREAMS + 1), LAMBDA_OK);
    lambda_client *client = client_of(config);
    for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++) {
        resting(client, EVENTS[i]);
    }
    lambda_client_free(client);
    return check_done();
}
