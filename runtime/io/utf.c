#include "runtime/io/utf.h"

#include <string.h>

uint32_t ox_utf8_next(const char **p, const char *end)
{
    const uint8_t *s = (const uint8_t *)*p;
    size_t   left = (size_t)(end - *p);
    uint32_t c = s[0], min = 0;
    size_t n = c < 0x80                ? 1
               : c >= 0xc2 && c < 0xe0 ? 2
               : (c & 0xf0) == 0xe0    ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0;
    if (n == 0 || n > left)
        goto escape;
    if (n > 1) {
        c &= 0x7fu >> n;
        min = n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            goto escape;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < min || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        goto escape;
    *p += n;
    return c;
escape:
    *p += 1;
    return 0xdc00u + s[0];
}

size_t ox_utf8_count(const char *s, size_t n)
{
    size_t count = 0;
    for (const char *end = s + n; s < end; count++)
        ox_utf8_next(&s, end);
    return count;
}

static uint32_t at(const uint8_t *p, size_t i)
{
    uint32_t c;
    memcpy(&c, p + 4 * i, 4);
    return c;
}

static bool escaped(uint32_t c) { return c >= 0xdc80 && c <= 0xdcff; }

static size_t length(const uint8_t *p, size_t n)
{
    while (n > 0 && at(p, n - 1) == 0)
        n--;
    return n;
}

bool ox_ucs4_bytes(const uint8_t *p, size_t n, size_t *n_bytes)
{
    size_t total = 0;
    n = length(p, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t c = at(p, i);
        if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000 && !escaped(c)))
            return false;
        total += c < 0x80 || escaped(c) ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }
    *n_bytes = total;
    return true;
}

size_t ox_ucs4_to_utf8(char *to, const uint8_t *p, size_t n)
{
    char *start = to;
    n = length(p, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t c = at(p, i);
        if (c < 0x80) {
            *to++ = (char)c;
        } else if (escaped(c)) {
            *to++ = (char)(c & 0xff);
        } else {
            int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
            *to++ = (char)((0xff00u >> (more + 1) & 0xff) | c >> 6 * more);
            while (more-- > 0)
                *to++ = (char)(0x80 | (c >> 6 * more & 0x3f));
        }
    }
    return (size_t)(to - start);
}
