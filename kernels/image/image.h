/* Image files to RGB, 8 bits a channel.  A decoder gets bytes nobody has looked at: it checks every size
 * before it uses it, and asks for pixels only through ox_image_begin, which knows the limits. */
#ifndef OX_IMAGE_IMAGE_H
#define OX_IMAGE_IMAGE_H

#include "runtime/op.h"

typedef struct ox_image {
    ox_run        *r;
    const uint8_t *bytes;
    size_t         n;
    int64_t        width, height;
    uint8_t       *rgb;     /* [height][width][3] */
    bool           gray;    /* the operator wants luminance: rgb is scratch, else the output itself */
    size_t         charged; /* by ox_image_charge */
    ox_code        code;    /* why ox_image_begin refused; OX_OK: it did not */
} ox_image;

/* true: decoded.  false with im->code OX_OK: not an image that can be decoded; else a fault. */
typedef bool ox_decode_fn(ox_image *im);
ox_decode_fn ox_image_bmp, ox_image_pnm, ox_image_jpeg, ox_image_png, ox_image_tiff, ox_image_webp, ox_image_jpeg2000;

/* Sets size and rgb (not cleared); false: too large or no memory. */
bool ox_image_begin(ox_image *im, int64_t width, int64_t height);
/* Counts memory that a library is about to take for each pixel; false: over the cap. */
bool ox_image_charge(ox_image *im, size_t bytes_per_pixel);
/* A fault: the library was not there when this was built. */
bool ox_image_missing(ox_image *im, const char *format, const char *library);

/* Calls decode(im) in a thread of its own, which ox_image_quit ends at once: for libraries whose error
 * callback must not return.  What decode holds, it keeps where the caller can free it. */
typedef bool ox_guarded_fn(void *ctx);
bool ox_image_guard(ox_image *im, ox_guarded_fn *decode, void *ctx);
void ox_image_quit(void);

/* Bytes i .. of the file, little-endian; 0 beyond its end. */
static inline uint32_t ox_image_le(const ox_image *im, size_t i, int n)
{
    uint32_t v = 0;
    for (int k = 0; k < n && i < im->n && (size_t)k < im->n - i; k++)
        v |= (uint32_t)im->bytes[i + (size_t)k] << 8 * k;
    return v;
}

#endif
