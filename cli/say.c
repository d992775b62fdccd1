/* Everything that people read, in one form. */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RING = 16, RING_TEXT = 512 };

/* Results of the *_text functions: as many live at a time as one printf takes. */
static char *ring(void)
{
    static char text[RING][RING_TEXT];
    static int  next;
    next = (next + 1) % RING;
    return text[next];
}

const char *clean(const char *name)
{
    char  *to = ring();
    size_t n = 0;
    for (; *name && n + 1 < RING_TEXT; name++) {
        unsigned char c = (unsigned char)*name;
        to[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    to[n] = 0;
    return to;
}

int complain(const char *format, ...)
{
    char    text[1536];
    va_list more;
    progress_done();
    va_start(more, format);
    vsnprintf(text, sizeof text, format, more);
    va_end(more);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
    fprintf(stderr, "onnxrun: %s\n", text);
    return STATUS_BAD;
}

int complain_of(const char *model, const onnxrun_error *err)
{
    size_t n = model ? strlen(model) : 0;
    if (!model || (strncmp(err->text, model, n) == 0 && err->text[n] == ':'))
        return complain("%s", err->text);
    return complain("%s: %s", model, err->text);
}

int finish_stdout(int status)
{
    static bool said; /* one line, however often we are asked */
    errno = 0;
    if (said || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    said = true;
    return complain("cannot write to stdout: %s", strerror(errno ? errno : EIO));
}

const char *shape_text(int rank, const int64_t *dim)
{
    char *to = ring();
    int   n = snprintf(to, RING_TEXT, "[");
    for (int i = 0; i < rank && n < RING_TEXT - 24; i++)
        n += snprintf(to + n, (size_t)(RING_TEXT - n), "%s%" PRId64, i ? "," : "", dim[i]);
    snprintf(to + n, (size_t)(RING_TEXT - n), "]");
    return to;
}

const char *size_text(double n_bytes)
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    char *to = ring();
    int   k = 0;
    for (; n_bytes >= 1024 && k < 6; k++)
        n_bytes /= 1024;
    snprintf(to, RING_TEXT, k ? "%.1f %s" : "%.0f %s", n_bytes, unit[k]);
    return to;
}

const char *count_text(double n)
{
    static const char *const unit[] = { " ", " k", " M", " G", " T", " P", " E" };
    char *to = ring();
    int   k = 0;
    for (; n >= 1000 && k < 6; k++)
        n /= 1000;
    snprintf(to, RING_TEXT, k ? "%.2f%s" : "%.0f%s", n, unit[k]);
    return to;
}

const char *number_text(double x)
{
    char *to = ring();
    if (isnan(x))
        return "nan";
    if (isinf(x))
        return x < 0 ? "-inf" : "inf";
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(to, RING_TEXT, "%.*g", digits, x);
        if (strtod(to, NULL) == x)
            break;
    }
    return to;
}

const char *short_text(double x)
{
    char *to = ring();
    if (!isfinite(x) || (double)(float)x != x)
        return number_text(x);
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(to, RING_TEXT, "%.*g", digits, x);
        if (strtof(to, NULL) == (float)x)
            break;
    }
    return to;
}

/* ---- progress ---- */

static bool    shown;
static int64_t first_ns, last_ns;

void progress(const char *format, ...)
{
    int64_t now = onnxrun_clock_ns();
    if (first_ns == 0)
        first_ns = now;
    if (now - first_ns < 1000000000 || now - last_ns < 100000000 || !isatty(2))
        return;
    last_ns = now;
    shown = true;
    va_list more;
    va_start(more, format);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, format, more);
    va_end(more);
}

void progress_done(void)
{
    if (shown)
        fputs("\r\033[K", stderr);
    shown = false;
    first_ns = 0;
}
