/* A PNG of a palette, for pages that carry their pictures with them. */
#ifndef OX_VERIFY_PNG_H
#define OX_VERIFY_PNG_H

#include "runtime/base/text.h"

/* width * height indices into palette[256][3].  Appends "data:image/png;base64,..." to t; false: out of
 * memory. */
bool ox_png_url(ox_text *t, int width, int height, const uint8_t *index, uint8_t palette[256][3])
    OX_MUST_CHECK;

#endif
