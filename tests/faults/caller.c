/* Makes calls to the fault-injecting endpoint from many threads, and writes what each was reported as.
 *
 * usage: caller SEED FIRST CALLS THREADS DRIVER REPORT CA_FILE URL...
 *
 * Everything about a call is drawn from the seed and its number, so one call can be made again alone. A thread makes its
 * calls with one driver; see `drivers`. DRIVER is the name of one, or "all". */

#define _DEFAULT_SOURCE

#include <lambda_invoke.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../c/process.h"
#include "sound.h"

enum {
    MAX_URLS = 16,
    MAX_THREADS = 1024,
    LARGE = 200000,
    /* A client is replaced after so many calls: its retry quota would be used up, and clients are to come and go. */
    CALLS_OF_A_CLIENT = 150,
    /* How many queues are in use at once. */
    DESKS = 2,
    /* A queue is replaced after so many calls, and has at most so many at once. */
    CALLS_OF_A_QUEUE = 200,
    CALLS_AT_ONCE = 24,
    /* A thread that waits for completions looks this often for calls that hang. It is longer than a call may be late, so
     * a completion that nobody is woken for shows. */
    LOOK_EVERY_MS = 500,
    /* How long a call runs for each poll of its interrupt, where a thread cancels it instead. */
    CANCEL_STEP_US = 50000,
    /* A call that is late by so much hangs. */
    HANGS_AFTER_MS = 15000,
    /* When resident memory must have reached its level. */
    WARM = 10000
};

static uint64_t seed;
static uint64_t calls;
static const char *ca_file;
static FILE *report;
static atomic_uint_least64_t next_call;
static _Atomic uint64_t done;

static uint64_t mixed(uint64_t *state) {
    uint64_t value = (*state += UINT64_C(0x9E3779B97F4A7C15));
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

static unsigned below(uint64_t *state, unsigned limit) {
    return (unsigned)(mixed(state) % limit);
}

/* FNV-1a, as the endpoint's. */
static uint64_t hash(const uint8_t *bytes, size_t length) {
    uint64_t value = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < length; i++) {
        value = (value ^ bytes[i]) * UINT64_C(0x100000001B3);
    }
    return value;
}

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static _Noreturn void give_up(const char *what, const char *why) {
    fprintf(stderr, "caller: %s: %s\n", what, why);
    exit(2);
}

/* Clients, which threads share. */

struct shared_client {
    lambda_client *client;
    unsigned users;
    unsigned calls_left;
};

static struct {
    const char *url;
    pthread_mutex_t lock;
    struct shared_client *current;
} places[MAX_URLS];
static unsigned place_count;

static lambda_config *new_config(const char *url) {
    lambda_config *config = endpoint_config(url, ca_file);
    lambda_config_set_connect_timeout_ms(config, 400);
    return config;
}

static struct shared_client *new_client(const char *url) {
    lambda_config *config = new_config(url);
    struct shared_client *made = calloc(1, sizeof *made);
    lambda_error *error = NULL;
    if (made == NULL || lambda_client_new(config, &made->client, &error) != LAMBDA_OK) {
        give_up(url, lambda_error_message(error));
    }
    lambda_config_free(config);
    made->users = 1;
    made->calls_left = CALLS_OF_A_CLIENT;
    return made;
}

static void let_go(struct shared_client *shared) {
    if (--shared->users == 0) {
        lambda_client_free(shared->client);
        free(shared);
    }
}

static struct shared_client *take_client(unsigned place) {
    pthread_mutex_lock(&places[place].lock);
    struct shared_client *current = places[place].current;
    if (current == NULL || current->calls_left == 0) {
        if (current != NULL) {
            let_go(current);
        }
        current = places[place].current = new_client(places[place].url);
    }
    current->calls_left--;
    current->users++;
    pthread_mutex_unlock(&places[place].lock);
    return current;
}

static void give_back(unsigned place, struct shared_client *shared) {
    pthread_mutex_lock(&places[place].lock);
    let_go(shared);
    pthread_mutex_unlock(&places[place].lock);
}

/* Calls. */

struct call {
    uint64_t id;
    unsigned place;
    int32_t type;
    int32_t retry;
    uint64_t timeout_ms;
    /* After how many polls its interrupt ends it; 0: never. In a queue it is cancelled instead. */
    int interrupted_after;
    size_t length;
    uint8_t *payload;
};

static const char *const types[] = {"RequestResponse", "Event", "DryRun"};
static const char *const retries[] = {"SAFE", "NONE", "ALWAYS"};
static const char *const executions[] = {"UNKNOWN", "NONE", "RAN", "QUEUED"};

static struct call draw_call(uint64_t id) {
    static const unsigned timeouts[] = {20, 60, 150, 150, 400, 400, 1000, 1000, 2500};
    uint64_t state = seed ^ (id * UINT64_C(0xD6E8FEB86659FD93));
    mixed(&state);
    struct call call = {.id = id, .place = below(&state, place_count)};
    unsigned type = below(&state, 10);
    call.type = type < 7   ? LAMBDA_INVOCATION_REQUEST_RESPONSE
                : type < 9 ? LAMBDA_INVOCATION_EVENT
                           : LAMBDA_INVOCATION_DRY_RUN;
    call.retry = (int32_t)below(&state, 3);
    call.timeout_ms = timeouts[below(&state, sizeof timeouts / sizeof *timeouts)];
    call.interrupted_after = below(&state, 20) == 0 ? 1 + (int)below(&state, 4) : 0;
    unsigned size = below(&state, 10);
    call.length = size < 2 ? 0 : size < 8 ? 30 + below(&state, 300) : LARGE;
    if (call.length > 0) {
        call.payload = malloc(call.length);
        int written = snprintf((char *)call.payload, call.length, "{\"id\":\"%" PRIu64 "\",\"x\":\"", id);
        memset(call.payload + written, 'a' + (int)below(&state, 26), call.length - (size_t)written);
        memcpy(call.payload + call.length - 2, "\"}", 2);
    }
    return call;
}

static int32_t count_down(void *user_data) {
    int *left = user_data;
    return *left > 0 && --*left == 0;
}

static lambda_request *request_for(const struct call *call, int *polls_left) {
    lambda_request *request = lambda_request_new();
    char name[32];
    snprintf(name, sizeof name, "f-%" PRIu64, call->id);
    lambda_request_set_function_name(request, name);
    lambda_request_set_payload(request, call->payload, call->length);
    lambda_request_set_invocation_type(request, call->type);
    lambda_request_set_retry(request, call->retry);
    lambda_request_set_timeout_ms(request, call->timeout_ms);
    if (polls_left != NULL && call->interrupted_after > 0) {
        *polls_left = call->interrupted_after;
        lambda_request_set_interrupt(request, count_down, polls_left);
    }
    return request;
}

/* The call that a payload names, -1 if none. */
static int64_t owner_of(const lambda_result *result) {
    static const char begin[] = "{\"id\":\"";
    if (result->payload_len < sizeof begin || memcmp(result->payload, begin, sizeof begin - 1) != 0) {
        return -1;
    }
    char *end = NULL;
    int64_t owner = strtoll((const char *)result->payload + sizeof begin - 1, &end, 10);
    /* A payload may be cut in its number. */
    return *end == '"' ? owner : -1;
}

/* Writes one line, in one piece. `delay_us`: for how long the machine kept the call from running. Without a result the
 * call was dropped with its queue. */
static void write_report(const char *driver, const struct call *call, const lambda_result *result, uint64_t began_us,
    uint64_t took_us, uint64_t delay_us) {
    static const lambda_result dropped = {.status = LAMBDA_E_CANCELLED};
    const char *status = result == NULL ? "DROPPED" : lambda_status_name(result->status);
    result = result == NULL ? &dropped : result;
    char message[300];
    snprintf(message, sizeof message, "%s", result->error_message == NULL ? "" : result->error_message);
    fprintf(report,
        "%" PRIu64 "\t%s\t%s\t%s\t%s\t%" PRIu64 "\t%d\t%016" PRIx64 "\t%s\t%s\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu64
        "\t%" PRIu64 "\t%" PRIu64 "\t%zu\t%016" PRIx64 "\t%" PRId64 "\t%s\t%" PRId32 "\t%s\n",
        call->id, driver, places[call->place].url, types[call->type], retries[call->retry], call->timeout_ms,
        call->interrupted_after, hash(call->payload, call->length), status, executions[result->execution],
        result->attempts, result->unknown_attempts, began_us, took_us, delay_us, result->payload_len,
        hash(result->payload, result->payload_len), owner_of(result),
        result->request_id == NULL ? "-" : result->request_id, result->http_status, message);
    atomic_fetch_add(&done, 1);
}

/* What a thread is in, for whoever looks for hangs. */
struct worker {
    pthread_t thread;
    const struct driver *driver;
    _Atomic uint64_t id;
    /* 0: none. */
    _Atomic uint64_t late_at_us;
    int schedstat;
};

/* By how much the main thread, which only sleeps and starts threads that do nothing, was late. */
static _Atomic uint64_t machine_late_us;

/* For how long a thread has waited for a processor, as far as the kernel counts it, in microseconds; 0 if it is gone. */
static uint64_t waited_for_processor(int schedstat) {
    char text[128];
    ssize_t length = pread(schedstat, text, sizeof text - 1, 0);
    text[length < 0 ? 0 : length] = 0;
    char *end = text;
    strtoull(text, &end, 10);
    return strtoull(end, NULL, 10) / 1000;
}

/* For how long the machine has kept the calling thread from running, in microseconds: the thread waited for a processor,
 * or for a lock whose owner did, such as the kernel's for the memory of the process, which every new thread takes. */
static uint64_t kept_from_running(const struct worker *worker) {
    return waited_for_processor(worker->schedstat) + atomic_load(&machine_late_us);
}

static bool take_id(uint64_t *id) {
    *id = atomic_fetch_add(&next_call, 1);
    return *id < calls;
}

static void call_blocking(struct worker *worker) {
    for (uint64_t id; take_id(&id);) {
        struct call call = draw_call(id);
        struct shared_client *shared = take_client(call.place);
        int polls_left = 0;
        lambda_request *request = request_for(&call, &polls_left);
        uint64_t delay = kept_from_running(worker);
        uint64_t began = now_us();
        atomic_store(&worker->id, id);
        atomic_store(&worker->late_at_us, began + (call.timeout_ms + HANGS_AFTER_MS) * 1000);
        lambda_result *result = lambda_invoke(shared->client, request);
        uint64_t took = now_us() - began;
        atomic_store(&worker->late_at_us, 0);
        write_report("blocking", &call, result, began, took, kept_from_running(worker) - delay);
        lambda_result_free(result);
        lambda_request_free(request);
        give_back(call.place, shared);
        free(call.payload);
    }
}

/* Calls of queues. Threads share the queues: each submits calls, and takes the completions of whatever comes. */

struct queued_call {
    struct call call;
    /* 0: not yet. */
    uint64_t began_us;
    uint64_t delay_us;
    /* When it is to be cancelled; 0: never, or it was. */
    uint64_t cancelled_at_us;
    bool is_completed;
};

/* Finds the thread of a queue, which is not the one that submits. */
struct thread_seeker {
    long submitter;
    _Atomic long found;
};

struct shared_queue {
    lambda_queue *queue;
    /* Whether its threads take the completions of all calls before the last of them frees it. */
    bool is_drained;
    /* Whether its threads wait for its descriptor. */
    bool has_event_loop;
    /* Of the library's thread. */
    int schedstat;
    struct thread_seeker seeker;
    /* For the rest. */
    pthread_mutex_t lock;
    unsigned users;
    unsigned count;
    struct queued_call queued[CALLS_OF_A_QUEUE];
};

static struct {
    pthread_mutex_t lock;
    struct shared_queue *current;
} desks[DESKS] = {{PTHREAD_MUTEX_INITIALIZER, NULL}, {PTHREAD_MUTEX_INITIALIZER, NULL}};

static void note_thread(void *user_data, int32_t level, const char *target, const char *message) {
    (void)level, (void)target, (void)message;
    struct thread_seeker *seeker = user_data;
    long thread = syscall(SYS_gettid);
    if (thread != seeker->submitter) {
        atomic_store(&seeker->found, thread);
    }
}

/* Opens the statistics of the thread that drives a queue, which it starts with a call that nobody accepts: the log of this
 * call tells its number. */
static int schedstat_of(struct shared_queue *shared) {
    shared->seeker.submitter = syscall(SYS_gettid);
    lambda_config *config = new_config("http://127.0.0.1:1");
    lambda_config_set_log(config, LAMBDA_LOG_LEVEL_DEBUG, note_thread, &shared->seeker, NULL);
    lambda_client *client = NULL;
    lambda_request *request = lambda_request_new();
    lambda_request_set_function_name(request, "starts-the-thread");
    lambda_request_set_retry(request, LAMBDA_RETRY_NONE);
    if (lambda_client_new(config, &client, NULL) != LAMBDA_OK ||
        lambda_queue_submit(shared->queue, client, request, 0) != LAMBDA_OK) {
        give_up("lambda_queue_submit", "refused a call");
    }
    lambda_result_free(lambda_queue_next(shared->queue, HANGS_AFTER_MS));
    lambda_request_free(request);
    lambda_client_free(client);
    lambda_config_free(config);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/schedstat", atomic_load(&shared->seeker.found));
    int schedstat = open(path, O_RDONLY | O_CLOEXEC);
    if (schedstat < 0) {
        give_up(path, strerror(errno));
    }
    return schedstat;
}

static uint64_t kept_queue_from_running(const struct shared_queue *shared) {
    return waited_for_processor(shared->schedstat) + atomic_load(&machine_late_us);
}

static void submit(struct shared_queue *shared, struct queued_call *queued, uint64_t id) {
    struct call call = draw_call(id);
    struct shared_client *client = take_client(call.place);
    lambda_request *request = request_for(&call, NULL);
    uint64_t began = now_us();
    pthread_mutex_lock(&shared->lock);
    queued->call = call;
    queued->began_us = began;
    queued->delay_us = kept_queue_from_running(shared);
    pthread_mutex_unlock(&shared->lock);
    if (lambda_queue_submit(shared->queue, client->client, request, id) != LAMBDA_OK) {
        give_up("lambda_queue_submit", "refused a call");
    }
    pthread_mutex_lock(&shared->lock);
    if (call.interrupted_after > 0 && !queued->is_completed) {
        /* The first of them at once. */
        queued->cancelled_at_us = began + (uint64_t)(call.interrupted_after - 1) * CANCEL_STEP_US;
    }
    pthread_mutex_unlock(&shared->lock);
    lambda_request_free(request);
    give_back(call.place, client);
}

/* Submits the next call; false if none is left for this queue. */
static bool submit_next(struct shared_queue *shared) {
    uint64_t id = 0;
    struct queued_call *queued = NULL;
    pthread_mutex_lock(&shared->lock);
    if (shared->count < CALLS_OF_A_QUEUE && take_id(&id)) {
        queued = &shared->queued[shared->count++];
        queued->call.id = id;
    }
    pthread_mutex_unlock(&shared->lock);
    if (queued != NULL) {
        submit(shared, queued, id);
    }
    return queued != NULL;
}

static struct shared_queue *new_queue(uint64_t first) {
    struct shared_queue *shared = calloc(1, sizeof *shared);
    lambda_error *error = NULL;
    if (shared == NULL || lambda_queue_new(&shared->queue, &error) != LAMBDA_OK) {
        give_up("lambda_queue_new", lambda_error_message(error));
    }
    uint64_t state = seed ^ first;
    shared->is_drained = below(&state, 2) == 0;
    shared->has_event_loop = below(&state, 2) == 0;
    shared->schedstat = schedstat_of(shared);
    shared->count = 1;
    pthread_mutex_init(&shared->lock, NULL);
    submit(shared, &shared->queued[0], first);
    return shared;
}

/* Returns the current queue of a desk; NULL if there are no more calls to make. */
static struct shared_queue *join_queue(unsigned desk) {
    pthread_mutex_lock(&desks[desk].lock);
    uint64_t id = 0;
    if (desks[desk].current == NULL && take_id(&id)) {
        desks[desk].current = new_queue(id);
    }
    struct shared_queue *current = desks[desk].current;
    if (current != NULL) {
        pthread_mutex_lock(&current->lock);
        current->users++;
        pthread_mutex_unlock(&current->lock);
    }
    pthread_mutex_unlock(&desks[desk].lock);
    return current;
}

/* Frees a queue, and reports the calls that are dropped with it. */
static void free_queue(struct worker *worker, struct shared_queue *shared) {
    uint64_t delay = kept_from_running(worker), began = now_us();
    atomic_store(&worker->id, shared->queued[0].call.id);
    atomic_store(&worker->late_at_us, began + HANGS_AFTER_MS * 1000);
    lambda_queue_free(shared->queue);
    uint64_t took = now_us() - began;
    delay = kept_from_running(worker) - delay;
    atomic_store(&worker->late_at_us, 0);
    for (unsigned i = 0; i < shared->count; i++) {
        struct queued_call *queued = &shared->queued[i];
        if (!queued->is_completed) {
            if (shared->is_drained) {
                check_failed(__FILE__, __LINE__, "call %" PRIu64 ": its queue ran empty without its completion",
                    queued->call.id);
            }
            write_report("queue", &queued->call, NULL, began, took, delay);
        }
        free(queued->call.payload);
    }
    close(shared->schedstat);
    free(shared);
}

static void leave_queue(struct worker *worker, unsigned desk, struct shared_queue *shared) {
    pthread_mutex_lock(&desks[desk].lock);
    if (desks[desk].current == shared) {
        desks[desk].current = NULL;
    }
    pthread_mutex_unlock(&desks[desk].lock);
    pthread_mutex_lock(&shared->lock);
    bool is_last = --shared->users == 0;
    if (!is_last) {
        /* Whoever waits has to see that nothing is left to wait for. */
        lambda_queue_wake(shared->queue);
    }
    pthread_mutex_unlock(&shared->lock);
    if (is_last) {
        free_queue(worker, shared);
    }
}

/* Cancels what is to be cancelled by now. Returns for how many milliseconds a thread may wait. */
static int look_after(struct shared_queue *shared) {
    uint64_t now = now_us(), next = now + LOOK_EVERY_MS * 1000;
    pthread_mutex_lock(&shared->lock);
    for (unsigned i = 0; i < shared->count; i++) {
        struct queued_call *queued = &shared->queued[i];
        uint64_t at = queued->cancelled_at_us;
        if (at != 0 && at <= now) {
            queued->cancelled_at_us = 0;
            lambda_queue_cancel(shared->queue, queued->call.id);
        } else if (at != 0 && at < next) {
            next = at;
        }
        uint64_t late_at = queued->began_us + (queued->call.timeout_ms + HANGS_AFTER_MS) * 1000;
        if (queued->began_us != 0 && !queued->is_completed && now > late_at) {
            char number[32];
            snprintf(number, sizeof number, "call %" PRIu64, queued->call.id);
            give_up(number, "it hangs in its queue");
        }
    }
    pthread_mutex_unlock(&shared->lock);
    return (int)((next - now + 999) / 1000);
}

/* Takes a completion, if one comes, and reports it. */
static void take_completion(struct worker *worker, struct shared_queue *shared, int wait_ms) {
    uint64_t taker_delay = waited_for_processor(worker->schedstat);
    if (shared->has_event_loop && wait_ms > 0) {
        struct pollfd readable = {.fd = lambda_queue_fd(shared->queue), .events = POLLIN};
        poll(&readable, 1, wait_ms);
        wait_ms = 0;
    }
    lambda_result *result = lambda_queue_next(shared->queue, wait_ms);
    uint64_t ended = now_us();
    if (result == NULL) {
        return;
    }
    struct queued_call *queued = NULL;
    pthread_mutex_lock(&shared->lock);
    for (unsigned i = 0; i < shared->count && queued == NULL; i++) {
        queued = shared->queued[i].call.id == result->tag ? &shared->queued[i] : NULL;
    }
    if (queued == NULL) {
        give_up("lambda_queue_next", "returned a tag that was not submitted to this queue");
    }
    /* A call that is completed twice is reported twice, which the judge finds. */
    queued->is_completed = true;
    queued->cancelled_at_us = 0;
    pthread_mutex_unlock(&shared->lock);
    uint64_t delay = waited_for_processor(worker->schedstat) - taker_delay;
    delay += kept_queue_from_running(shared) - queued->delay_us;
    write_report("queue", &queued->call, result, queued->began_us, ended - queued->began_us, delay);
    lambda_result_free(result);
}

static void call_queued(struct worker *worker) {
    static atomic_uint count;
    unsigned desk = atomic_fetch_add(&count, 1) % DESKS;
    for (struct shared_queue *shared; (shared = join_queue(desk)) != NULL;) {
        while (submit_next(shared)) {
            int wait_ms = look_after(shared);
            take_completion(worker, shared, 0);
            while (lambda_queue_in_flight(shared->queue) >= CALLS_AT_ONCE) {
                take_completion(worker, shared, wait_ms);
                wait_ms = look_after(shared);
            }
        }
        while (shared->is_drained && lambda_queue_in_flight(shared->queue) > 0) {
            take_completion(worker, shared, look_after(shared));
        }
        leave_queue(worker, desk, shared);
    }
}

/* Streamed responses. */

/* Returns where bytes stop being the beginning of a payload, which is filled with one letter: none of them may come from
 * a frame whose checksum was wrong, and none may be missing. */
static size_t sound_until(const uint8_t *payload, size_t length) {
    static const char before[] = "\"fill\":\"";
    const size_t before_length = sizeof before - 1;
    size_t at = 0;
    while (at < length && (at < before_length || memcmp(payload + at - before_length, before, before_length) != 0)) {
        at++;
    }
    size_t fill = at;
    while (at < length && payload[at] == payload[fill] && payload[at] != '"') {
        at++;
    }
    size_t left = length - at;
    return memcmp(payload + at, "\"}", left < 2 ? left : 2) == 0 && left <= 2 ? length : at;
}

/* Reads a stream to its end, or until it is to be cancelled. Returns all that it handed out. */
static uint8_t *read_stream(lambda_stream *stream, const struct call *call, bool is_cancelled, size_t *length) {
    uint8_t *payload = NULL;
    const uint8_t *data = NULL;
    size_t received = 0;
    lambda_status status = LAMBDA_OK;
    for (int count = 1; status == LAMBDA_OK || status == LAMBDA_PENDING; count++) {
        if (is_cancelled && count > call->interrupted_after) {
            lambda_stream_cancel(stream);
        }
        status = lambda_stream_next(stream, is_cancelled ? 20 : call->id % 3 == 0 ? 5 : -1, &data, &received);
        CHECK_INT(received > 0, status == LAMBDA_OK);
        if (received > 0) {
            /* With a NUL, as the payload of a result. */
            payload = realloc(payload, *length + received + 1);
            memcpy(payload + *length, data, received);
            *length += received;
            payload[*length] = 0;
        }
    }
    size_t sound = *length == 0 ? 0 : sound_until(payload, *length);
    if (sound < *length) {
        check_failed(__FILE__, __LINE__, "call %" PRIu64 ": only %zu of %zu bytes that its stream handed out are right",
            call->id, sound, *length);
    }
    return payload;
}

static void call_streamed(struct worker *worker) {
    for (uint64_t id; take_id(&id);) {
        struct call call = draw_call(id);
        if (call.type == LAMBDA_INVOCATION_EVENT) {
            call.type = LAMBDA_INVOCATION_REQUEST_RESPONSE;
        }
        struct shared_client *shared = take_client(call.place);
        /* Half of those that end early are cancelled, after as many reads as polls. */
        bool is_cancelled = call.interrupted_after > 0 && id % 2 == 0;
        int polls_left = 0;
        lambda_request *request = request_for(&call, is_cancelled ? NULL : &polls_left);
        uint64_t delay = kept_from_running(worker);
        uint64_t began = now_us();
        atomic_store(&worker->id, id);
        atomic_store(&worker->late_at_us, began + (call.timeout_ms + HANGS_AFTER_MS) * 1000);
        lambda_stream *stream = lambda_invoke_stream(shared->client, request);
        size_t length = 0;
        uint8_t *payload = read_stream(stream, &call, is_cancelled, &length);
        lambda_result *result = lambda_stream_finish(stream);
        uint64_t took = now_us() - began;
        atomic_store(&worker->late_at_us, 0);
        lambda_result with_payload = *result;
        with_payload.payload = payload;
        with_payload.payload_len = length;
        write_report("stream", &call, &with_payload, began, took, kept_from_running(worker) - delay);
        lambda_result_free(result);
        free(payload);
        lambda_request_free(request);
        give_back(call.place, shared);
        free(call.payload);
    }
}

/* Another way to make calls is another row: threads take the drivers in turn. */
static const struct driver {
    const char *name;
    void (*run)(struct worker *);
} drivers[] = {{"blocking", call_blocking}, {"queue", call_queued}, {"stream", call_streamed}};

enum { DRIVERS = sizeof drivers / sizeof *drivers };

/* Returns the driver with a name, or for "all" the one whose turn it is. */
static const struct driver *driver_of(const char *name, unsigned turn) {
    if (strcmp(name, "all") == 0) {
        return &drivers[turn % DRIVERS];
    }
    for (unsigned i = 0; i < DRIVERS; i++) {
        if (strcmp(name, drivers[i].name) == 0) {
            return &drivers[i];
        }
    }
    give_up(name, "is not the name of a driver");
}

static void *work(void *argument) {
    struct worker *worker = argument;
    worker->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    worker->driver->run(worker);
    if (worker->schedstat >= 0) {
        close(worker->schedstat);
    }
    return NULL;
}

static long resident_kib(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1) {
        give_up("/proc/self/statm", strerror(errno));
    }
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void *do_nothing(void *argument) {
    return argument;
}

/* Waits until all calls are done. Returns the resident memory after the first ones, or 0 if there were not as many. */
static long watch(struct worker *workers, unsigned threads, uint64_t first) {
    long warm = 0;
    for (uint64_t count; (count = atomic_load(&done)) < calls - first;) {
        if (warm == 0 && count >= WARM) {
            warm = resident_kib();
        }
        for (unsigned i = 0; i < threads; i++) {
            uint64_t late_at = atomic_load(&workers[i].late_at_us);
            if (late_at != 0 && now_us() > late_at) {
                char number[32];
                snprintf(number, sizeof number, "call %" PRIu64, atomic_load(&workers[i].id));
                fflush(report);
                give_up(number, "it hangs");
            }
        }
        uint64_t began = now_us();
        pthread_t idle;
        usleep(10000);
        if (pthread_create(&idle, NULL, do_nothing, NULL) != 0 || pthread_join(idle, NULL) != 0) {
            give_up("pthread_create", "failed");
        }
        atomic_fetch_add(&machine_late_us, now_us() - began - 10000);
    }
    return warm;
}

static uint64_t number(const char *text) {
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == 0 || *end != 0) {
        give_up(text, "is not a number");
    }
    return value;
}

int main(int argc, char **argv) {
    if (argc < 9 || argc - 8 > MAX_URLS) {
        give_up("usage", "caller SEED FIRST CALLS THREADS DRIVER REPORT CA_FILE URL...");
    }
    seed = number(argv[1]);
    uint64_t first = number(argv[2]);
    calls = first + number(argv[3]);
    unsigned threads = (unsigned)number(argv[4]);
    report = fopen(argv[6], "w");
    ca_file = argv[7];
    if (report == NULL || threads == 0 || threads > MAX_THREADS) {
        give_up(argv[6], report == NULL ? strerror(errno) : "number of threads");
    }
    for (int i = 8; i < argc; i++) {
        places[place_count].url = argv[i];
        pthread_mutex_init(&places[place_count++].lock, NULL);
    }
    /* As many descriptors as the threads take: what happens with fewer is for other tests. */
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int descriptors = count_descriptors(), threads_before = count_threads();

    atomic_store(&next_call, first);
    static struct worker workers[MAX_THREADS];
    for (unsigned i = 0; i < threads; i++) {
        workers[i].driver = driver_of(argv[5], i);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            give_up("pthread_create", "failed");
        }
    }
    long warm = watch(workers, threads, first);
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    for (unsigned i = 0; i < place_count; i++) {
        if (places[i].current != NULL) {
            let_go(places[i].current);
        }
    }
    CHECK_INT(settled(count_threads, threads_before), threads_before);
    CHECK_INT(settled(count_descriptors, descriptors), descriptors);
    printf("resident KiB: %ld after %d calls, %ld at the end\n", warm, WARM, resident_kib());
    if (fclose(report) != 0) {
        give_up(argv[6], strerror(errno));
    }
    return check_done();
}
