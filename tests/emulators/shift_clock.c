/* For LD_PRELOAD: the wall clock is wrong by CLOCK_SHIFT_S seconds, the clocks that measure durations are not. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    const char *shift = getenv("CLOCK_SHIFT_S");
    if (result == 0 && clock == CLOCK_REALTIME && shift != NULL) {
        now->tv_sec += atol(shift);
    }
    return result;
}
