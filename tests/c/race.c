/* Changes a config in two threads at once, on purpose: ThreadSanitizer must see it inside the library, or it would see nothing
   elsewhere either. */

#include <pthread.h>

#include "call.h"

static void *set_timeouts(void *config) {
    for (uint64_t ms = 1; ms < 1000; ms++) {
        CHECK_INT(lambda_config_set_timeout_ms(config, ms), LAMBDA_OK);
    }
    return NULL;
}

int main(void) {
    lambda_config *config = lambda_config_new();
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, set_timeouts, config), 0);
    set_timeouts(config);
    CHECK_INT(pthread_join(thread, NULL), 0);
    lambda_config_free(config);
    return check_done();
}
