/* Numbers as Cast writes and reads them in strings.
 *
 * Written: the fewest digits that read back as the same value of the same type, as numpy does: "0.1",
 * "100.0", "1e+16", "nan", "-inf", "True".  Read: blanks around; an optional sign; decimal digits with
 * or without point and exponent; "inf", "infinity", "nan" in any case; for bool also "true", "false". */
#ifndef OX_CAST_TEXT_H
#define OX_CAST_TEXT_H

#include "runtime/tensor/dtype.h"

enum { OX_CAST_TEXT = 48 };

/* The element of numeric type t at p; returns the length. */
size_t ox_cast_to_text(char buf[OX_CAST_TEXT], const void *p, ox_dtype t);
/* The element of numeric type t that s means, stored at p; false: s is no number.  room: at least
 * s.n + OX_CAST_TEXT bytes.  Integers wrap; a fraction is cut off. */
bool ox_cast_from_text(void *p, ox_dtype t, ox_str s, char *room);

#endif
