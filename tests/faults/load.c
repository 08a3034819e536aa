/* Many threads call with one client in few descriptors: every call succeeds, memory stays where it was after the first ones,
 * and descriptors and threads come back.
 *
 * usage: load DESCRIPTORS THREADS CALLS CA_FILE URL */

#define _DEFAULT_SOURCE

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../c/call.h"
#include "../c/process.h"

enum {
    MAX_THREADS = 1024,
    TIMEOUT_MS = 120000,
    /* When resident memory must have reached its level. */
    WARM = 10000,
    GROWTH_KIB = 8 * 1024
};

static lambda_client *client;
static uint64_t calls;
static atomic_uint_least64_t next_call;
static _Atomic long warm_kib;

static long resident_kib(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    /* Without a descriptor left it is not known. */
    if (file != NULL) {
        CHECK(fscanf(file, "%*d %ld", &pages) == 1);
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void *work(void *argument) {
    for (uint64_t id; (id = atomic_fetch_add(&next_call, 1)) < calls;) {
        char name[32], owner[32];
        snprintf(name, sizeof name, "f-%" PRIu64, id);
        snprintf(owner, sizeof owner, "%" PRIu64 "-1", id);
        lambda_request *request = request_of(name, "{}");
        CHECK_INT(lambda_request_set_timeout_ms(request, TIMEOUT_MS), LAMBDA_OK);
        lambda_result *result = invoke_once(client, request);
        CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
        CHECK_INT(result->attempts, 1);
        CHECK_STRING(result->request_id, owner);
        lambda_result_free(result);
        if (id == WARM) {
            atomic_store(&warm_kib, resident_kib());
        }
    }
    return argument;
}

static uint64_t cpu_ms(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Threads of lookups end a moment after the last call. */
static int settled(int (*count)(void), int expected) {
    for (int i = 0; i < 500 && count() != expected; i++) {
        sleep_ms(10);
    }
    return count();
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: load DESCRIPTORS THREADS CALLS CA_FILE URL\n");
        return 2;
    }
    struct rlimit limit = {strtoul(argv[1], NULL, 10), strtoul(argv[1], NULL, 10)};
    int threads = atoi(argv[2]);
    calls = strtoull(argv[3], NULL, 10);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int descriptors = count_descriptors(), threads_before = count_threads();

    lambda_config *config = lambda_config_new();
    lambda_config_set_region(config, "us-east-1");
    lambda_config_set_endpoint_url(config, argv[5]);
    lambda_config_set_credentials(config, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NULL);
    lambda_config_set_ca_bundle(config, argv[4]);
    lambda_config_set_proxy(config, "");
    client = client_of(config);

    static pthread_t started[MAX_THREADS];
    uint64_t began = now_ms();
    for (int i = 0; i < threads && i < MAX_THREADS; i++) {
        CHECK_INT(pthread_create(&started[i], NULL, work, NULL), 0);
    }
    for (int i = 0; i < threads && i < MAX_THREADS; i++) {
        CHECK_INT(pthread_join(started[i], NULL), 0);
    }
    uint64_t took = now_ms() - began;
    long end = resident_kib(), warm = atomic_load(&warm_kib);
    if (warm > 0) {
        CHECK_AT_MOST(end, warm + GROWTH_KIB);
    }
    lambda_client_free(client);
    CHECK_INT(settled(count_threads, threads_before), threads_before);
    CHECK_INT(settled(count_descriptors, descriptors), descriptors);
    printf("%" PRIu64 " calls of %d threads in %lu descriptors: %" PRIu64 " ms, CPU %" PRIu64
           " ms, resident KiB %ld after %d calls, %ld at the end\n",
        calls, threads, (unsigned long)limit.rlim_cur, took, cpu_ms(), warm, WARM, end);
    return check_done();
}
