/* ImageDecoder: the bytes of an image file to (height, width, channels).  The format is told by the first
 * bytes.  What cannot be decoded gives an image of no pixels, as ONNX says; a library that this was built
 * without, or an image beyond the limits, is an error. */
#include "kernels/image/image.h"

#include <string.h>

static const int64_t MAX_PIXELS = (int64_t)1 << 28;

bool ox_image_begin(ox_image *im, int64_t width, int64_t height)
{
    if (width < 1 || height < 1)
        return false;
    if (width > MAX_PIXELS || height > MAX_PIXELS || width * height > MAX_PIXELS) {
        im->code = OX_FAIL(im->r->err, OX_E_LIMIT, "an image of %lld x %lld pixels, at most %lld are decoded",
                           (long long)width, (long long)height, (long long)MAX_PIXELS);
        return false;
    }
    if (im->gray) {
        im->rgb = ox_scratch_array(im->r, (size_t)(width * height), 3);
        im->code = im->rgb ? OX_OK : OX_NO_MEMORY(im->r);
    } else {
        im->code = ox_out_alloc(im->r, 0, 3, (int64_t[]){ height, width, 3 });
        im->rgb = im->code == OX_OK ? im->r->out[0]->data : NULL;
    }
    im->width = width;
    im->height = height;
    return im->code == OX_OK;
}

bool ox_image_charge(ox_image *im, size_t bytes_per_pixel)
{
    size_t n = (size_t)(im->width * im->height) * bytes_per_pixel; /* fits: ox_image_begin has checked */
    if (!ox_buf_charge(n)) {
        im->code = ox_buf_fail(n, im->r->err);
        return false;
    }
    im->charged += n;
    return true;
}

bool ox_image_missing(ox_image *im, const char *format, const char *library)
{
    im->code = OX_FAIL(im->r->err, OX_E_UNSUPPORTED, "a %s image, but this was built without %s", format, library);
    return false;
}

static bool starts(const ox_image *im, const char *magic, size_t n)
{
    return im->n >= n && memcmp(im->bytes, magic, n) == 0;
}

static ox_decode_fn *decoder_of(const ox_image *im)
{
    static const struct { const char *magic; size_t n; ox_decode_fn *decode; } formats[] = {
        { "\xff\xd8\xff", 3, ox_image_jpeg },
        { "\x89PNG\r\n\x1a\n", 8, ox_image_png },
        { "\0\0\0\x0cjP  \r\n\x87\n", 12, ox_image_jpeg2000 },
        { "\xff\x4f\xff\x51", 4, ox_image_jpeg2000 },
        { "II*\0", 4, ox_image_tiff },
        { "MM\0*", 4, ox_image_tiff },
        { "II+\0", 4, ox_image_tiff },
        { "MM\0+", 4, ox_image_tiff },
        { "BM", 2, ox_image_bmp },
    };
    for (size_t i = 0; i < OX_COUNT(formats); i++)
        if (starts(im, formats[i].magic, formats[i].n))
            return formats[i].decode;
    if (starts(im, "RIFF", 4) && im->n >= 12 && memcmp(im->bytes + 8, "WEBP", 4) == 0)
        return ox_image_webp;
    if (im->n > 2 && im->bytes[0] == 'P' && im->bytes[1] >= '1' && im->bytes[1] <= '6')
        return ox_image_pnm;
    return NULL;
}

/* ITU-R 601 luma in 16 bits of fraction: what Pillow's mode L is. */
static void luminance(const uint8_t *rgb, uint8_t *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (uint8_t)((rgb[3 * i] * 19595u + rgb[3 * i + 1] * 38470u + rgb[3 * i + 2] * 7471u + 0x8000) >> 16);
}

static ox_code run(ox_run *r)
{
    static const char *const formats[] = { "RGB", "BGR", "Grayscale", NULL };
    const ox_tensor *x = r->in[0];
    int format;
    OX_TRY(ox_attr_enum(r, "pixel_format", formats, &format));
    if (x->rank != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "encoded_stream has rank %d, expected 1", x->rank);
    ox_image im = { .r = r, .bytes = x->data, .n = (size_t)ox_count(x), .gray = format == 2 };
    ox_decode_fn *decode = im.n ? decoder_of(&im) : NULL;
    bool decoded = decode && decode(&im);
    ox_buf_uncharge(im.charged);
    OX_TRY(im.code);
    if (!decoded)
        return ox_out_alloc(r, 0, 3, (int64_t[]){ 0, 0, im.gray ? 1 : 3 });
    int64_t n = im.width * im.height;
    if (im.gray) {
        OX_TRY(ox_out_alloc(r, 0, 3, (int64_t[]){ im.height, im.width, 1 }));
        luminance(im.rgb, r->out[0]->data, n);
    }
    for (int64_t i = 0; i < n && format == 1; i++) {
        uint8_t red = im.rgb[3 * i];
        im.rgb[3 * i] = im.rgb[3 * i + 2];
        im.rgb[3 * i + 2] = red;
    }
    return OX_OK;
}

OX_OP(ImageDecoder, 20) .infer = ox_infer_none, .run = { [OX_U8] = run }, .error = { ERR_EXACT, 0 },
    .flags = OX_NO_WIDEN OX_END;
