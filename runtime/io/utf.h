/* UTF-8 (ONNX's strings) to and from UCS-4 (numpy's).  Bytes that are not UTF-8 become U+DC80 to
 * U+DCFF and back, as in Python's "surrogateescape": nothing is lost on the way. */
#ifndef OX_IO_UTF_H
#define OX_IO_UTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next character of [*p, end), which is not empty. */
uint32_t ox_utf8_next(const char **p, const char *end);
size_t   ox_utf8_count(const char *s, size_t n); /* characters */

/* n characters of 4 bytes in this machine's order, any alignment; NULs at the end do not count.
 * bytes: how many of UTF-8 they make, false when one is no Unicode character. */
bool   ox_ucs4_bytes(const uint8_t *p, size_t n, size_t *n_bytes);
size_t ox_ucs4_to_utf8(char *to, const uint8_t *p, size_t n); /* after ox_ucs4_bytes said yes */

#endif
