/* WebP by libwebp.  Transparency is dropped; animations are not decoded. */
#include "kernels/image/image.h"

#ifndef OX_HAVE_LIBWEBP
bool ox_image_webp(ox_image *im) { return ox_image_missing(im, "WebP", "libwebp"); }
#else
#include <webp/decode.h>

bool ox_image_webp(ox_image *im)
{
    int width, height;
    if (!WebPGetInfo(im->bytes, im->n, &width, &height) || !ox_image_begin(im, width, height))
        return false;
    return WebPDecodeRGBInto(im->bytes, im->n, im->rgb, (size_t)width * (size_t)height * 3, width * 3) != NULL;
}
#endif
