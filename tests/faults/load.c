/* Many threads call with one client in few descriptors: every call succeeds, memory stays where it was after the first ones,
 * and descriptors and threads come back.
 *
 * usage: load DESCRIPTORS THREADS CALLS CA_FILE URL */

#define _DEFAULT_SOURCE

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../c/process.h"
#include "sound.h"

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
        lambda_result *result = invoke_once(client, sound_request(id, TIMEOUT_MS));
        check_sound(result, id);
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

    client = client_of(endpoint_config(argv[5], argv[4]));

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
