/* Checks that report where they failed, what they expected and what they found. A program continues after a failed
 * check, so that one run shows all of them, and ends with `return check_done();`. */

#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_int check_failures;

static inline void check_failed(const char *file, int line, const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    atomic_fetch_add(&check_failures, 1);
    /* One write: threads and children report at the same time. */
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
}

static inline int check_done(void) {
    return atomic_load(&check_failures) == 0 ? 0 : 1;
}

/* Whether the program runs under a slow tool: fewer rounds, and no tight limits on time. */
static inline bool check_light(void) {
    return getenv("CHECK_LIGHT") != NULL;
}

static inline int check_rounds(int rounds, int light) {
    return check_light() ? light : rounds;
}

static inline void check_int(const char *file, int line, const char *what, int64_t found, int64_t expected) {
    if (found != expected) {
        check_failed(file, line, "%s is %" PRId64 ", not %" PRId64, what, found, expected);
    }
}

static inline void check_at_most(const char *file, int line, const char *what, uint64_t found, uint64_t limit) {
    if (found > limit) {
        check_failed(file, line, "%s is %" PRIu64 ", more than %" PRIu64, what, found, limit);
    }
}

static inline void check_at_least(const char *file, int line, const char *what, uint64_t found, uint64_t limit) {
    if (found < limit) {
        check_failed(file, line, "%s is %" PRIu64 ", less than %" PRIu64, what, found, limit);
    }
}

static inline const char *check_show(const char *text) {
    return text == NULL ? "NULL" : text;
}

static inline void check_string(const char *file, int line, const char *what, const char *found, const char *expected) {
    bool same = found == NULL || expected == NULL ? found == expected : strcmp(found, expected) == 0;
    if (!same) {
        check_failed(file, line, "%s is \"%s\", not \"%s\"", what, check_show(found), check_show(expected));
    }
}

static inline void check_contains(const char *file, int line, const char *what, const char *found, const char *part) {
    if (found == NULL || strstr(found, part) == NULL) {
        check_failed(file, line, "%s has no \"%s\": \"%s\"", what, part, check_show(found));
    }
}

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, "not so: %s", #condition))
#define CHECK_INT(found, expected) check_int(__FILE__, __LINE__, #found, (int64_t)(found), (int64_t)(expected))
#define CHECK_AT_MOST(found, limit) check_at_most(__FILE__, __LINE__, #found, (uint64_t)(found), (uint64_t)(limit))
#define CHECK_AT_LEAST(found, limit) check_at_least(__FILE__, __LINE__, #found, (uint64_t)(found), (uint64_t)(limit))
#define CHECK_STRING(found, expected) check_string(__FILE__, __LINE__, #found, (found), (expected))
#define CHECK_CONTAINS(found, part) check_contains(__FILE__, __LINE__, #found, (found), (part))

#endif
