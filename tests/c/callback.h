/* For programs whose callbacks check the thread that they run on, and may be the only source of credentials. */

#ifndef CALLBACK_H
#define CALLBACK_H

#include <signal.h>

#include "call.h"

/* The credentials that the local endpoint accepts. */
static char id[128], secret[128];

/* Removes the credentials from the environment, and gives this thread a mask that no library would choose by itself;
 * SIGPIPE is not blocked. */
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
