/* Calls of threads, a queue and streams in a storm: of signals that interrupt every system call, or of threads that are
 * cancelled at random moments. Every call succeeds with its own response, deadlines hold, and in the end memory, descriptors
 * and threads are back.
 *
 * usage: storms signals|cancel CALLS CA_FILE URL... */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../c/process.h"
#include "../c/queue.h"
#include "sound.h"

enum {
    MAX_URLS = 8,
    TIMEOUT_MS = 60000,
    /* Fewer than threads, so that a permit that is lost is missed. */
    CONNECTIONS = 3,
    /* How long a call to a silent server may take, and by how much it may be late. */
    SILENT_MS = 300,
    LATE_MS = 100,
    /* A cancelled thread runs for less than this. */
    CANCELLED_AFTER_US = 20000,
    CANCELLED_THREADS = 12
};

static lambda_client *clients[MAX_URLS];
static int url_count;
static lambda_queue *queue;
static uint64_t calls;
static atomic_uint_least64_t next_id;
static atomic_uint_least64_t accepted, completed;
static atomic_bool is_over;

static lambda_client *client_for(uint64_t id) {
    return clients[id % (uint64_t)url_count];
}

/* The three ways to call. Each makes one call, and lets go of everything if the thread is cancelled. */

static void free_result(void *result) {
    lambda_result_free(*(lambda_result **)result);
}

static void free_stream(void *stream) {
    if (*(lambda_stream **)stream != NULL) {
        lambda_result_free(lambda_stream_finish(*(lambda_stream **)stream));
    }
}

static void call_blocking(uint64_t id) {
    lambda_result *result = NULL;
    pthread_cleanup_push(free_result, &result);
    result = invoke_once(client_for(id), sound_request(id, TIMEOUT_MS));
    check_sound(result, id);
    pthread_testcancel();
    pthread_cleanup_pop(1);
}

static void call_streamed(uint64_t id) {
    lambda_stream *stream = NULL;
    lambda_request *request = sound_request(id, TIMEOUT_MS);
    pthread_cleanup_push(free_stream, &stream);
    stream = lambda_invoke_stream(client_for(id), request);
    lambda_request_free(request);
    const uint8_t *data = NULL;
    size_t length = 0;
    lambda_status status = LAMBDA_OK;
    while (status == LAMBDA_OK || status == LAMBDA_PENDING) {
        status = lambda_stream_next(stream, 5, &data, &length);
        pthread_testcancel();
    }
    lambda_result *result = lambda_stream_finish(stream);
    stream = NULL;
    check_sound(result, id);
    lambda_result_free(result);
    pthread_cleanup_pop(0);
}

static void take(int64_t wait_ms) {
    lambda_result *result = lambda_queue_next(queue, wait_ms);
    if (result != NULL) {
        check_sound(result, result->tag);
        atomic_fetch_add(&completed, 1);
    }
    lambda_result_free(result);
}

static void call_queued(uint64_t id) {
    CHECK_INT(submit_once(queue, client_for(id), sound_request(id, TIMEOUT_MS), id), LAMBDA_OK);
    atomic_fetch_add(&accepted, 1);
    pthread_testcancel();
    if (id % 2 == 0) {
        struct pollfd readable = {.fd = lambda_queue_fd(queue), .events = POLLIN};
        poll(&readable, 1, 20);
    }
    take(id % 2 == 0 ? 0 : 20);
    pthread_testcancel();
}

static void (*const ways[])(uint64_t id) = {call_blocking, call_queued, call_streamed};

enum { WAYS = sizeof ways / sizeof *ways };

static void *call_to_the_end(void *way) {
    for (uint64_t id; (id = atomic_fetch_add(&next_id, 1)) < calls;) {
        ways[*(int *)way](id);
    }
    return NULL;
}

static void *call_until_cancelled(void *way) {
    while (!atomic_load(&is_over)) {
        ways[*(int *)way](atomic_fetch_add(&next_id, 1));
    }
    return NULL;
}

/* Signals. */

static atomic_uint_least64_t handled;
static atomic_int handled_by_library;

static void handle(int number) {
    (void)number;
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    atomic_fetch_add(&handled, 1);
    atomic_fetch_add(&handled_by_library, strncmp(name, "lambda-", 7) == 0);
}

/* Interrupts every thread but its own, the library's too, as fast as it can. */
static void *interrupt_all(void *argument) {
    pid_t self = (pid_t)syscall(SYS_gettid), process = getpid();
    while (!atomic_load(&is_over)) {
        DIR *tasks = opendir("/proc/self/task");
        for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
            pid_t thread = (pid_t)atoi(task->d_name);
            if (thread > 0 && thread != self) {
                syscall(SYS_tgkill, process, thread, atomic_load(&handled) % 2 == 0 ? SIGUSR1 : SIGALRM);
            }
        }
        closedir(tasks);
        kill(process, SIGUSR1);
        usleep(100);
    }
    return argument;
}

static uint64_t cpu_of_thread_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Calls a server that accepts nothing and says nothing: the signals neither end the wait nor lengthen it, and the thread
 * sleeps in between. */
static void *call_a_silent_server(void *argument) {
    int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    CHECK_INT(bind(silent, (struct sockaddr *)&address, length), 0);
    CHECK_INT(listen(silent, 8), 0);
    CHECK_INT(getsockname(silent, (struct sockaddr *)&address, &length), 0);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    lambda_client *client = client_of(endpoint_config(url, argument));
    for (int i = 0; i < 4; i++) {
        uint64_t began = now_ms(), cpu = cpu_of_thread_us();
        lambda_result *result = invoke_once(client, sound_request(1, SILENT_MS));
        uint64_t took = now_ms() - began;
        cpu = cpu_of_thread_us() - cpu;
        CHECK_RESULT(result, LAMBDA_E_TIMEOUT, LAMBDA_EXECUTION_UNKNOWN);
        CHECK_AT_LEAST(took, SILENT_MS - 1);
        CHECK_AT_MOST(took, SILENT_MS + within_ms(LATE_MS));
        CHECK_AT_MOST(cpu, SILENT_MS * 1000 / 2);
        lambda_result_free(result);
    }
    lambda_client_free(client);
    close(silent);
    return NULL;
}

static void survive_signals(const char *ca_file) {
    /* Without SA_RESTART. */
    struct sigaction action = {.sa_handler = handle};
    CHECK_INT(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
    pthread_t storm, silent, threads[2 * WAYS];
    int numbers[2 * WAYS];
    CHECK_INT(pthread_create(&storm, NULL, interrupt_all, NULL), 0);
    CHECK_INT(pthread_create(&silent, NULL, call_a_silent_server, (void *)(uintptr_t)ca_file), 0);
    for (int i = 0; i < 2 * WAYS; i++) {
        numbers[i] = i % WAYS;
        CHECK_INT(pthread_create(&threads[i], NULL, call_to_the_end, &numbers[i]), 0);
    }
    for (int i = 0; i < 2 * WAYS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_join(silent, NULL);
    while (lambda_queue_in_flight(queue) > 0) {
        take(LONG_MS);
    }
    atomic_store(&is_over, true);
    pthread_join(storm, NULL);
    CHECK_INT(atomic_load(&handled_by_library), 0);
    CHECK_AT_LEAST(atomic_load(&handled), 1000);
    printf("%" PRIu64 " signals handled\n", (uint64_t)atomic_load(&handled));
}

/* Cancellation. */

static void *cancel_others(void *argument) {
    unsigned random = 1;
    while (!atomic_load(&is_over)) {
        pthread_t threads[CANCELLED_THREADS];
        int numbers[CANCELLED_THREADS];
        for (int i = 0; i < CANCELLED_THREADS; i++) {
            numbers[i] = i % WAYS;
            CHECK_INT(pthread_create(&threads[i], NULL, call_until_cancelled, &numbers[i]), 0);
        }
        for (int i = 0; i < CANCELLED_THREADS; i++) {
            random = random * 1103515245 + 12345;
            usleep(random / 65536 % (CANCELLED_AFTER_US / CANCELLED_THREADS));
            CHECK_INT(pthread_cancel(threads[i]), 0);
        }
        for (int i = 0; i < CANCELLED_THREADS; i++) {
            void *status = NULL;
            pthread_join(threads[i], &status);
            atomic_fetch_add((atomic_int *)argument, status == PTHREAD_CANCELED);
        }
    }
    return NULL;
}

static void survive_cancellation(void) {
    atomic_int cancelled = 0;
    pthread_t canceller, threads[WAYS];
    int numbers[WAYS];
    CHECK_INT(pthread_create(&canceller, NULL, cancel_others, &cancelled), 0);
    for (int i = 0; i < WAYS; i++) {
        numbers[i] = i;
        CHECK_INT(pthread_create(&threads[i], NULL, call_to_the_end, &numbers[i]), 0);
    }
    for (int i = 0; i < WAYS; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&is_over, true);
    pthread_join(canceller, NULL);
    while (lambda_queue_in_flight(queue) > 0) {
        take(LONG_MS);
    }
    CHECK_AT_LEAST(atomic_load(&cancelled), 20);
    printf("%d threads cancelled\n", atomic_load(&cancelled));
}

int main(int argc, char **argv) {
    if (argc < 5 || argc - 4 > MAX_URLS) {
        fprintf(stderr, "usage: storms signals|cancel CALLS CA_FILE URL...\n");
        return 2;
    }
    calls = strtoull(argv[2], NULL, 10);
    int descriptors = count_descriptors(), threads = count_threads();
    for (int i = 4; i < argc; i++) {
        lambda_config *config = endpoint_config(argv[i], argv[3]);
        lambda_config_set_max_connections(config, CONNECTIONS);
        clients[url_count++] = client_of(config);
    }
    queue = new_queue();
    if (strcmp(argv[1], "signals") == 0) {
        survive_signals(argv[3]);
    } else {
        survive_cancellation();
    }
    CHECK_INT(atomic_load(&completed), atomic_load(&accepted));
    for (int i = 0; i < url_count; i++) {
        lambda_client_free(clients[i]);
    }
    lambda_queue_free(queue);
    CHECK_INT(settled(count_threads, threads), threads);
    CHECK_INT(settled(count_descriptors, descriptors), descriptors);
    return check_done();
}
