/* A growing string, and numbers in their shortest text. */
#ifndef OX_BASE_TEXT_H
#define OX_BASE_TEXT_H

#include "runtime/base/status.h"

/* Starts as { 0 }.  After a failed allocation nothing more is added and `failed` says so: check
 * once, at the end. */
typedef struct ox_text {
    char  *s; /* NUL-terminated; NULL while empty */
    size_t n; /* without the NUL */
    size_t capacity;
    bool   failed;
} ox_text;

void        ox_text_add(ox_text *t, const char *s, size_t n);
void        ox_text_puts(ox_text *t, const char *s);
void        ox_text_printf(ox_text *t, const char *format, ...) OX_PRINTF(2, 3);
const char *ox_text_str(const ox_text *t); /* "" while empty; borrowed until the next addition */
void        ox_text_release(ox_text *t);

enum { OX_DIGITS = 20, OX_NUMBER_TEXT = 40 };

/* The fewest decimal digits that read back as x: x = 0.d1d2d3... * 10^*point, sign aside.  The
 * single form reads back as a float.  x is finite.  Returns the number of digits ("0" for zero). */
int ox_shortest_f64(char digits[OX_DIGITS], int *point, double x);
int ox_shortest_f32(char digits[OX_DIGITS], int *point, float x);

/* Those digits as a C, JSON or Python literal, whatever the locale: 0.1, -3, 1e+16, 5e-324; nan,
 * inf and -inf besides.  Returns buf. */
char *ox_format_f64(char buf[OX_NUMBER_TEXT], double x);
char *ox_format_f32(char buf[OX_NUMBER_TEXT], float x);

#endif
