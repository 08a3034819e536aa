/* Fails the n-th allocation of at least a given size in each of a list of operations, n = 1, 2, ..., alone or with all that
 * follow: the operation ends with the status or the NULL that the header promises, never with an abort. With SIZE 0 and
 * "lasting" all threads run out of memory too, and continue when there is memory again.
 *
 * usage: no_memory SIZE once|lasting CA_FILE URL */

#define _DEFAULT_SOURCE

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sound.h"

enum {
    /* More than the reserve can serve. */
    PAYLOAD = 1024 * 1024,
    MOST = 3000,
    THREADS_IN_A_SHORTAGE = 4,
    CALLS_IN_A_SHORTAGE = 50,
    QUEUED_IN_A_SHORTAGE = 8,
    OBJECTS_IN_A_SHORTAGE = 100000
};

/* glibc's own names for what this program replaces. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static size_t smallest;
static bool is_lasting;
/* Of the thread that is tested; 0: none fails. */
static __thread long allocations_left;
static size_t failed_size;
/* In every thread, the library's own too. */
static atomic_bool all_fail;

static bool fails(size_t size) {
    if (atomic_load(&all_fail)) {
        errno = ENOMEM;
        return true;
    }
    if (allocations_left == 0 || size < smallest) {
        return false;
    }
    if (allocations_left > 1) {
        allocations_left--;
        return false;
    }
    if (!is_lasting) {
        allocations_left = 0;
    }
    failed_size = size;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    return fails(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails(count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    return fails(size) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails(size) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **place, size_t alignment, size_t size) {
    if (fails(size)) {
        return ENOMEM;
    }
    *place = __libc_memalign(alignment, size);
    return *place == NULL ? ENOMEM : 0;
}

static lambda_config *config;
static lambda_client *client;
static lambda_request *request;
static char payload[PAYLOAD];

/* Operations: true if memory was found. They check what they get otherwise. */

static bool new_request(void) {
    lambda_request *made = lambda_request_new();
    allocations_left = 0;
    lambda_request_free(made);
    return made != NULL;
}

static bool new_config(void) {
    lambda_config *made = lambda_config_new();
    allocations_left = 0;
    lambda_config_free(made);
    return made != NULL;
}

static bool clone_request(void) {
    lambda_request *made = lambda_request_clone(request);
    allocations_left = 0;
    lambda_request_free(made);
    return made != NULL;
}

static bool set_payload(void) {
    lambda_status status = lambda_request_set_payload(request, payload, sizeof payload);
    allocations_left = 0;
    /* The reserve holds no payload as long as this one. */
    CHECK(status == LAMBDA_E_NO_MEMORY || (status == LAMBDA_OK && failed_size < PAYLOAD));
    lambda_result *result = lambda_invoke(client, request);
    CHECK_INT(result->status, status);
    lambda_result_free(result);
    return status == LAMBDA_OK;
}

static bool set_name(void) {
    lambda_status status = lambda_request_set_function_name(request, "f-2");
    allocations_left = 0;
    CHECK(status == LAMBDA_OK || status == LAMBDA_E_NO_MEMORY);
    return status == LAMBDA_OK;
}

static bool describe(void) {
    char *text = lambda_client_describe(client);
    allocations_left = 0;
    lambda_string_free(text);
    return text != NULL;
}

static bool invoke_it(void) {
    lambda_result *result = lambda_invoke(client, request);
    allocations_left = 0;
    CHECK(result != NULL);
    if (result->status != LAMBDA_OK) {
        CHECK_INT(result->status, LAMBDA_E_NO_MEMORY);
        CHECK(result->error_message != NULL);
    }
    bool found = result->status == LAMBDA_OK;
    lambda_result_free(result);
    return found;
}

static bool new_client(void) {
    lambda_client *made = NULL;
    lambda_error *error = NULL;
    lambda_status status = lambda_client_new(config, &made, &error);
    allocations_left = 0;
    CHECK(status == LAMBDA_OK || status == LAMBDA_E_NO_MEMORY);
    CHECK((made != NULL) == (status == LAMBDA_OK));
    lambda_client_free(made);
    lambda_error_free(error);
    return status == LAMBDA_OK;
}

static bool stream_it(void) {
    lambda_stream *stream = lambda_invoke_stream(client, request);
    const uint8_t *data = NULL;
    size_t length = 0;
    while (lambda_stream_next(stream, -1, &data, &length) == LAMBDA_OK) {}
    lambda_result *result = lambda_stream_finish(stream);
    allocations_left = 0;
    CHECK(result->status == LAMBDA_OK || result->status == LAMBDA_E_NO_MEMORY);
    bool found = result->status == LAMBDA_OK;
    lambda_result_free(result);
    return found;
}

/* The thread of the queue, which an allocator that fails in one thread does not reach, is made before. */
static bool submit_it(void) {
    lambda_queue *queue = NULL;
    CHECK_INT(lambda_queue_new(&queue, NULL), LAMBDA_OK);
    long n = allocations_left;
    allocations_left = 0;
    CHECK_INT(lambda_queue_submit(queue, client, request, 1), LAMBDA_OK);
    lambda_result_free(lambda_queue_next(queue, -1));
    allocations_left = n;
    lambda_status status = lambda_queue_submit(queue, client, request, 2);
    CHECK(status == LAMBDA_OK || status == LAMBDA_E_NO_MEMORY);
    /* Without memory for it, the result stays in the queue. */
    lambda_result *result = status == LAMBDA_OK ? lambda_queue_next(queue, -1) : NULL;
    allocations_left = 0;
    if (status == LAMBDA_OK && result == NULL) {
        result = lambda_queue_next(queue, -1);
        CHECK(result != NULL);
    }
    CHECK(result == NULL || result->status == LAMBDA_OK || result->status == LAMBDA_E_NO_MEMORY);
    bool found = result != NULL && result->status == LAMBDA_OK;
    lambda_result_free(result);
    lambda_queue_free(queue);
    return found;
}

static pthread_barrier_t shortage;

/* Calls in a shortage: each is made, or refused before anything was sent. A thread whose first call it is is refused. */
static void keep_calling(atomic_int *refused) {
    for (int i = 0; i < CALLS_IN_A_SHORTAGE; i++) {
        lambda_result *result = lambda_invoke(client, request);
        CHECK(result->status == LAMBDA_OK || result->status == LAMBDA_E_NO_MEMORY);
        CHECK_INT(result->execution, result->status == LAMBDA_OK ? LAMBDA_EXECUTION_RAN : LAMBDA_EXECUTION_NONE);
        atomic_fetch_add(refused, result->status == LAMBDA_E_NO_MEMORY);
        lambda_result_free(result);
    }
}

static void *call_before_and_in_a_shortage(void *refused) {
    lambda_result_free(lambda_invoke(client, request));
    pthread_barrier_wait(&shortage);
    pthread_barrier_wait(&shortage);
    keep_calling(refused);
    return NULL;
}

static void *call_in_a_shortage(void *refused) {
    pthread_barrier_wait(&shortage);
    pthread_barrier_wait(&shortage);
    keep_calling(refused);
    return NULL;
}

static void queue_calls(lambda_queue *queue) {
    uint64_t accepted = 0, completed = 0;
    for (uint64_t tag = 0; tag < QUEUED_IN_A_SHORTAGE; tag++) {
        lambda_status status = lambda_queue_submit(queue, client, request, tag);
        CHECK(status == LAMBDA_OK || status == LAMBDA_E_NO_MEMORY);
        accepted += status == LAMBDA_OK;
    }
    while (lambda_queue_in_flight(queue) > 0) {
        lambda_result *result = lambda_queue_next(queue, 100);
        if (result != NULL) {
            CHECK(result->status == LAMBDA_OK || result->status == LAMBDA_E_NO_MEMORY);
            completed++;
        }
        lambda_result_free(result);
    }
    CHECK_AT_LEAST(accepted, 1);
    CHECK_INT(completed, accepted);
}

/* A program that goes on without memory: it calls with several threads and a queue, and keeps what it makes, until it gets
 * nothing any more. With memory again, everything works again. */
static void outlast_a_shortage(void) {
    static lambda_request *kept[OBJECTS_IN_A_SHORTAGE];
    pthread_t threads[THREADS_IN_A_SHORTAGE];
    atomic_int refused = 0, refused_to_the_new = 0;
    int made = 0;
    lambda_queue *queue = NULL;
    CHECK_INT(lambda_queue_new(&queue, NULL), LAMBDA_OK);
    CHECK_INT(lambda_queue_submit(queue, client, request, 1), LAMBDA_OK);
    lambda_result_free(lambda_queue_next(queue, -1));
    CHECK_INT(pthread_barrier_init(&shortage, NULL, THREADS_IN_A_SHORTAGE + 1), 0);
    for (int i = 0; i < THREADS_IN_A_SHORTAGE; i++) {
        void *(*work)(void *) = i == 0 ? call_in_a_shortage : call_before_and_in_a_shortage;
        CHECK_INT(pthread_create(&threads[i], NULL, work, i == 0 ? &refused_to_the_new : &refused), 0);
    }
    pthread_barrier_wait(&shortage);
    atomic_store(&all_fail, true);
    pthread_barrier_wait(&shortage);
    queue_calls(queue);
    for (int i = 0; i < THREADS_IN_A_SHORTAGE; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(atomic_load(&refused_to_the_new), CALLS_IN_A_SHORTAGE);
    CHECK_INT(atomic_load(&refused), 0);
    while (made < OBJECTS_IN_A_SHORTAGE && (kept[made] = lambda_request_clone(request)) != NULL) {
        made++;
    }
    CHECK(made > 0 && made < OBJECTS_IN_A_SHORTAGE);
    keep_calling(&refused);
    CHECK_INT(atomic_load(&refused), CALLS_IN_A_SHORTAGE);
    CHECK_INT(lambda_request_set_function_name(kept[0], "f-3"), LAMBDA_E_NO_MEMORY);
    CHECK_INT(lambda_queue_submit(queue, client, request, 1), LAMBDA_E_NO_MEMORY);
    for (int i = 0; i < made; i++) {
        lambda_request_free(kept[i]);
    }
    CHECK_INT(lambda_request_set_function_name(request, "f-3"), LAMBDA_OK);
    atomic_store(&all_fail, false);
    lambda_queue_free(queue);
    lambda_result *result = lambda_invoke(client, request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
}

static const struct {
    const char *name;
    bool (*run)(void);
} operations[] = {{"lambda_request_new", new_request}, {"lambda_config_new", new_config},
    {"lambda_request_clone", clone_request}, {"lambda_request_set_payload", set_payload},
    {"lambda_request_set_function_name", set_name}, {"lambda_client_new", new_client},
    {"lambda_client_describe", describe}, {"lambda_invoke", invoke_it}, {"lambda_invoke_stream", stream_it},
    {"lambda_queue_submit", submit_it}};

enum { FAILED = 1, NOTHING_LEFT = 2 };

/* Runs an operation whose n-th allocation fails, in a process of its own. Returns its status, and which size failed. */
static int run(bool (*operation)(void), long n, size_t *size) {
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        /* Rust prints why it aborts. */
        fclose(stderr);
        failed_size = 0;
        allocations_left = n;
        bool found = operation();
        if (write(ends[1], &failed_size, sizeof failed_size) < 0) {
            _exit(FAILED);
        }
        bool has_failed = failed_size > 0;
        /* What failed may be found elsewhere: then the operation succeeds all the same. */
        _exit(check_done() != 0 || (!found && !has_failed) ? FAILED : has_failed ? 0 : NOTHING_LEFT);
    }
    close(ends[1]);
    *size = 0;
    CHECK(read(ends[0], size, sizeof *size) >= 0);
    close(ends[0]);
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: no_memory SIZE once|lasting CA_FILE URL\n");
        return 2;
    }
    smallest = strtoul(argv[1], NULL, 10);
    is_lasting = strcmp(argv[2], "lasting") == 0;
    config = endpoint_config(argv[4], argv[3]);
    CHECK_INT(lambda_client_new(config, &client, NULL), LAMBDA_OK);
    request = request_of("f-1", "{}");
    memset(payload, 'x', sizeof payload);
    if (smallest > 0) {
        lambda_request_set_payload(request, payload, sizeof payload);
    }
    /* What is made once. */
    lambda_result_free(lambda_invoke(client, request));

    for (size_t at = 0; at < sizeof operations / sizeof *operations; at++) {
        long n = 1;
        for (; n < MOST; n++) {
            size_t size = 0;
            int status = run(operations[at].run, n, &size);
            if (WIFEXITED(status) && WEXITSTATUS(status) == NOTHING_LEFT) {
                break;
            }
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                check_failed(__FILE__, __LINE__, "%s, allocation %ld of at least %zu bytes: wait status %d",
                    operations[at].name, n, smallest, status);
            }
        }
        printf("%s: %ld allocations failed\n", operations[at].name, n - 1);
        CHECK(n < MOST);
    }
    if (is_lasting && smallest == 0) {
        outlast_a_shortage();
    }
    lambda_request_free(request);
    lambda_client_free(client);
    lambda_config_free(config);
    return check_done();
}
