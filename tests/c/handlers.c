/* The application's own fork handlers use the library: before the fork, and after it in parent and child. */

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"

static lambda_client *client;

static void call(void) {
    lambda_result *result = invoke(client, "echo", "1");
    check_result(__FILE__, __LINE__, result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    lambda_result_free(result);
}

static void renew(void) {
    lambda_client_free(client);
    client = default_client();
    call();
}

int main(void) {
    alarm(60);
    client = default_client();
    call();
    CHECK_INT(pthread_atfork(call, call, renew), 0);
    for (int round = 0; round < check_rounds(10, 2); round++) {
        pid_t child = fork();
        if (child == 0) {
            call();
            lambda_client_free(client);
            _exit(check_done());
        }
        int status = -1;
        CHECK_INT(waitpid(child, &status, 0), child);
        CHECK_INT(status, 0);
        call();
    }
    lambda_client_free(client);
    return check_done();
}
