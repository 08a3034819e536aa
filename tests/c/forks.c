/* A child may use and free what its parent made, while the parent goes on. */

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"

static int rounds;

static bool answers(const lambda_client *client, const char *text) {
    int failures = atomic_load(&check_failures);
    lambda_result *result = invoke(client, "wire", text);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_INT(result->attempts, 1);
    const char *body = strstr(payload_text(result), "\n\n");
    CHECK_STRING(body == NULL ? NULL : body + 2, text);
    lambda_result_free(result);
    return atomic_load(&check_failures) == failures;
}

/* Forks; the child has to be done with its work in time. */
static pid_t child_that(void (*works)(lambda_client *, int), lambda_client *client, int number) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(check_light() ? 100 : 20);
        works(client, number);
        _exit(check_done());
    }
    return child;
}

static void join(pid_t child) {
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        check_failed(__FILE__, __LINE__, "a child was ended by signal %d%s", WTERMSIG(status),
            WTERMSIG(status) == SIGALRM ? ": it hung" : "");
    } else {
        CHECK_INT(WEXITSTATUS(status), 0);
    }
}

static void calls(lambda_client *client, int number) {
    for (int i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "child %d, call %d", number, i);
        answers(client, text);
    }
}

static void frees(lambda_client *client, int number) {
    (void)number;
    lambda_client_free(client);
}

static void calls_and_frees(lambda_client *client, int number) {
    calls(client, number);
    lambda_client_free(client);
    /* And one of its own. */
    client = default_client();
    calls(client, number);
    lambda_client_free(client);
}

static void has_a_child(lambda_client *client, int number) {
    calls(client, number);
    pid_t grandchild = child_that(calls_and_frees, client, number + 1000);
    calls(client, number);
    join(grandchild);
    lambda_client_free(client);
}

/* The parent's connections are idle, and both use the client at once. */
static void with_idle_connections(void (*works)(lambda_client *, int)) {
    lambda_client *client = default_client();
    for (int i = 0; i < rounds; i++) {
        answers(client, "before");
        pid_t child = child_that(works, client, i);
        for (int j = 0; j < 3; j++) {
            char text[64];
            snprintf(text, sizeof text, "parent %d, call %d", i, j);
            answers(client, text);
        }
        join(child);
        answers(client, "after");
    }
    lambda_client_free(client);
}

/* A client that has made no call yet. */
static void with_a_new_client(void) {
    lambda_client *client = default_client();
    pid_t child = child_that(calls_and_frees, client, 0);
    answers(client, "parent");
    join(child);
    lambda_client_free(client);
}

/* Results and requests are the child's own memory. */
static lambda_result *inherited_result;
static lambda_request *inherited_request;

static void uses_what_it_inherited(lambda_client *client, int number) {
    (void)number;
    CHECK_STRING(payload_text(inherited_result), "kept");
    lambda_result_free(inherited_result);
    lambda_result *result = lambda_invoke(client, inherited_request);
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "kept");
    lambda_result_free(result);
    lambda_request_free(inherited_request);
}

static void with_other_objects(void) {
    lambda_client *client = default_client();
    inherited_request = request_of("echo", "kept");
    inherited_result = lambda_invoke(client, inherited_request);
    join(child_that(uses_what_it_inherited, client, 0));
    CHECK_STRING(payload_text(inherited_result), "kept");
    lambda_result_free(inherited_result);
    lambda_request_free(inherited_request);
    lambda_client_free(client);
}

static atomic_bool stop;

static void *keep_calling(void *client) {
    while (!atomic_load(&stop)) {
        answers(client, "a thread");
    }
    return NULL;
}

static void while_others_call(void) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    lambda_client *client = default_client();
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, keep_calling, client), 0);
    }
    for (int i = 0; i < rounds; i++) {
        answers(client, "between");
        join(child_that(i % 2 == 0 ? calls : calls_and_frees, client, i));
    }
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    lambda_client_free(client);
}

int main(void) {
    rounds = check_rounds(20, 1);
    with_idle_connections(calls);
    with_idle_connections(frees);
    with_idle_connections(calls_and_frees);
    rounds = check_rounds(5, 1);
    with_idle_connections(has_a_child);
    with_a_new_client();
    with_other_objects();
    rounds = check_rounds(20, 1);
    while_others_call();
    return check_done();
}
