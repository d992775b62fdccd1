/* A growing string, and numbers in their shortest text.
 *
 * printf and strtod do the arithmetic; only digits are taken from them, since the decimal point
 * follows the locale. */
#include "runtime/base/text.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for n more bytes and a NUL. */
static bool reserve(ox_text *t, size_t n)
{
    size_t need, more;
    if (t->failed || !ox_add_size(&need, t->n, n) || !ox_add_size(&need, need, 1))
        goto fail;
    if (need <= t->capacity)
        return true;
    if (!ox_add_size(&more, need, need / 2 + 32))
        goto fail;
    char *s = realloc(t->s, more);
    if (!s)
        goto fail;
    t->s = s;
    t->capacity = more;
    return true;
fail:
    t->failed = true;
    return false;
}

void ox_text_add(ox_text *t, const char *s, size_t n)
{
    if (n == 0 || !reserve(t, n))
        return;
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = 0;
}

void ox_text_puts(ox_text *t, const char *s) { ox_text_add(t, s, strlen(s)); }

void ox_text_printf(ox_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        t->failed = true;
    else if (n > 0 && reserve(t, (size_t)n)) {
        vsnprintf(t->s + t->n, (size_t)n + 1, format, again);
        t->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

const char *ox_text_str(const ox_text *t) { return t->s ? t->s : ""; }

void ox_text_release(ox_text *t)
{
    free(t->s);
    *t = (ox_text){ 0 };
}

/* ---- shortest digits ---- */

/* |x| rounded to n digits. */
static void round_to(char *digits, int *point, double x, int n)
{
    char text[40];
    snprintf(text, sizeof(text), "%.*e", n - 1, x);
    digits[0] = text[0];
    if (n > 1) /* text[1] is the locale's point: one byte in every locale of a C library we know */
        memcpy(digits + 1, text + 2, (size_t)n - 1);
    digits[n] = 0;
    *point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
}

/* The next larger number of as many digits. */
static void step_up(char *digits, int *point, int n)
{
    int i = n - 1;
    while (i >= 0 && digits[i] == '9')
        digits[i--] = '0';
    if (i >= 0) {
        digits[i]++;
    } else {
        digits[0] = '1';
        ++*point;
    }
}

static bool reads_back(const char *digits, int point, int n, double x, bool single)
{
    char text[40];
    snprintf(text, sizeof(text), "%se%d", digits, point - n);
    return single ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x;
}

static int shortest(char *digits, int *point, double x, bool single)
{
    int exponent, most = single ? 9 : 17;
    x = fabs(x);
    /* Between these, whatever fits in fewest digits already appears there with zeros behind. */
    int fewest = x >= (single ? FLT_MIN : DBL_MIN) ? (single ? 6 : 15) : 1;
    /* The gap below a power of two is half the one above: the nearest decimal may lie outside the
     * lower half while its upper neighbour reads back. */
    bool power = frexp(x, &exponent) == 0.5;
    if (x == 0) {
        memcpy(digits, "0", 2);
        *point = 1;
        return 1;
    }
    int n = fewest;
    for (; n <= most; n++) {
        round_to(digits, point, x, n);
        if (reads_back(digits, *point, n, x, single))
            break;
        if (power) {
            step_up(digits, point, n);
            if (reads_back(digits, *point, n, x, single))
                break;
        }
    }
    n = OX_MIN(n, most);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
    return n;
}

int ox_shortest_f64(char digits[OX_DIGITS], int *point, double x)
{
    return shortest(digits, point, x, false);
}
int ox_shortest_f32(char digits[OX_DIGITS], int *point, float x)
{
    return shortest(digits, point, (double)x, true);
}

/* Positional between 1e-4 and 1e16, else with an exponent, as Python's repr does. */
static char *format(char *buf, double x, bool single)
{
    char digits[OX_DIGITS], *p = buf;
    int point;
    if (isnan(x))
        return memcpy(buf, "nan", 4);
    if (signbit(x))
        *p++ = '-';
    if (isinf(x)) {
        memcpy(p, "inf", 4);
        return buf;
    }
    int n = shortest(digits, &point, x, single);
    if (point > 16 || point < -3) {
        snprintf(p, OX_NUMBER_TEXT - 1, "%c%s%se%+03d", digits[0], n > 1 ? "." : "", digits + 1,
                 point - 1);
    } else if (point <= 0) {
        snprintf(p, OX_NUMBER_TEXT - 1, "0.%.*s%s", -point, "0000", digits);
    } else if (n <= point) {
        snprintf(p, OX_NUMBER_TEXT - 1, "%s%.*s", digits, point - n, "0000000000000000");
    } else {
        snprintf(p, OX_NUMBER_TEXT - 1, "%.*s.%s", point, digits, digits + point);
    }
    return buf;
}

char *ox_format_f64(char buf[OX_NUMBER_TEXT], double x) { return format(buf, x, false); }
char *ox_format_f32(char buf[OX_NUMBER_TEXT], float x) { return format(buf, (double)x, true); }
