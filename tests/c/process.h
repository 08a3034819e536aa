/* What a process has: descriptors and threads. */

#ifndef PROCESS_H
#define PROCESS_H

#include <dirent.h>
#include <pthread.h>
#include <time.h>

#include "check.h"

static inline int count_entries(const char *path) {
    DIR *directory = opendir(path);
    if (directory == NULL) {
        check_failed(__FILE__, __LINE__, "cannot read %s", path);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

#ifdef __SANITIZE_THREAD__
/* ThreadSanitizer starts a thread of its own beside the program's first one, which is this one. */
static void *do_nothing(void *nothing) {
    return nothing;
}

__attribute__((constructor)) static void start_sanitizer(void) {
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, do_nothing, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

enum { THREADS_OF_SANITIZER = 1 };
#else
enum { THREADS_OF_SANITIZER = 0 };
#endif

static inline int count_threads(void) {
    return count_entries("/proc/self/task") - THREADS_OF_SANITIZER;
}

/* The one that the count itself takes is counted every time. */
static inline int count_descriptors(void) {
    return count_entries("/proc/self/fd");
}

/* Counts until the count is as expected, for a few seconds: threads of lookups end a moment after the last call. */
static inline int settled(int (*count)(void), int expected) {
    struct timespec moment = {0, 10000000};
    for (int i = 0; i < 500 && count() != expected; i++) {
        nanosleep(&moment, NULL);
    }
    return count();
}

#endif
