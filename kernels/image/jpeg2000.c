/* JPEG 2000 by OpenJPEG: files (JP2) and bare code streams, gray or colour; transparency is dropped. */
#include "kernels/image/image.h"

#ifndef OX_HAVE_LIBOPENJP2
bool ox_image_jpeg2000(ox_image *im) { return ox_image_missing(im, "JPEG 2000", "OpenJPEG"); }
#else
#include <string.h>

#include <openjpeg.h>

typedef struct source { const ox_image *im; size_t at; } source;

static OPJ_SIZE_T on_read(void *to, OPJ_SIZE_T n, void *ctx)
{
    source *s = ctx;
    n = OX_MIN(n, s->im->n - s->at);
    if (n == 0)
        return (OPJ_SIZE_T)-1;
    memcpy(to, s->im->bytes + s->at, n);
    s->at += n;
    return n;
}

static OPJ_OFF_T on_skip(OPJ_OFF_T n, void *ctx)
{
    source *s = ctx;
    if (n < 0 || (uint64_t)n > s->im->n - s->at)
        return -1;
    s->at += (size_t)n;
    return n;
}

static OPJ_BOOL on_seek(OPJ_OFF_T to, void *ctx)
{
    source *s = ctx;
    if (to < 0 || (uint64_t)to > s->im->n)
        return OPJ_FALSE;
    s->at = (size_t)to;
    return OPJ_TRUE;
}

static void on_message(const char *text, void *ctx)
{
    (void)text;
    (void)ctx;
}

/* Component c at (x, y) as 8 bits. */
static int sample(const opj_image_t *j, int c, int64_t x, int64_t y)
{
    const opj_image_comp_t *p = &j->comps[c];
    int64_t at = y / p->dy * p->w + x / p->dx, v = p->data[at];
    int shift = 8 - (int)p->prec;
    v += p->sgnd ? (int64_t)1 << (p->prec - 1) : 0;
    v = shift < 0 ? (v + ((int64_t)1 << (-shift - 1))) >> -shift : v << shift;
    return (int)OX_MIN(OX_MAX(v, 0), 255);
}

/* Components cover the whole image at their own resolution. */
static bool usable(const opj_image_t *j, int64_t width, int64_t height)
{
    if (j->numcomps < 1 || j->numcomps > 4)
        return false;
    for (OPJ_UINT32 c = 0; c < j->numcomps; c++) {
        const opj_image_comp_t *p = &j->comps[c];
        if (!p->data || p->dx < 1 || p->dy < 1 || p->prec < 1 || p->prec > 31 ||
            p->w < (width + p->dx - 1) / p->dx || p->h < (height + p->dy - 1) / p->dy)
            return false;
    }
    return true;
}

static uint8_t limited(double v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5); }

static bool convert(ox_image *im, const opj_image_t *j)
{
    bool color = j->numcomps >= 3, ycc = color && j->color_space == OPJ_CLRSPC_SYCC;
    if (!usable(j, im->width, im->height))
        return false;
    for (int64_t y = 0; y < im->height; y++) {
        uint8_t *rgb = im->rgb + y * im->width * 3;
        for (int64_t x = 0; x < im->width; x++, rgb += 3) {
            int v[3];
            for (int c = 0; c < 3; c++)
                v[c] = color || c == 0 ? sample(j, c, x, y) : v[0];
            double cb = v[1] - 128, cr = v[2] - 128;
            rgb[0] = ycc ? limited(v[0] + 1.402 * cr) : (uint8_t)v[0];
            rgb[1] = ycc ? limited(v[0] - 0.344136 * cb - 0.714136 * cr) : (uint8_t)v[1];
            rgb[2] = ycc ? limited(v[0] + 1.772 * cb) : (uint8_t)v[2];
        }
    }
    return true;
}

static bool decode(ox_image *im, opj_codec_t *codec, opj_stream_t *stream, opj_image_t **j)
{
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    opj_set_error_handler(codec, on_message, NULL);
    opj_set_warning_handler(codec, on_message, NULL);
    opj_set_info_handler(codec, on_message, NULL);
    if (!opj_setup_decoder(codec, &parameters) || !opj_read_header(stream, codec, j) || !*j)
        return false;
    if ((*j)->x1 <= (*j)->x0 || (*j)->y1 <= (*j)->y0 || (*j)->numcomps > 4 ||
        !ox_image_begin(im, (*j)->x1 - (*j)->x0, (*j)->y1 - (*j)->y0) ||
        !ox_image_charge(im, 8 * (size_t)(*j)->numcomps)) /* samples, and the tile they come from */
        return false;
    return opj_decode(codec, stream, *j) && opj_end_decompress(codec, stream) && convert(im, *j);
}

bool ox_image_jpeg2000(ox_image *im)
{
    source s = { im, 0 };
    opj_codec_t *codec = opj_create_decompress(im->bytes[0] ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    opj_stream_t *stream = opj_stream_default_create(OPJ_TRUE);
    opj_image_t *j = NULL;
    bool decoded = false;
    if (codec && stream) {
        opj_stream_set_read_function(stream, on_read);
        opj_stream_set_skip_function(stream, on_skip);
        opj_stream_set_seek_function(stream, on_seek);
        opj_stream_set_user_data(stream, &s, NULL);
        opj_stream_set_user_data_length(stream, im->n);
        decoded = decode(im, codec, stream, &j);
    } else {
        im->code = OX_NO_MEMORY(im->r);
    }
    opj_image_destroy(j);
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    return decoded;
}
#endif
