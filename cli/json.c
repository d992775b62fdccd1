/* A JSON writer for the command line's results: compact, one line. */
#include "cli/cli.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A UTF-8 sequence of valid length at s (1 to 4), 0 if the bytes there are none. */
static int utf8_length(const unsigned char *s)
{
    int n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3
          : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))) ||
        (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))))
        return 0;
    return n;
}

static void put_string(FILE *f, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    putc('"', f);
    while (*s) {
        int n = utf8_length(s);
        if (n == 0) {
            fputs("\\ufffd", f);
            s++;
        } else if (*s == '"' || *s == '\\') {
            fprintf(f, "\\%c", *s++);
        } else if (*s < 0x20 || *s == 0x7f) {
            fprintf(f, "\\u%04x", *s++);
        } else {
            fwrite(s, 1, (size_t)n, f);
            s += n;
        }
    }
    putc('"', f);
}

static void begin(json *j, const char *key)
{
    if (j->comma)
        putc(',', j->f);
    j->comma = true;
    if (key) {
        put_string(j->f, key);
        putc(':', j->f);
    }
}

void json_open(json *j, const char *key, char bracket)
{
    begin(j, key);
    putc(bracket, j->f);
    j->comma = false;
    j->depth++;
}

void json_close(json *j, char bracket)
{
    putc(bracket, j->f);
    j->comma = true;
    if (--j->depth == 0)
        putc('\n', j->f);
}

void json_str(json *j, const char *key, const char *s)
{
    begin(j, key);
    if (s)
        put_string(j->f, s);
    else
        fputs("null", j->f);
}

void json_int(json *j, const char *key, int64_t v)
{
    begin(j, key);
    fprintf(j->f, "%" PRId64, v);
}

void json_num(json *j, const char *key, double v)
{
    begin(j, key);
    fprintf(j->f, isfinite(v) ? "%s" : "\"%s\"", number_text(v));
}

void json_bool(json *j, const char *key, bool v)
{
    begin(j, key);
    fputs(v ? "true" : "false", j->f);
}

void json_null(json *j, const char *key)
{
    begin(j, key);
    fputs("null", j->f);
}

void json_shape(json *j, const char *key, int rank, const int64_t *dim)
{
    json_open(j, key, '[');
    for (int i = 0; i < rank; i++)
        json_int(j, NULL, dim[i]);
    json_close(j, ']');
}
