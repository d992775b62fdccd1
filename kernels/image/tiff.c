/* TIFF by libtiff: the first image of the file. */
#include "kernels/image/image.h"

#ifndef OX_HAVE_LIBTIFF_4
bool ox_image_tiff(ox_image *im) { return ox_image_missing(im, "TIFF", "libtiff"); }
#else
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

enum { MAX_ALLOCATION = 1 << 30 };

typedef struct source { const ox_image *im; toff_t at; } source;

static tmsize_t on_read(thandle_t h, void *to, tmsize_t n)
{
    source *s = h;
    toff_t left = s->at < s->im->n ? s->im->n - s->at : 0;
    if (n < 0)
        return 0;
    if ((toff_t)n > left)
        n = (tmsize_t)left;
    if (n)
        memcpy(to, s->im->bytes + s->at, (size_t)n);
    s->at += (toff_t)n;
    return n;
}

static tmsize_t on_write(thandle_t h, void *from, tmsize_t n)
{
    (void)h;
    (void)from;
    (void)n;
    return 0;
}

static toff_t on_seek(thandle_t h, toff_t to, int from)
{
    source *s = h;
    s->at = from == SEEK_CUR ? s->at + to : from == SEEK_END ? s->im->n + to : to;
    return s->at;
}

static int on_close(thandle_t h)
{
    (void)h;
    return 0;
}

static toff_t on_size(thandle_t h) { return ((source *)h)->im->n; }

#if TIFFLIB_VERSION >= 20221213 /* 4.5: handlers and limits of a file of its own */
static int on_message(TIFF *t, void *ctx, const char *module, const char *format, va_list args)
{
    (void)t;
    (void)ctx;
    (void)module;
    (void)format;
    (void)args;
    return 1;
}

static TIFF *open_quietly(source *s)
{
    TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
    if (!o)
        return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(o, on_message, NULL);
    TIFFOpenOptionsSetWarningHandlerExtR(o, on_message, NULL);
    TIFFOpenOptionsSetMaxSingleMemAlloc(o, MAX_ALLOCATION);
    TIFF *t = TIFFClientOpenExt("image", "rm", s, on_read, on_write, on_seek, on_close, on_size, NULL, NULL, o);
    TIFFOpenOptionsFree(o);
    return t;
}
#else
static TIFF *open_quietly(source *s)
{
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    return TIFFClientOpen("image", "rm", s, on_read, on_write, on_seek, on_close, on_size, NULL, NULL);
}
#endif

/* libtiff multiplies colours with an alpha that is not yet; declared as multiplied, they stay. */
static void keep_colors(TIFF *t)
{
    uint16_t n = 0, *kinds = NULL, alpha = EXTRASAMPLE_ASSOCALPHA;
    if (TIFFGetField(t, TIFFTAG_EXTRASAMPLES, &n, &kinds) && n == 1 && kinds[0] == EXTRASAMPLE_UNASSALPHA)
        TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, &alpha);
}

static bool decode(ox_image *im, TIFF *t)
{
    uint32_t width = 0, height = 0;
    if (!TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height) ||
        !ox_image_begin(im, width, height))
        return false;
    uint32_t *rgba = ox_scratch_array(im->r, (size_t)(im->width * im->height), sizeof *rgba);
    if (!rgba) {
        im->code = OX_NO_MEMORY(im->r);
        return false;
    }
    keep_colors(t);
    if (!TIFFReadRGBAImageOriented(t, width, height, rgba, ORIENTATION_TOPLEFT, 1))
        return false;
    for (int64_t i = 0; i < im->width * im->height; i++) {
        im->rgb[3 * i] = (uint8_t)TIFFGetR(rgba[i]);
        im->rgb[3 * i + 1] = (uint8_t)TIFFGetG(rgba[i]);
        im->rgb[3 * i + 2] = (uint8_t)TIFFGetB(rgba[i]);
    }
    return true;
}

bool ox_image_tiff(ox_image *im)
{
    source s = { im, 0 };
    TIFF *t = open_quietly(&s);
    if (!t)
        return false;
    bool decoded = decode(im, t);
    TIFFClose(t);
    return decoded;
}
#endif
