#include "kernels/cast/text.h"
#include "runtime/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

/* The shortest decimal that rounds to x in type t, as a double: its own shortest text is that decimal. */
static double shortest_in(double x, ox_dtype t)
{
    char text[OX_CAST_TEXT];
    uint64_t want = 0, got = 0;
    ox_from_f64(&want, &x, t, 1);
    for (int digits = 1; digits < 17; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, x);
        double y = strtod(text, NULL);
        ox_from_f64(&got, &y, t, 1);
        if (got == want)
            return y;
    }
    return x;
}

static size_t float_to_text(char *buf, const void *p, ox_dtype t)
{
    double x;
    ox_to_f64(&x, p, t, 1);
    if (t == OX_F32)
        ox_format_f32(buf, (float)x);
    else
        ox_format_f64(buf, t == OX_F64 || !isfinite(x) ? x : shortest_in(x, t));
    size_t n = strlen(buf);
    if (!strpbrk(buf, ".en")) { /* "100" */
        memcpy(buf + n, ".0", 3);
        n += 2;
    }
    return n;
}

size_t ox_cast_to_text(char buf[OX_CAST_TEXT], const void *p, ox_dtype t)
{
    int64_t i;
    if (ox_is_float(t))
        return float_to_text(buf, p, t);
    ox_to_i64(&i, p, t, 1);
    if (t == OX_BOOL)
        snprintf(buf, OX_CAST_TEXT, "%s", i ? "True" : "False");
    else if (t == OX_U64)
        snprintf(buf, OX_CAST_TEXT, "%llu", (unsigned long long)i);
    else
        snprintf(buf, OX_CAST_TEXT, "%lld", (long long)i);
    return strlen(buf);
}

/* ---- reading ---- */

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* s[0..n) is the word (given in lower case), whatever its case. */
static bool is_word(const char *s, size_t n, const char *word)
{
    size_t i = 0;
    for (; i < n && word[i]; i++)
        if ((s[i] | 0x20) != word[i])
            return false;
    return i == n && !word[i];
}

typedef struct number {
    bool   negative, whole; /* whole: no point, no exponent */
    double special;         /* infinity, NaN, else 0 */
    char  *text;            /* digits, "e", exponent: no point, so that the locale does not matter */
} number;

/* s as a number, its digits copied to room. */
static bool scan(number *out, ox_str s, char *room)
{
    const char *p = s.s, *end = s.s + s.n;
    char *to = room;
    long exponent = 0, given = 0;
    bool point = false, minus = false;
    *out = (number){ .whole = true, .text = room };
    if (p < end && (*p == '+' || *p == '-'))
        out->negative = *p++ == '-';
    size_t left = (size_t)(end - p);
    if (is_word(p, left, "inf") || is_word(p, left, "infinity"))
        out->special = INFINITY;
    if (is_word(p, left, "nan"))
        out->special = NAN;
    if (out->special != 0)
        return true;
    for (; p < end && (digit(*p) || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        *to++ = *p;
        exponent -= point;
    }
    if (to == room)
        return false;
    out->whole = !point;
    if (p < end && (*p | 0x20) == 'e') {
        out->whole = false;
        if (++p < end && (*p == '+' || *p == '-'))
            minus = *p++ == '-';
        if (p == end || !digit(*p))
            return false;
        for (; p < end && digit(*p); p++)
            given = given < 100000000 ? given * 10 + (*p - '0') : given;
        exponent += minus ? -given : given;
    }
    snprintf(to, OX_CAST_TEXT, "e%ld", exponent);
    return p == end;
}

/* A whole number that fits 64 bits, with its sign, or without if negative is not set. */
static bool as_integer(const number *x, uint64_t *value)
{
    *value = 0;
    for (const char *p = x->text; *p != 'e'; p++)
        if (__builtin_mul_overflow(*value, 10u, value) || __builtin_add_overflow(*value, (uint64_t)(*p - '0'), value))
            return false;
    if (x->negative && *value > (uint64_t)1 << 63)
        return false;
    *value = x->negative ? 0 - *value : *value;
    return true;
}

static ox_str trimmed(ox_str s)
{
    static const char blanks[] = " \t\r\n\f\v";
    while (s.n && memchr(blanks, s.s[0], sizeof(blanks) - 1)) {
        s.s++;
        s.n--;
    }
    while (s.n && memchr(blanks, s.s[s.n - 1], sizeof(blanks) - 1))
        s.n--;
    return s;
}

bool ox_cast_from_text(void *p, ox_dtype t, ox_str s, char *room)
{
    number x;
    uint64_t u;
    s = trimmed(s);
    if (t == OX_BOOL && (is_word(s.s, s.n, "true") || is_word(s.s, s.n, "false"))) {
        *(uint8_t *)p = s.n == 4;
        return true;
    }
    if (!scan(&x, s, room))
        return false;
    if (!ox_is_float(t) && x.special == 0 && x.whole && as_integer(&x, &u)) {
        int64_t i = (int64_t)u;
        ox_from_i64(p, &i, t, 1);
        return true;
    }
    double d = x.special != 0 ? x.special : strtod(x.text, NULL);
    d = x.negative ? -d : d;
    if (t == OX_F32 && x.special == 0) {
        float f = strtof(x.text, NULL); /* once: through the double it would be rounded twice */
        f = x.negative ? -f : f;
        memcpy(p, &f, sizeof(f));
    } else {
        ox_from_f64(p, &d, t, 1);
    }
    return true;
}
