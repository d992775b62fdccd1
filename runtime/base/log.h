/* Messages for people on stderr, by level; silent unless asked. */
#ifndef OX_BASE_LOG_H
#define OX_BASE_LOG_H

#include "runtime/base/status.h"

/* 0 silent (default), 1 what `-v` shows. */
void ox_log_level(int level);
int  ox_log_enabled(void);
void ox_log(const char *format, ...) OX_PRINTF(1, 2);

/* Monotonic clock in nanoseconds. */
int64_t ox_clock_ns(void);

#endif
