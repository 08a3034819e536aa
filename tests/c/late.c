/* Calls after a thread's storage has been destroyed: in the destructor of a thread-specific value, and after main. */

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "call.h"
#include "process.h"

static lambda_client *client;
static pthread_key_t key;

static int32_t never(void *asked) {
    *(int *)asked += 1;
    return 0;
}

static void last_words(void *unused) {
    (void)unused;
    int asked = 0;
    lambda_request *request = request_of("echo", "\"bye\"");
    lambda_request_set_interrupt(request, never, &asked);
    lambda_result *result = invoke_once(client, request);
    check_result(__FILE__, __LINE__, result, LAMBDA_OK, LAMBDA_EXECUTION_RAN);
    CHECK_STRING(payload_text(result), "\"bye\"");
    CHECK_AT_LEAST(asked, 1);
    lambda_result_free(result);
}

static void after_main(void) {
    last_words(NULL);
    /* The kernel may list a thread for a moment after it was joined. */
    for (int patience = 0; count_threads() > 1 && patience < 100000; patience++) {
        sched_yield();
    }
    CHECK_INT(count_threads(), 1);
    lambda_client_free(client);
    if (check_done() != 0) {
        _exit(1);
    }
}

static void *thread(void *unused) {
    (void)unused;
    CHECK_INT(pthread_setspecific(key, &key), 0);
    last_words(NULL);
    return NULL;
}

int main(void) {
    alarm(60);
    client = default_client();
    CHECK_INT(atexit(after_main), 0);
    /* The C library itself never frees the 32 bytes in which it keeps what a thread at its end has to clean up. */
    if (!check_light()) {
        CHECK_INT(pthread_key_create(&key, last_words), 0);
        pthread_t other;
        CHECK_INT(pthread_create(&other, NULL, thread, NULL), 0);
        CHECK_INT(pthread_join(other, NULL), 0);
    }
    last_words(NULL);
    return check_done();
}
