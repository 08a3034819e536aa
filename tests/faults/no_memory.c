/* Fails the n-th allocation of at least a given size in each of a list of operations, n = 1, 2, ...: the operation ends with
 * the status or the NULL that the header promises, never with an abort.
 *
 * usage: no_memory SIZE CA_FILE URL
 *
 * The header excepts small allocations and a connection's read buffer. With SIZE 0 they fail too, and the program prints what
 * ended with an abort, as "operation: n (bytes), ...". */

#define _DEFAULT_SOURCE

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../c/call.h"

enum {
    /* More than a connection's read buffer, which the header excepts. */
    PAYLOAD = 1024 * 1024,
    MOST = 3000
};

/* glibc's own names for what this program replaces. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static size_t smallest;
/* Of the thread that is tested; 0: none fails. */
static __thread long allocations_left;
static size_t failed_size;

static bool fails(size_t size) {
    if (allocations_left == 0 || size < smallest || --allocations_left > 0) {
        return false;
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
    CHECK(status == LAMBDA_OK || status == LAMBDA_E_NO_MEMORY);
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

static const struct {
    const char *name;
    bool (*run)(void);
} operations[] = {{"lambda_request_new", new_request}, {"lambda_config_new", new_config},
    {"lambda_request_clone", clone_request}, {"lambda_request_set_payload", set_payload},
    {"lambda_request_set_function_name", set_name}, {"lambda_client_describe", describe}, {"lambda_invoke", invoke_it}};

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
    if (argc != 4) {
        fprintf(stderr, "usage: no_memory SIZE CA_FILE URL\n");
        return 2;
    }
    smallest = strtoul(argv[1], NULL, 10);
    lambda_config *config = lambda_config_new();
    lambda_config_set_region(config, "us-east-1");
    lambda_config_set_endpoint_url(config, argv[3]);
    lambda_config_set_credentials(config, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL);
    lambda_config_set_ca_bundle(config, argv[2]);
    lambda_config_set_proxy(config, "");
    client = client_of(config);
    request = request_of("f-1", "{}");
    memset(payload, 'x', sizeof payload);
    lambda_request_set_payload(request, payload, sizeof payload);
    /* What is made once. */
    lambda_result_free(lambda_invoke(client, request));

    for (size_t at = 0; at < sizeof operations / sizeof *operations; at++) {
        printf("%s:", operations[at].name);
        long n = 1, failed = 0;
        for (; n < MOST; n++) {
            size_t size = 0;
            int status = run(operations[at].run, n, &size);
            if (WIFEXITED(status) && WEXITSTATUS(status) == NOTHING_LEFT) {
                break;
            }
            failed++;
            if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && smallest == 0) {
                printf(" %ld", n);
            } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                check_failed(__FILE__, __LINE__, "%s, allocation %ld of at least %zu bytes: wait status %d",
                    operations[at].name, n, smallest, status);
            }
        }
        printf(" (%ld allocations)\n", failed);
        CHECK(n < MOST);
    }
    lambda_request_free(request);
    lambda_client_free(client);
    return check_done();
}
