/* Code points in UTF-8.  A byte that is no part of a character stands for itself, so that text in
 * other encodings passes through unharmed. */
#ifndef OX_STRING_UTF8_H
#define OX_STRING_UTF8_H

#include "runtime/tensor/dtype.h"

/* The character at s.s[at]; returns its bytes, *c is -1 for a stray byte. */
size_t ox_char_next(ox_str s, size_t at, int32_t *c);
size_t ox_char_put(char *to, int32_t c); /* at most 4 bytes */
bool   ox_char_is_space(int32_t c);

/* s in another case into `to`, which holds twice s.n bytes; returns the length.  By Unicode's simple
 * mapping, one character for one, whatever the locale; without utf8proc ASCII only. */
typedef enum ox_case { OX_CASE_NONE, OX_CASE_LOWER, OX_CASE_UPPER } ox_case;
size_t ox_str_case(char *to, ox_str s, ox_case to_case);

#endif
