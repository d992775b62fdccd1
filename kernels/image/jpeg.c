/* JPEG by libjpeg.  Its error callback must not return: see ox_image_guard. */
#include "kernels/image/image.h"

#ifndef OX_HAVE_LIBJPEG
bool ox_image_jpeg(ox_image *im) { return ox_image_missing(im, "JPEG", "libjpeg"); }
#else
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { MAX_SCANS = 500 }; /* of a progressive file: each costs time whatever its size */

typedef struct jpeg {
    struct jpeg_decompress_struct d; /* first: libjpeg hands out pointers to it */
    struct jpeg_error_mgr         errors;
    struct jpeg_source_mgr        source;
    struct jpeg_progress_mgr      progress;
    ox_image                     *im;
    uint8_t                      *line; /* one row of CMYK */
    bool                          ended; /* the file is over; what libjpeg reads since is made up */
} jpeg;

static jpeg *of(j_common_ptr d) { return (jpeg *)(void *)d; }

static void on_error(j_common_ptr d)
{
    (void)d;
    ox_image_quit();
}

/* Damage that libjpeg can live with is fine, but for a file that stops early. */
static void on_message(j_common_ptr d, int level)
{
    if (level < 0 && d->err->msg_code == JWRN_HIT_MARKER && of(d)->ended)
        ox_image_quit();
}

static void silent(j_common_ptr d) { (void)d; }
static void nothing(j_decompress_ptr d) { (void)d; }

static boolean refill(j_decompress_ptr d)
{
    static const JOCTET end[2] = { 0xff, JPEG_EOI };
    of((j_common_ptr)d)->ended = true;
    d->src->next_input_byte = end;
    d->src->bytes_in_buffer = 2;
    return TRUE;
}

static void skip(j_decompress_ptr d, long n)
{
    if (n <= 0)
        return;
    if ((size_t)n >= d->src->bytes_in_buffer) {
        refill(d);
        return;
    }
    d->src->next_input_byte += n;
    d->src->bytes_in_buffer -= (size_t)n;
}

static void on_progress(j_common_ptr d)
{
    if (d->is_decompressor && ((j_decompress_ptr)d)->input_scan_number > MAX_SCANS)
        ox_image_quit();
}

static unsigned scaled(unsigned a, unsigned b)
{
    unsigned v = a * b + 128;
    return ((v >> 8) + v) >> 8;
}

/* The file holds inverted CMYK, as all programs write it. */
static void from_cmyk(const uint8_t *cmyk, uint8_t *rgb, int64_t n)
{
    for (int64_t i = 0; i < n; i++, cmyk += 4)
        for (int c = 0; c < 3; c++)
            *rgb++ = (uint8_t)(cmyk[3] - scaled(255u - cmyk[c], cmyk[3]));
}

static bool decode(void *ctx)
{
    jpeg *j = ctx;
    ox_image *im = j->im;
    jpeg_create_decompress(&j->d);
    j->d.src = &j->source;
    j->d.progress = &j->progress;
    if (jpeg_read_header(&j->d, TRUE) != JPEG_HEADER_OK)
        return false;
    bool cmyk = j->d.num_components == 4;
    j->d.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    if (!ox_image_begin(im, j->d.image_width, j->d.image_height))
        return false;
    if (jpeg_has_multiple_scans(&j->d) && !ox_image_charge(im, 2 * (size_t)j->d.num_components))
        return false;
    if (cmyk && !(j->line = ox_scratch_array(im->r, (size_t)im->width, 4))) {
        im->code = OX_NO_MEMORY(im->r);
        return false;
    }
    if (!jpeg_start_decompress(&j->d))
        return false;
    if (j->ended && jpeg_has_multiple_scans(&j->d))
        return false;
    while (j->d.output_scanline < j->d.output_height) {
        uint8_t *to = im->rgb + (size_t)j->d.output_scanline * (size_t)im->width * 3;
        JSAMPROW line = cmyk ? j->line : to;
        if (jpeg_read_scanlines(&j->d, &line, 1) != 1)
            return false;
        if (cmyk)
            from_cmyk(j->line, to, im->width);
    }
    return true;
}

bool ox_image_jpeg(ox_image *im)
{
    jpeg *j = ox_scratch(im->r, sizeof *j);
    if (!j) {
        im->code = OX_NO_MEMORY(im->r);
        return false;
    }
    memset(j, 0, sizeof *j);
    j->im = im;
    j->d.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = on_error;
    j->errors.emit_message = on_message;
    j->errors.output_message = silent;
    j->progress.progress_monitor = on_progress;
    j->source = (struct jpeg_source_mgr){ im->bytes, im->n, nothing, refill, skip, jpeg_resync_to_restart, nothing };
    bool decoded = ox_image_guard(im, decode, j);
    if (j->d.mem)
        jpeg_destroy_decompress(&j->d);
    return decoded && im->code == OX_OK;
}
#endif
