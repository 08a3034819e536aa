/* What the C programs of the benchmark share. Each takes the arguments URL CASE CALLS IN_FLIGHT SIZE, after its own, and
 * prints one JSON line. */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The functions of the endpoint that a burst invokes; each takes 1 s, so that all calls of a burst
 * are in flight at once. */
static const char *const BURST[] = {"burst-1000", "again-1000"};
enum { PAUSE_SECONDS = 1 };

struct bench {
    const char *url, *name;
    int calls, in_flight;
    size_t size;
    char *payload;
};

static inline void check(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static inline struct bench bench_from(int argc, char **argv) {
    check(argc == 6, "usage: URL CASE CALLS IN_FLIGHT SIZE");
    struct bench bench = {argv[1], argv[2], atoi(argv[3]), atoi(argv[4]), (size_t)atoll(argv[5]), NULL};
    bench.payload = malloc(bench.size);
    check(bench.payload != NULL && bench.size >= 2, "SIZE cannot be allocated");
    memset(bench.payload, 'a', bench.size);
    bench.payload[0] = bench.payload[bench.size - 1] = '"';
    return bench;
}

static inline int bench_is(const struct bench *bench, const char *name) {
    return strcmp(bench->name, name) == 0;
}

/* How many calls each thread, or each slot in flight, makes before the measurement. */
static inline int bench_warm_up(const struct bench *bench) {
    int calls = bench->calls / bench->in_flight / 10;
    return calls < 2 ? 2 : calls;
}

static inline double bench_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The CPU time, of all threads, and the wall time, in microseconds. */
struct meter {
    double cpu, wall;
};

static inline struct meter meter_start(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    double micros = (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    return (struct meter){seconds * 1e6 + micros, bench_clock(CLOCK_MONOTONIC)};
}

static inline long bench_rss_kib(void) {
    long kib = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    check(status != NULL, "/proc/self/status cannot be opened");
    while (fgets(line, sizeof line, status) != NULL && sscanf(line, "VmRSS: %ld", &kib) != 1) {}
    fclose(status);
    return kib;
}

static inline void meter_finish(struct meter start, int calls, double first_byte_us) {
    struct meter end = meter_start();
    printf("{\"cpu_us\": %.2f, \"wall_us\": %.2f, \"rss_kib\": %ld", (end.cpu - start.cpu) / calls,
        (end.wall - start.wall) / calls, bench_rss_kib());
    if (first_byte_us >= 0) {
        printf(", \"first_byte_us\": %.2f", first_byte_us);
    }
    printf("}\n");
}

/* What each thread of a blocking client runs: makes its calls, of which it measures none. */
typedef void (*bench_calls_fn)(void *state, const char *function, int calls);

/* Makes and frees what one thread needs. */
typedef struct {
    void *(*make)(const struct bench *bench);
    bench_calls_fn calls;
    void (*release)(void *state);
} bench_client;

struct bench_thread {
    const struct bench *bench;
    const bench_client *client;
    pthread_barrier_t *ready, *go, *done;
    const char *function;
};

static inline void *bench_run_thread(void *argument) {
    const struct bench_thread *thread = argument;
    void *state = thread->client->make(thread->bench);
    if (thread->function != NULL) {
        pthread_barrier_wait(thread->ready);
        thread->client->calls(state, thread->function, 1);
    } else {
        thread->client->calls(state, "f", bench_warm_up(thread->bench));
        pthread_barrier_wait(thread->ready);
        pthread_barrier_wait(thread->go);
        thread->client->calls(state, "f", thread->bench->calls / thread->bench->in_flight);
        pthread_barrier_wait(thread->done);
    }
    thread->client->release(state);
    return NULL;
}

/* Runs the threads of a case. If there is a function, each thread invokes it once, and nothing is measured. */
static inline void bench_run_threads(const struct bench *bench, const bench_client *client, const char *function) {
    pthread_barrier_t ready, go, done;
    unsigned threads = (unsigned)bench->in_flight;
    pthread_barrier_init(&ready, NULL, threads + (function == NULL));
    pthread_barrier_init(&go, NULL, threads + 1);
    pthread_barrier_init(&done, NULL, threads + 1);
    struct bench_thread thread = {bench, client, &ready, &go, &done, function};
    pthread_t *ids = calloc(threads, sizeof *ids);
    for (unsigned i = 0; i < threads; i++) {
        check(pthread_create(&ids[i], NULL, bench_run_thread, &thread) == 0, "a thread cannot be started");
    }
    if (function == NULL) {
        pthread_barrier_wait(&ready);
        struct meter meter = meter_start();
        pthread_barrier_wait(&go);
        pthread_barrier_wait(&done);
        meter_finish(meter, bench->calls / bench->in_flight * bench->in_flight, -1);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    free(ids);
}

/* Runs a case with a client that blocks. */
static inline void bench_block(const struct bench *bench, const bench_client *client) {
    if (bench_is(bench, "burst")) {
        bench_run_threads(bench, client, BURST[0]);
        sleep(PAUSE_SECONDS);
        bench_run_threads(bench, client, BURST[1]);
        meter_finish(meter_start(), 1, -1);
    } else if (bench->in_flight > 1) {
        bench_run_threads(bench, client, NULL);
    } else {
        void *state = client->make(bench);
        int is_first = bench_is(bench, "first");
        if (!is_first) {
            client->calls(state, "f", bench_warm_up(bench));
        }
        struct meter meter = meter_start();
        client->calls(state, "f", is_first ? 1 : bench->calls);
        meter_finish(meter, is_first ? 1 : bench->calls, -1);
        client->release(state);
    }
}

#endif
