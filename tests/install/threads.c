// Threads that share a client. With RACE they also change a number of the program's own without a lock.

#include <pthread.h>

#include "call.h"

#define THREADS 4
#define ROUNDS 10

#ifdef RACE
static int races;
#endif

static void *work(void *client) {
    for (int round = 0; round < ROUNDS; ++round) {
#ifdef RACE
        ++races;
#endif
        if (call_with(client) != 0) {
            return client;
        }
    }
    return NULL;
}

int main(void) {
    lambda_client *client = NULL;
    if (lambda_client_new(NULL, &client, NULL) != LAMBDA_OK) {
        return 1;
    }
    pthread_t threads[THREADS];
    int failed = 0;
    for (int i = 0; i < THREADS; ++i) {
        failed |= pthread_create(&threads[i], NULL, work, client);
    }
    for (int i = 0; i < THREADS; ++i) {
        void *result = NULL;
        failed |= pthread_join(threads[i], &result) != 0 || result != NULL;
    }
    failed |= call_with(client);
    lambda_client_free(client);
    return failed;
}
