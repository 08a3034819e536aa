/* What a program needs whose callbacks look at the thread that they run on, and may be the only ones to have keys. */

#ifndef CALLBACK_H
#define CALLBACK_H

#include <signal.h>

#include "call.h"

/* The keys that the local endpoint takes. */
static char id[128], secret[128];

/* Takes the keys out of the environment, and gives this thread a mask that no library would choose by itself; SIGPIPE is
 * not blocked. */
static inline void begin_callbacks(void) {
    snprintf(id, sizeof id, "%s", getenv("AWS_ACCESS_KEY_ID"));
    snprintf(secret, sizeof secret, "%s", getenv("AWS_SECRET_ACCESS_KEY"));
    CHECK(unsetenv("AWS_ACCESS_KEY_ID") == 0 && unsetenv("AWS_SECRET_ACCESS_KEY") == 0);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
}

#endif
