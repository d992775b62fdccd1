/* PNG by libpng.  Its error callback must not return: see ox_image_guard.  Transparency is dropped, 16
 * bits keep their upper 8. */
#include "kernels/image/image.h"

#ifndef OX_HAVE_LIBPNG
bool ox_image_png(ox_image *im) { return ox_image_missing(im, "PNG", "libpng"); }
#else
#include <string.h>

#include <png.h>

enum { MAX_CHUNK = 8 << 20 }; /* bytes that text and profiles may unpack to */

typedef struct png {
    ox_image   *im;
    png_structp read;
    png_infop   info;
    size_t      at;
} png;

static void on_error(png_structp p, png_const_charp text)
{
    (void)p;
    (void)text;
    ox_image_quit();
}

static void on_warning(png_structp p, png_const_charp text)
{
    (void)p;
    (void)text;
}

static void on_read(png_structp p, png_bytep to, size_t n)
{
    png *s = png_get_io_ptr(p);
    if (s->im->n - s->at < n)
        ox_image_quit();
    memcpy(to, s->im->bytes + s->at, n);
    s->at += n;
}

static bool decode(void *ctx)
{
    png *s = ctx;
    ox_image *im = s->im;
    s->read = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    s->info = s->read ? png_create_info_struct(s->read) : NULL;
    if (!s->info) {
        im->code = OX_NO_MEMORY(im->r);
        return false;
    }
    png_set_read_fn(s->read, s, on_read);
    png_set_chunk_malloc_max(s->read, MAX_CHUNK);
    png_set_chunk_cache_max(s->read, 100);
    png_read_info(s->read, s->info);
    int64_t width = png_get_image_width(s->read, s->info), height = png_get_image_height(s->read, s->info);
    if (!ox_image_begin(im, width, height))
        return false;
    png_set_strip_16(s->read);
    png_set_palette_to_rgb(s->read);
    png_set_expand_gray_1_2_4_to_8(s->read);
    png_set_gray_to_rgb(s->read);
    png_set_strip_alpha(s->read);
    int passes = png_set_interlace_handling(s->read);
    png_read_update_info(s->read, s->info);
    if (png_get_rowbytes(s->read, s->info) != (size_t)width * 3)
        return false;
    memset(im->rgb, 0, (size_t)(width * height) * 3); /* passes combine with what is there */
    for (int pass = 0; pass < passes; pass++)
        for (int64_t y = 0; y < height; y++)
            png_read_row(s->read, im->rgb + y * width * 3, NULL);
    return true;
}

bool ox_image_png(ox_image *im)
{
    png s = { .im = im };
    bool decoded = ox_image_guard(im, decode, &s);
    png_destroy_read_struct(&s.read, &s.info, NULL);
    return decoded && im->code == OX_OK;
}
#endif
