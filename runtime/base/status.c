/* The error object: the first fault wins, since what follows it is usually its consequence. */
#include "runtime/base/status.h"

#include <stdarg.h>
#include <stdio.h>

ox_code ox_fail(ox_error *err, ox_code code, const char *file, int line, const char *format, ...)
{
    if (!err || err->code != OX_OK)
        return code;
    err->code = code;
    err->file = file;
    err->line = line;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    if (n < 0) /* an encoding error; the code and the place still stand */
        err->message[0] = 0;
    else if ((size_t)n >= sizeof(err->message)) /* say that the text was cut */
        snprintf(err->message + sizeof(err->message) - 4, 4, "...");
    return code;
}

const char *ox_code_text(ox_code code)
{
    static const char *const text[] = {
#define CODE(id, words) words,
#include "runtime/base/codes.def"
#undef CODE
    };
    return (size_t)code < OX_COUNT(text) ? text[code] : "unknown error";
}
