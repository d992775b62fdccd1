/* Windows and OS/2 bitmaps: 1 to 32 bits a pixel, palettes, bit fields, run lengths. */
#include "kernels/image/image.h"

#include <string.h>

enum { RGB = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3, ALPHABITFIELDS = 6 };

typedef struct bmp {
    size_t   header, pixels;       /* bytes of the info header; offset of the pixels */
    int64_t  width, height;
    bool     top_down;
    int      bits, compression;
    uint32_t mask[3];
    size_t   palette, entry;       /* offset, bytes of an entry */
    uint32_t n_colors;
} bmp;

static bool read_masks(const ox_image *im, bmp *b)
{
    static const uint32_t masks16[3] = { 0x7c00, 0x3e0, 0x1f }, masks32[3] = { 0xff0000, 0xff00, 0xff };
    memcpy(b->mask, b->bits == 16 ? masks16 : masks32, sizeof b->mask);
    if (b->compression != BITFIELDS && b->compression != ALPHABITFIELDS)
        return true;
    for (int c = 0; c < 3; c++) /* behind a short header, or within a long one: the same place */
        b->mask[c] = ox_image_le(im, 54 + 4 * (size_t)c, 4);
    if (b->header < 52)
        b->palette += b->compression == BITFIELDS ? 12 : 16;
    return b->bits == 16 || b->bits == 32;
}

static bool read_header(const ox_image *im, bmp *b)
{
    b->pixels = ox_image_le(im, 10, 4);
    b->header = ox_image_le(im, 14, 4);
    if (b->header != 12 && b->header < 16)
        return false;
    bool os2 = b->header == 12;
    int32_t height = (int32_t)ox_image_le(im, 22, 4);
    b->width = os2 ? (int32_t)ox_image_le(im, 18, 2) : (int32_t)ox_image_le(im, 18, 4);
    b->height = os2 ? ox_image_le(im, 20, 2) : height < 0 ? -(int64_t)height : height;
    b->top_down = !os2 && height < 0;
    b->bits = (int)ox_image_le(im, os2 ? 24 : 28, 2);
    b->compression = os2 ? RGB : (int)OX_MIN(ox_image_le(im, 30, 4), 255);
    b->entry = os2 ? 3 : 4;
    b->palette = 14 + b->header;
    b->n_colors = os2 || b->header < 36 ? 0 : ox_image_le(im, 46, 4);
    if (b->bits <= 8 && (b->n_colors == 0 || b->n_colors > 1u << b->bits))
        b->n_colors = 1u << b->bits;
    if (b->width < 1 || b->height < 1 || b->header > im->n || b->pixels > im->n)
        return false;
    switch (b->compression) {
    case RGB:  break;
    case RLE8: if (b->bits != 8) return false; break;
    case RLE4: if (b->bits != 4) return false; break;
    case BITFIELDS: case ALPHABITFIELDS: break;
    default:   return false;
    }
    return (b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 16 || b->bits == 24 || b->bits == 32) &&
           read_masks(im, b);
}

/* A field of a pixel, scaled to 0 .. 255. */
static uint8_t field(uint32_t pixel, uint32_t mask)
{
    if (!mask)
        return 0;
    int shift = 0;
    while (!(mask >> shift & 1))
        shift++;
    uint64_t most = mask >> shift;
    return (uint8_t)(((pixel & mask) >> shift) * 255ull / most);
}

static void indexed(const ox_image *im, const bmp *b, uint32_t i, uint8_t *rgb)
{
    size_t at = b->palette + b->entry * i;
    for (int c = 0; c < 3; c++)
        rgb[c] = i < b->n_colors ? (uint8_t)ox_image_le(im, at + (size_t)(2 - c), 1) : 0;
}

static uint8_t *row(const ox_image *im, const bmp *b, int64_t y)
{
    return im->rgb + (b->top_down ? y : b->height - 1 - y) * b->width * 3;
}

static bool plain(ox_image *im, const bmp *b)
{
    size_t stride = ((size_t)b->width * (size_t)b->bits + 31) / 32 * 4;
    size_t used = ((size_t)b->width * (size_t)b->bits + 7) / 8; /* the last row may lack its padding */
    size_t bytes = (size_t)b->bits / 8;
    for (int64_t y = 0; y < b->height; y++) {
        size_t at = b->pixels + (size_t)y * stride;
        uint8_t *rgb = row(im, b, y);
        if (at > im->n || im->n - at < used)
            return false;
        for (int64_t x = 0; x < b->width; x++, rgb += 3) {
            if (b->bits <= 8) {
                size_t bit = (size_t)x * (size_t)b->bits;
                uint32_t byte = im->bytes[at + bit / 8];
                indexed(im, b, byte >> (8 - (size_t)b->bits - bit % 8) & ((1u << b->bits) - 1), rgb);
                continue;
            }
            uint32_t pixel = ox_image_le(im, at + (size_t)x * bytes, (int)bytes);
            for (int c = 0; c < 3; c++)
                rgb[c] = b->bits == 24 ? (uint8_t)(pixel >> (16 - 8 * c)) : field(pixel, b->mask[c]);
        }
    }
    return true;
}

/* Codes (count, value) and, after a 0: end of line, end of image, a jump, or count literal pixels. */
static bool run_lengths(ox_image *im, const bmp *b)
{
    int64_t x = 0, y = 0;
    size_t at = b->pixels;
    int nibbles = b->bits == 4;
    for (int64_t i = 0; i < b->width * b->height; i++) /* what no code reaches */
        indexed(im, b, 0, im->rgb + 3 * i);
    while (im->n - at >= 2) {
        uint32_t count = im->bytes[at], value = im->bytes[at + 1];
        at += 2;
        size_t literal = 0;
        if (count == 0 && value == 0) {
            x = 0;
            y++;
            continue;
        }
        if (count == 0 && value == 1)
            return true;
        if (count == 0 && value == 2) {
            if (im->n - at < 2)
                return false;
            x += im->bytes[at];
            y += im->bytes[at + 1];
            at += 2;
            continue;
        }
        if (count == 0) {
            count = value;
            literal = nibbles ? (count + 1) / 2 : count;
            if (im->n - at < literal)
                return false;
        }
        if (y >= b->height)
            return false;
        for (uint32_t i = 0; i < count; i++, x++) {
            uint32_t v = !literal ? value : im->bytes[at + (nibbles ? i / 2 : i)];
            if (x < b->width)
                indexed(im, b, !nibbles ? v : i % 2 ? v & 15 : v >> 4, row(im, b, y) + 3 * x);
        }
        at += OX_MIN(literal + literal % 2, im->n - at);
    }
    return y >= b->height - 1 && x >= b->width; /* the end mark is missing */
}

bool ox_image_bmp(ox_image *im)
{
    bmp b;
    memset(&b, 0, sizeof b);
    if (!read_header(im, &b) || !ox_image_begin(im, b.width, b.height))
        return false;
    return b.compression == RLE8 || b.compression == RLE4 ? run_lengths(im, &b) : plain(im, &b);
}
