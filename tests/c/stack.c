/* A call, and one whose response is streamed, on a thread with a small stack. Each size that is given, in KiB, or the header's figure, has a process of its own:
 * too small a stack ends it. */

#include <pthread.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"

/* What the header says is enough for any call. */
enum { ENOUGH = 96 };

static void *call(void *client) {
    lambda_result *result = invoke(client, "echo", "1");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    lambda_request *request = request_of("counting", "3");
    lambda_stream *stream = lambda_invoke_stream(client, request);
    lambda_request_free(request);
    const uint8_t *data;
    size_t len;
    while (lambda_stream_next(stream, -1, &data, &len) == LAMBDA_OK) {}
    result = lambda_stream_finish(stream);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    return NULL;
}

static void calls_with(size_t stack) {
    lambda_client *client = default_client();
    pthread_attr_t attributes;
    CHECK_INT(pthread_attr_init(&attributes), 0);
    CHECK_INT(pthread_attr_setstacksize(&attributes, stack), 0);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, &attributes, call, client), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(pthread_attr_destroy(&attributes), 0);
    lambda_client_free(client);
}

static void is_enough(size_t kib) {
    pid_t child = fork();
    if (child == 0) {
        /* Not those of sizes before this one. */
        atomic_store(&check_failures, 0);
        calls_with(kib * 1024);
        _exit(check_done());
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    if (status != 0) {
        check_failed(__FILE__, __LINE__, "%zu KiB of stack: wait status %d", kib, status);
    }
}

int main(int argc, char **argv) {
    if (argc == 1) {
        is_enough(ENOUGH);
    }
    for (int i = 1; i < argc; i++) {
        is_enough(strtoul(argv[i], NULL, 10));
    }
    return check_done();
}
