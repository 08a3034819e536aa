/* No SIGPIPE reaches the application, its mask stays as it was, and a signal that was pending stays pending. */

#include <pthread.h>
#include <signal.h>

#include "call.h"

static lambda_client *client;
static lambda_request *upload;

static sigset_t only(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

static bool is_pending(int number) {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, number) == 1;
}

static void check_mask(const sigset_t *expected) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < 32; number++) {
        if (sigismember(&mask, number) != sigismember(expected, number)) {
            check_failed(__FILE__, __LINE__, "signal %d is %s now", number,
                sigismember(&mask, number) ? "blocked" : "not blocked");
        }
    }
}

/* The endpoint resets the connection while six megabytes are on their way. */
static void broken_upload(void) {
    lambda_result *result = lambda_invoke(client, upload);
    CHECK_RESULT(result, LAMBDA_E_IO, LAMBDA_EXECUTION_UNKNOWN);
    CHECK_INT(result->attempts, 1);
    CHECK_INT(result->unknown_attempts, 1);
    lambda_result_free(result);
}

static void *elsewhere(void *nothing) {
    for (int i = 0; i < 5; i++) {
        broken_upload();
    }
    return nothing;
}

int main(void) {
    size_t length = 6 * 1024 * 1024;
    char *payload = malloc(length);
    memset(payload, 'x', length);
    client = default_client();
    upload = lambda_request_new();
    CHECK_INT(lambda_request_set_function_name(upload, "rude"), LAMBDA_OK);
    CHECK_INT(lambda_request_set_payload(upload, payload, length), LAMBDA_OK);
    free(payload);

    struct sigaction action;
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0);
    CHECK(action.sa_handler == SIG_DFL);
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK(!sigismember(&before, SIGPIPE));
    for (int i = 0; i < check_rounds(20, 2); i++) {
        broken_upload();
        check_mask(&before);
        CHECK(!is_pending(SIGPIPE));
    }
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, elsewhere, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    check_mask(&before);

    /* Blocked by the application: no signal of the library may be pending later. */
    sigset_t pipe = only(SIGPIPE), user = only(SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    pthread_sigmask(SIG_BLOCK, &user, NULL);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 0; i < check_rounds(5, 1); i++) {
        broken_upload();
        check_mask(&blocked);
        CHECK(!is_pending(SIGPIPE));
    }

    /* The application's own signal, pending before the call, is still pending after it. */
    CHECK(raise(SIGPIPE) == 0 && raise(SIGUSR1) == 0);
    CHECK(is_pending(SIGPIPE));
    broken_upload();
    lambda_result *result = invoke(client, "echo", "x");
    CHECK_RESULT(result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
    CHECK(is_pending(SIGPIPE) && is_pending(SIGUSR1));
    check_mask(&blocked);
    struct timespec now = {0, 0};
    CHECK_INT(sigtimedwait(&pipe, NULL, &now), SIGPIPE);
    CHECK(!is_pending(SIGPIPE));
    CHECK_INT(sigtimedwait(&user, NULL, &now), SIGUSR1);

    CHECK(sigaction(SIGPIPE, NULL, &action) == 0);
    CHECK(action.sa_handler == SIG_DFL);
    lambda_request_free(upload);
    lambda_client_free(client);
    check_mask(&blocked);
    return check_done();
}
