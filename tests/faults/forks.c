/* Forks again and again while threads call, blocking and with a queue, through names and addresses, with TLS and without:
 * parent and children get every response, and each its own. A program that is started meanwhile, by each of the ways to start
 * one, inherits no descriptor.
 *
 * usage: forks FORKS CA_FILE URL... */

#define _GNU_SOURCE

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../c/process.h"
#include "../c/queue.h"
#include "sound.h"

enum {
    THREADS = 8,
    QUEUED = 2,
    MAX_URLS = 8,
    /* As many children run at once. */
    CHILDREN = 8,
    CALLS_OF_A_CHILD = 2,
    HANGS_AFTER_S = 30,
    /* glibc's getaddrinfo may hang in a child that is forked while it runs. That costs a call of the child its deadline, and
     * nothing else. */
    LOOKUP_TIMEOUT_MS = 3000,
    LOOKUP_HUNG = 50
};

static lambda_config *configs[MAX_URLS];
static lambda_client *clients[MAX_URLS];
static const char *urls[MAX_URLS];
static int url_count;
static atomic_uint_least64_t next_id;
static atomic_bool is_over;
static atomic_uint_least64_t calls_of_threads;

/* Returns false if a lookup hung. */
static bool call(const lambda_client *client, const char *url, uint64_t id, bool may_hang) {
    lambda_request *request = sound_request(id, may_hang ? LOOKUP_TIMEOUT_MS : HANGS_AFTER_S * 1000);
    lambda_result *result = invoke_once(client, request);
    bool hung = may_hang && strstr(url, "localhost") != NULL && result->status == LAMBDA_E_TIMEOUT &&
                result->execution == LAMBDA_EXECUTION_NONE;
    if (!hung) {
        check_sound(result, id);
    }
    lambda_result_free(result);
    return !hung;
}

static lambda_client *new_client(int at) {
    lambda_client *client = NULL;
    CHECK_INT(lambda_client_new(configs[at], &client, NULL), LAMBDA_OK);
    return client;
}

/* Two of the threads share a queue. */
static lambda_queue *queue;

static void call_queued(uint64_t id) {
    const lambda_client *client = clients[id % (uint64_t)url_count];
    CHECK_INT(submit_once(queue, client, sound_request(id, HANGS_AFTER_S * 1000), id), LAMBDA_OK);
    lambda_result *result = lambda_queue_next(queue, HANGS_AFTER_S * 1000);
    CHECK(result != NULL);
    if (result != NULL) {
        check_sound(result, result->tag);
    }
    lambda_result_free(result);
}

/* Half of the other threads make a client for each call, which looks its name up and connects. */
static void *keep_calling(void *argument) {
    int number = *(int *)argument;
    bool is_new = number % 2 == 0;
    while (!atomic_load(&is_over)) {
        uint64_t id = atomic_fetch_add(&next_id, 1);
        atomic_fetch_add(&calls_of_threads, 1);
        if (number < QUEUED) {
            call_queued(id);
            continue;
        }
        int at = (int)(id % (uint64_t)url_count);
        lambda_client *client = is_new ? new_client(at) : clients[at];
        call(client, urls[at], id, false);
        if (is_new) {
            lambda_client_free(client);
        }
    }
    return NULL;
}

static _Noreturn void be_a_child(uint64_t first_id, int number) {
    alarm(HANGS_AFTER_S);
    bool hung = false;
    for (int i = 0; i < CALLS_OF_A_CHILD; i++) {
        int at = (number + i) % url_count;
        hung |= !call(clients[at], urls[at], first_id + (uint64_t)i, true);
    }
    if (number % 2 == 0) {
        for (int i = 0; i < url_count; i++) {
            lambda_client_free(clients[i]);
        }
    }
    int failed = check_done();
    _exit(failed == 0 && hung ? LOOKUP_HUNG : failed);
}

/* Waits for a child. Returns whether a lookup of it hung. */
static bool join(void) {
    int status = -1;
    pid_t child = wait(&status);
    CHECK(child > 0);
    if (WIFSIGNALED(status)) {
        check_failed(__FILE__, __LINE__, "a child was ended by signal %d%s", WTERMSIG(status),
            WTERMSIG(status) == SIGALRM ? ": it hung" : "");
        return false;
    }
    if (WEXITSTATUS(status) == LOOKUP_HUNG) {
        return true;
    }
    CHECK_INT(WEXITSTATUS(status), 0);
    return false;
}

/* What a program has that another thread's calls may have handed to it: more than the standard three, and the directory that
 * it reads. */
static void start_a_program(int number) {
    static char *const program[] = {"/bin/sh", "-c", "set -- /proc/self/fd/*; [ $# -le 4 ]", NULL};
    pid_t child = -1;
    if (number % 3 == 0) {
        CHECK_INT(posix_spawn(&child, program[0], NULL, NULL, program, environ), 0);
    } else if ((child = number % 3 == 1 ? vfork() : fork()) == 0) {
        execv(program[0], program);
        _exit(1);
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        check_failed(__FILE__, __LINE__, "a started program inherited descriptors");
    }
}

int main(int argc, char **argv) {
    int forks = atoi(argv[1]);
    for (int i = 3; i < argc; i++) {
        configs[url_count] = endpoint_config(argv[i], argv[2]);
        urls[url_count] = argv[i];
        clients[url_count] = new_client(url_count);
        url_count++;
    }
    queue = new_queue();
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK_INT(pthread_create(&threads[i], NULL, keep_calling, &numbers[i]), 0);
    }
    int hung = 0;
    for (int i = 0; i < forks; i++) {
        if (i >= CHILDREN) {
            hung += join();
        }
        uint64_t first_id = atomic_fetch_add(&next_id, CALLS_OF_A_CHILD);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            be_a_child(first_id, i);
        }
    }
    for (int i = 0; i < forks && i < CHILDREN; i++) {
        hung += join();
    }
    for (int i = 0; i < forks / 10; i++) {
        start_a_program(i);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    printf("%d forks, %" PRIu64 " calls meanwhile, %d lookups hung in children\n", forks,
        (uint64_t)atomic_load(&calls_of_threads), hung);
    CHECK_AT_MOST(hung, forks / 50);
    lambda_queue_free(queue);
    for (int i = 0; i < url_count; i++) {
        lambda_client_free(clients[i]);
        lambda_config_free(configs[i]);
    }
    return check_done();
}
