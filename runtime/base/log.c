/* Messages for people; the only file of the library that writes to stderr. */
#include "runtime/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic int log_level;

void ox_log_level(int level) { atomic_store(&log_level, level); }
int  ox_log_enabled(void) { return atomic_load_explicit(&log_level, memory_order_relaxed); }

void ox_log(const char *format, ...)
{
    if (!ox_log_enabled())
        return;
    char line[1024]; /* one write a message, so that threads do not mix their lines */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (n >= 0)
        fprintf(stderr, "onnxrun: %s\n", line);
}

int64_t ox_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
