/* Streamed responses, read as they are made. */

#include <pthread.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"

/* The bytes of a stream, and how it ended. */
struct whole {
    char data[4096];
    size_t len;
    lambda_status end;
    lambda_result *result;
};

static lambda_stream *stream_of(const lambda_client *client, const char *function, const char *event) {
    lambda_request *request = request_of(function, event);
    lambda_stream *stream = lambda_invoke_stream(client, request);
    lambda_request_free(request);
    CHECK(stream != NULL);
    return stream;
}

static void read_to_end(lambda_stream *stream, struct whole *whole) {
    const uint8_t *data = NULL;
    size_t len = 0;
    whole->len = 0;
    while ((whole->end = lambda_stream_next(stream, -1, &data, &len)) == LAMBDA_OK) {
        CHECK(data != NULL && len > 0);
        if (whole->len + len < sizeof whole->data) {
            memcpy(whole->data + whole->len, data, len);
        }
        whole->len += len;
    }
    CHECK(data == NULL && len == 0);
    whole->data[whole->len < sizeof whole->data ? whole->len : 0] = 0;
    /* The end stays the end. */
    CHECK_INT(lambda_stream_next(stream, 0, &data, &len), whole->end);
    whole->result = lambda_stream_finish(stream);
}

static void check_stream(const lambda_client *client, const char *event, const char *data, lambda_status end,
    lambda_status status, int32_t execution) {
    struct whole whole;
    read_to_end(stream_of(client, "streamed", event), &whole);
    CHECK_STRING(whole.data, data);
    CHECK_INT(whole.end, end);
    CHECK_RESULT(whole.result, status, execution);
    lambda_result_free(whole.result);
}

static void a_handler_streams(const lambda_client *client) {
    struct whole whole;
    for (int i = 0; i < 3; i++) {
        read_to_end(stream_of(client, "counting", "3"), &whole);
        CHECK_STRING(whole.data, "0\n1\n2\n");
        CHECK_INT(whole.end, LAMBDA_END);
        CHECK_RESULT(whole.result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        CHECK_INT(whole.result->http_status, 200);
        CHECK_STRING(whole.result->executed_version, "$LATEST");
        lambda_result_free(whole.result);
    }
    read_to_end(stream_of(client, "counting", "null"), &whole);
    CHECK_INT(whole.end, LAMBDA_END);
    CHECK_RESULT(whole.result, LAMBDA_FUNCTION_ERROR, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(whole.result->error_type, "TypeError");
    lambda_result_free(whole.result);
}

static void ends(const lambda_client *client) {
    check_stream(client, "split 1\nchunk one\nevent BrandNew\nchunk two\ncomplete", "onetwo", LAMBDA_END, LAMBDA_OK,
        LAMBDA_EXECUTION_RAN);
    check_stream(client, "chunk one\ncomplete {\"ErrorCode\":\"E\"}", "one", LAMBDA_END, LAMBDA_FUNCTION_ERROR,
        LAMBDA_EXECUTION_RAN);
    check_stream(client, "chunk one", "one", LAMBDA_E_IO, LAMBDA_E_IO, LAMBDA_EXECUTION_RAN);
    check_stream(client, "chunk one\ncut 20\nchunk two", "one", LAMBDA_E_IO, LAMBDA_E_IO, LAMBDA_EXECUTION_RAN);
    check_stream(client, "chunk one\nflip 90\nchunk two\ncomplete", "one", LAMBDA_E_PROTOCOL, LAMBDA_E_PROTOCOL,
        LAMBDA_EXECUTION_RAN);
}

static void refusals(const lambda_client *client) {
    const uint8_t *data = (const uint8_t *)"";
    size_t len = 1;
    CHECK_INT(lambda_stream_next(NULL, -1, &data, &len), LAMBDA_E_INVALID_ARGUMENT);
    CHECK(data == NULL && len == 0);
    lambda_stream_cancel(NULL);
    lambda_result *result = lambda_stream_finish(NULL);
    CHECK_RESULT(result, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE);
    lambda_result_free(result);

    lambda_request *request = request_of("counting", "1");
    const struct {
        lambda_stream *stream;
        const char *message;
    } nulls[] = {{lambda_invoke_stream(NULL, request), "client"}, {lambda_invoke_stream(client, NULL), "request"}};
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) {
        CHECK_INT(lambda_stream_next(nulls[i].stream, -1, &data, &len), LAMBDA_E_INVALID_ARGUMENT);
        result = lambda_stream_finish(nulls[i].stream);
        CHECK_RESULT(result, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_EXECUTION_NONE);
        CHECK_CONTAINS(result->error_message, nulls[i].message);
        lambda_result_free(result);
    }

    lambda_stream *stream = lambda_invoke_stream(client, request);
    CHECK_INT(lambda_stream_next(stream, -2, &data, &len), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_stream_next(stream, -1, NULL, &len), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_stream_next(stream, -1, &data, NULL), LAMBDA_E_INVALID_ARGUMENT);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_OK);
    lambda_result_free(lambda_stream_finish(stream));

    CHECK_INT(lambda_request_set_invocation_type(request, LAMBDA_INVOCATION_EVENT), LAMBDA_OK);
    stream = lambda_invoke_stream(client, request);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_E_INVALID_ARGUMENT);
    result = lambda_stream_finish(stream);
    CHECK_CONTAINS(result->error_message, "invocation_type");
    lambda_result_free(result);

    CHECK_INT(lambda_request_set_invocation_type(request, LAMBDA_INVOCATION_DRY_RUN), LAMBDA_OK);
    CHECK_INT(lambda_request_set_tenant_id(request, ""), LAMBDA_E_INVALID_ARGUMENT);
    stream = lambda_invoke_stream(client, request);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_E_INVALID_ARGUMENT);
    lambda_result_free(lambda_stream_finish(stream));

    CHECK_INT(lambda_request_set_tenant_id(request, NULL), LAMBDA_OK);
    stream = lambda_invoke_stream(client, request);
    lambda_request_free(request);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_END);
    result = lambda_stream_finish(stream);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->http_status, 204);
    lambda_result_free(result);
}

static void *cancel(void *stream) {
    lambda_stream_cancel(stream);
    return NULL;
}

static void *reads_on(void *stream) {
    const uint8_t *data;
    size_t len;
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_E_CANCELLED);
    return NULL;
}

static int32_t interrupts(void *count) {
    return ++*(int *)count > 2;
}

static void early_ends(const lambda_client *client) {
    const uint8_t *data;
    size_t len;
    const char *stalls = "chunk one\nstall";
    lambda_stream *stream = stream_of(client, "streamed", stalls);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_OK);
    CHECK_INT(lambda_stream_next(stream, 0, &data, &len), LAMBDA_PENDING);
    CHECK_INT(lambda_stream_next(stream, 20, &data, &len), LAMBDA_PENDING);
    /* Another thread reads on, and a third one cancels. */
    pthread_t reader, canceller;
    CHECK_INT(pthread_create(&reader, NULL, reads_on, stream), 0);
    CHECK_INT(pthread_create(&canceller, NULL, cancel, stream), 0);
    CHECK_INT(pthread_join(canceller, NULL), 0);
    CHECK_INT(pthread_join(reader, NULL), 0);
    CHECK_INT(lambda_stream_next(stream, 0, &data, &len), LAMBDA_E_CANCELLED);
    lambda_result *result = lambda_stream_finish(stream);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);

    stream = stream_of(client, "streamed", stalls);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_OK);
    result = lambda_stream_finish(stream);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);

    stream = stream_of(client, "streamed", stalls);
    result = lambda_stream_finish(stream);
    CHECK_RESULT(result, LAMBDA_E_CANCELLED, LAMBDA_EXECUTION_NONE);
    CHECK_INT(result->attempts, 0);
    lambda_result_free(result);

    int count = 0;
    lambda_request *request = request_of("streamed", "stall");
    CHECK_INT(lambda_request_set_interrupt(request, interrupts, &count), LAMBDA_OK);
    stream = lambda_invoke_stream(client, request);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_E_CANCELLED);
    lambda_result_free(lambda_stream_finish(stream));
    CHECK_INT(lambda_request_set_interrupt(request, NULL, NULL), LAMBDA_OK);

    CHECK_INT(lambda_request_set_timeout_ms(request, 300), LAMBDA_OK);
    stream = lambda_invoke_stream(client, request);
    lambda_request_free(request);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_E_TIMEOUT);
    lambda_result_free(lambda_stream_finish(stream));
}

/* What was open before a fork is the parent's: the child leaves it alone, and makes its own. */
static void forks(const lambda_client *client) {
    const uint8_t *data;
    size_t len;
    lambda_stream *open = stream_of(client, "streamed", "chunk one\nchunk two\nsplit 3\nchunk three\ncomplete");
    lambda_stream *unbegun = stream_of(client, "counting", "1");
    CHECK_INT(lambda_stream_next(open, -1, &data, &len), LAMBDA_OK);
    pid_t child = fork();
    if (child == 0) {
        lambda_stream *streams[] = {open, unbegun};
        for (size_t i = 0; i < 2; i++) {
            lambda_stream_cancel(streams[i]);
            CHECK_INT(lambda_stream_next(streams[i], -1, &data, &len), LAMBDA_E_CANCELLED);
            lambda_result *result = lambda_stream_finish(streams[i]);
            CHECK_RESULT(result, LAMBDA_E_CANCELLED, i == 0 ? LAMBDA_EXECUTION_UNKNOWN : LAMBDA_EXECUTION_NONE);
            lambda_result_free(result);
        }
        a_handler_streams(client);
        _exit(check_done());
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    struct whole whole;
    read_to_end(open, &whole);
    CHECK_STRING(whole.data, "twothree");
    CHECK_RESULT(whole.result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(whole.result);
    lambda_result_free(lambda_stream_finish(unbegun));
}

/* A stream counts as a call under way until it is over, and outlives its client. */
static void connections(void) {
    const uint8_t *data;
    size_t len;
    lambda_config *config = lambda_config_new();
    CHECK_INT(lambda_config_set_max_connections(config, 1), LAMBDA_OK);
    CHECK_INT(lambda_config_set_timeout_ms(config, check_light() ? 5000 : 500), LAMBDA_OK);
    lambda_client *client = client_of(config);
    lambda_request *request = request_of("streamed", "chunk one\nstall");
    CHECK_INT(lambda_request_set_timeout_ms(request, 60000), LAMBDA_OK);
    lambda_stream *stream = lambda_invoke_stream(client, request);
    lambda_request_free(request);
    CHECK_INT(lambda_stream_next(stream, -1, &data, &len), LAMBDA_OK);
    lambda_result *result = invoke(client, "echo", "1");
    CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE);
    lambda_result_free(result);
    lambda_result_free(lambda_stream_finish(stream));
    result = invoke(client, "echo", "1");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    stream = stream_of(client, "counting", "2");
    lambda_client_free(client);
    struct whole whole;
    read_to_end(stream, &whole);
    CHECK_STRING(whole.data, "0\n1\n");
    lambda_result_free(whole.result);
}

int main(void) {
    lambda_client *client = default_client();
    a_handler_streams(client);
    ends(client);
    refusals(client);
    early_ends(client);
    forks(client);
    lambda_client_free(client);
    connections();
    return check_done();
}
