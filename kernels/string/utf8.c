#include "kernels/string/utf8.h"

#include <string.h>

#ifdef OX_HAVE_LIBUTF8PROC
#include <utf8proc.h>
#endif

size_t ox_char_next(ox_str s, size_t at, int32_t *c)
{
    static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *p = (const unsigned char *)s.s + at;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
    *c = -1;
    if (n == 0 || n > s.n - at)
        return 1;
    int32_t v = n == 1 ? p[0] : p[0] & (0xff >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        v = v << 6 | (p[i] & 0x3f);
    }
    if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return 1;
    *c = v;
    return n;
}

size_t ox_char_put(char *to, int32_t c)
{
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(lead[n] | c);
    return n;
}

bool ox_char_is_space(int32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

static int32_t map(int32_t c, ox_case to_case)
{
#ifdef OX_HAVE_LIBUTF8PROC
    if (c == 0xdf)
        return c; /* sharp s has no simple capital in Unicode, but one in utf8proc */
    if (c >= 0x80)
        return to_case == OX_CASE_LOWER ? utf8proc_tolower(c) : utf8proc_toupper(c);
#endif
    if (to_case == OX_CASE_LOWER)
        return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
    return c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c;
}

size_t ox_str_case(char *to, ox_str s, ox_case to_case)
{
    size_t n = 0;
    for (size_t at = 0, step; at < s.n; at += step) {
        int32_t c;
        char other[4];
        step = ox_char_next(s, at, &c);
        size_t size = c < 0 || to_case == OX_CASE_NONE ? 0 : ox_char_put(other, map(c, to_case));
        if (size == 0 || size > 2 * step) { /* a stray byte; the second never is the case in Unicode */
            memcpy(to + n, s.s + at, step);
            n += step;
        } else {
            memcpy(to + n, other, size);
            n += size;
        }
    }
    return n;
}
