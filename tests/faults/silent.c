/* Calls on a network that becomes silent in the middle of them: they end at their deadline, with what is known of the function,
 * and the next call succeeds as soon as the network is back, or at once where only the old connections are dead. TCP finds out
 * about those by itself, in a minute; here in DEAD_AFTER_MS.
 *
 * usage: silent URL, in silent_network.py */

#define _DEFAULT_SOURCE

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../c/process.h"
#include "../c/queue.h"

enum { LARGE = 6 * 1000 * 1000, CONNECT_MS = 250, DEADLINE_MS = 500, EARLY_MS = 1 };

/* Calls at once, each on a connection of its own; as many as "together" in silent_network.py waits for. */
enum { TOGETHER = 4 };

/* TCP's options: what the library sets, and what this program makes of it. With a user timeout that alone ends a connection. */
enum { DEAD_AFTER_MS = 3000 };

static struct {
    int name, set, faster;
    atomic_int count;
} options[] = {{TCP_KEEPIDLE, 30, 1, 0}, {TCP_KEEPINTVL, 10, 1, 0}, {TCP_KEEPCNT, 3, 3, 0},
    {TCP_USER_TIMEOUT, 60000, DEAD_AFTER_MS, 0}};

/* What a busy machine may take: here nothing else would end a call for 60 s. test_faults.py measures exactly. */
enum { LATE_MS = 2000 };

static const char *url;
static char large[LARGE];

/* Takes the place of the C library's. */
int setsockopt(int descriptor, int level, int name, const void *value, socklen_t length) {
    int faster = 0;
    for (size_t i = 0; level == IPPROTO_TCP && i < sizeof options / sizeof *options; i++) {
        if (name == options[i].name) {
            CHECK_INT(length, sizeof faster);
            memcpy(&faster, value, sizeof faster);
            CHECK_INT(faster, options[i].set);
            faster = options[i].faster;
            value = &faster;
            options[i].count++;
        }
    }
    return (int)syscall(SYS_setsockopt, descriptor, level, name, value, length);
}

static lambda_client *new_client(uint64_t connect_ms) {
    lambda_config *config = lambda_config_new();
    lambda_config_set_region(config, "us-east-1");
    lambda_config_set_endpoint_url(config, url);
    lambda_config_set_credentials(config, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL);
    lambda_config_set_proxy(config, "");
    lambda_config_set_connect_timeout_ms(config, connect_ms);
    return client_of(config);
}

/* Changes the network: "silence" drops everything, "forget" what belongs to a connection that there is now, and "restore" ends
 * both. */
static void network(const char *command) {
    char line[16], answer[5];
    int length = snprintf(line, sizeof line, "%s\n", command);
    CHECK_INT(write(STDOUT_FILENO, line, (size_t)length), length);
    for (size_t got = 0; got < sizeof answer;) {
        ssize_t count = read(STDIN_FILENO, answer + got, sizeof answer - got);
        if (count <= 0) {
            check_failed(__FILE__, __LINE__, "the server is gone");
            exit(1);
        }
        got += (size_t)count;
    }
}

/* The three drivers. */

static lambda_result *call_blocking(const lambda_client *client, const lambda_request *request) {
    return lambda_invoke(client, request);
}

static _Thread_local lambda_queue *queue;

static lambda_result *call_queued(const lambda_client *client, const lambda_request *request) {
    CHECK_INT(lambda_queue_submit(queue, client, request, 0), LAMBDA_OK);
    return lambda_queue_next(queue, LONG_MS);
}

static lambda_result *call_streamed(const lambda_client *client, const lambda_request *request) {
    lambda_stream *stream = lambda_invoke_stream(client, request);
    const uint8_t *data = NULL;
    size_t length = 0;
    while (lambda_stream_next(stream, -1, &data, &length) == LAMBDA_OK) {}
    return lambda_stream_finish(stream);
}

static const struct driver {
    const char *name;
    lambda_result *(*call)(const lambda_client *client, const lambda_request *request);
} drivers[] = {{"blocking", call_blocking}, {"queue", call_queued}, {"stream", call_streamed}};

/* A call, and how it must end: after so many milliseconds; 0: at once. */
struct expected {
    const char *function;
    size_t length;
    uint64_t deadline_ms;
    lambda_status status;
    int32_t execution;
    uint64_t ends_after_ms;
};

static void call_as(const struct driver *driver, const lambda_client *client, const struct expected *expected) {
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, expected->function);
    lambda_request_set_payload(request, large, expected->length);
    lambda_request_set_retry(request, LAMBDA_RETRY_NONE);
    lambda_request_set_timeout_ms(request, expected->deadline_ms);
    uint64_t began = now_ms();
    lambda_result *result = driver->call(client, request);
    uint64_t took = now_ms() - began;
    if (result->status != expected->status || result->execution != expected->execution || result->attempts > 1 ||
        took > expected->ends_after_ms + LATE_MS || took + EARLY_MS < expected->ends_after_ms) {
        check_failed(__FILE__, __LINE__,
            "%s, %s: %s, execution %d, attempt %u after %" PRIu64 " ms, not %s, %d after %" PRIu64 " ms: %s",
            driver->name, expected->function, lambda_status_name(result->status), result->execution, result->attempts,
            took, lambda_status_name(expected->status), expected->execution, expected->ends_after_ms,
            check_show(result->error_message));
    }
    lambda_result_free(result);
    lambda_request_free(request);
}

static void call(const struct driver *driver, const lambda_client *client, const char *function, size_t length,
    lambda_status status, int32_t execution, uint64_t ends_after_ms) {
    struct expected expected = {function, length, DEADLINE_MS, status, execution, ends_after_ms};
    call_as(driver, client, &expected);
}

static void call_soundly(const struct driver *driver, const lambda_client *client) {
    call(driver, client, "sound", 2, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 0);
}

static const struct {
    const char *function;
    size_t length;
    int32_t execution;
} moments[] = {{"sending", LARGE, LAMBDA_EXECUTION_UNKNOWN}, {"waiting", 2, LAMBDA_EXECUTION_UNKNOWN},
    {"waiting", LARGE, LAMBDA_EXECUTION_UNKNOWN}, {"reading", 2, LAMBDA_EXECUTION_RAN}};

/* The network becomes silent during a call, on a new connection and on one that was used before. */
static void silent_during_a_call(const struct driver *driver) {
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        lambda_client *client = new_client(CONNECT_MS);
        for (int round = 0; round < 2; round++) {
            call(driver, client, moments[i].function, moments[i].length, LAMBDA_E_TIMEOUT, moments[i].execution,
                DEADLINE_MS);
            network("restore");
            call_soundly(driver, client);
        }
        lambda_client_free(client);
    }
}

/* Nothing was sent: neither the connect timeout nor the deadline leave anything open. */
static void silent_before_a_connection(const struct driver *driver) {
    lambda_client *client = new_client(CONNECT_MS), *patient = new_client(10 * DEADLINE_MS);
    network("silence");
    call(driver, client, "sound", 2, LAMBDA_E_CONNECT, LAMBDA_EXECUTION_NONE, CONNECT_MS);
    call(driver, patient, "sound", 2, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_NONE, DEADLINE_MS);
    network("restore");
    call_soundly(driver, client);
    call_soundly(driver, patient);
    lambda_client_free(client);
    lambda_client_free(patient);
}

/* A NAT forgets an idle connection: its next request is lost, and the call after that makes a new connection. */
static void forgotten_while_idle(const struct driver *driver) {
    lambda_client *client = new_client(CONNECT_MS);
    call_soundly(driver, client);
    network("forget");
    call(driver, client, "sound", 2, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN, DEADLINE_MS);
    call_soundly(driver, client);
    call_soundly(driver, client);

    /* A program that knows of it closes them. */
    network("forget");
    lambda_client_release_idle(client);
    call_soundly(driver, client);
    lambda_client_free(client);
    network("restore");
}

/* Calls at once. */

struct thread {
    pthread_t id;
    const struct driver *driver;
    const lambda_client *client;
    lambda_queue *queue;
    struct expected expected;
};

static void *run_thread(void *argument) {
    struct thread *thread = argument;
    queue = thread->queue;
    call_as(thread->driver, thread->client, &thread->expected);
    return NULL;
}

static void call_at_once(struct thread *threads, size_t count) {
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(pthread_create(&threads[i].id, NULL, run_thread, &threads[i]), 0);
    }
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(pthread_join(threads[i].id, NULL), 0);
    }
}

static void call_together(const struct driver *driver, const lambda_client *client, struct expected expected) {
    struct thread threads[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        threads[i] = (struct thread){.driver = driver, .client = client, .queue = queue, .expected = expected};
    }
    call_at_once(threads, TOGETHER);
}

static const struct expected together = {"together", 2, LONG_MS, LAMBDA_OK, LAMBDA_EXECUTION_RAN, 0};

/* All idle connections are forgotten: each call that gets one ends at its deadline, and claims nothing. Afterwards none is left. */
static void forgotten_while_many_are_idle(const struct driver *driver) {
    lambda_client *client = new_client(CONNECT_MS);
    call_together(driver, client, together);
    network("forget");
    call_together(driver, client,
        (struct expected){"sound", 2, DEADLINE_MS, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN, DEADLINE_MS});
    call_together(driver, client, together);
    lambda_client_free(client);
    network("restore");
}

static int count_established(void) {
    FILE *connections = fopen("/proc/self/net/tcp", "r");
    if (connections == NULL) {
        return -1;
    }
    int count = 0;
    for (char line[256]; fgets(line, sizeof line, connections) != NULL;) {
        unsigned state = 0;
        count += sscanf(line, " %*[^:]: %*s %*s %x", &state) == 1 && state == TCP_ESTABLISHED;
    }
    fclose(connections);
    return count;
}

/* TCP has found out that all idle connections are dead: no call uses one. */
static void known_dead_while_idle(void) {
    enum { COUNT = sizeof drivers / sizeof *drivers };
    lambda_client *clients[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        clients[i] = new_client(CONNECT_MS);
        call_together(&drivers[i], clients[i], together);
    }
    CHECK_INT(count_established(), COUNT * TOGETHER);
    network("forget");
    CHECK_INT(settled(count_established, 0), 0);
    for (size_t i = 0; i < COUNT; i++) {
        call_together(&drivers[i], clients[i], together);
        lambda_client_free(clients[i]);
    }
    network("restore");
}

/* A connection is forgotten during a call whose deadline is far away: TCP ends the call. */
static void known_dead_during_a_call(void) {
    static const struct expected rows[] = {
        {"forgotten_sending", LARGE, LONG_MS, LAMBDA_E_IO, LAMBDA_EXECUTION_UNKNOWN, DEAD_AFTER_MS},
        {"forgotten_waiting", 2, LONG_MS, LAMBDA_E_IO, LAMBDA_EXECUTION_UNKNOWN, DEAD_AFTER_MS},
        {"forgotten_reading", 2, LONG_MS, LAMBDA_E_IO, LAMBDA_EXECUTION_RAN, DEAD_AFTER_MS},
    };
    enum { ROWS = sizeof rows / sizeof *rows, COUNT = ROWS * sizeof drivers / sizeof *drivers };
    lambda_client *client = new_client(CONNECT_MS);
    struct thread threads[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        threads[i] = (struct thread){
            .driver = &drivers[i / ROWS], .client = client, .queue = new_queue(), .expected = rows[i % ROWS]};
    }
    call_at_once(threads, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        call_soundly(threads[i].driver, client);
        lambda_queue_free(threads[i].queue);
    }
    lambda_client_free(client);
    network("restore");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: silent URL\n");
        return 2;
    }
    url = argv[1];
    memset(large, ' ', sizeof large);
    memcpy(large, "{}", 2);
    int descriptors = count_descriptors(), threads = count_threads();
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        queue = new_queue();
        silent_during_a_call(&drivers[i]);
        silent_before_a_connection(&drivers[i]);
        forgotten_while_idle(&drivers[i]);
        forgotten_while_many_are_idle(&drivers[i]);
        lambda_queue_free(queue);
    }
    queue = new_queue();
    known_dead_while_idle();
    known_dead_during_a_call();
    lambda_queue_free(queue);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        CHECK_AT_LEAST(options[i].count, 1);
    }
    CHECK_INT(settled(count_threads, threads), threads);
    CHECK_INT(settled(count_descriptors, descriptors), descriptors);
    return check_done();
}
