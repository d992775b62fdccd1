/* PBM, PGM and PPM, as text (P1 to P3) and binary (P4 to P6). */
#include "kernels/image/image.h"

typedef struct reader { const ox_image *im; size_t at; } reader;

static int peek(const reader *r) { return r->at < r->im->n ? r->im->bytes[r->at] : -1; }

static bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_space(reader *r)
{
    for (int c; (c = peek(r)) == '#' || is_space(c);) {
        while (c == '#' && peek(r) >= 0 && peek(r) != '\n' && peek(r) != '\r')
            r->at++;
        if (peek(r) >= 0)
            r->at++;
    }
}

/* A number of the header or of text pixels; -1: none. */
static int64_t number(reader *r)
{
    int64_t v = 0;
    skip_space(r);
    if (peek(r) < '0' || peek(r) > '9')
        return -1;
    for (int c; (c = peek(r)) >= '0' && c <= '9'; r->at++)
        if ((v = v * 10 + (c - '0')) > INT32_MAX)
            return -1;
    return v;
}

/* One sample scaled to 0 .. 255, halves to even; -1: the file ends. */
static int sample(reader *r, int kind, int64_t most)
{
    int64_t v;
    if (kind <= 3) {
        v = number(r);
    } else {
        size_t size = most > 255 ? 2 : 1;
        if (r->im->n - r->at < size)
            return -1;
        v = size == 2 ? r->im->bytes[r->at] << 8 | r->im->bytes[r->at + 1] : r->im->bytes[r->at];
        r->at += size;
    }
    if (v < 0)
        return -1;
    v = OX_MIN(v, most);
    int64_t q = v * 255 / most, rest = v * 255 % most;
    return (int)(q + (2 * rest > most || (2 * rest == most && q % 2)));
}

/* One row of bits, 1 is black; text has one digit a pixel, with or without space. */
static bool bit_row(reader *r, int kind, int64_t width, uint8_t *rgb)
{
    for (int64_t x = 0; x < width; x++) {
        int bit;
        if (kind == 1) {
            skip_space(r);
            bit = peek(r) - '0';
            r->at++;
        } else {
            if (peek(r) < 0)
                return false;
            bit = peek(r) >> (7 - x % 8) & 1;
            r->at += x % 8 == 7 || x == width - 1;
        }
        if (bit != 0 && bit != 1)
            return false;
        rgb[3 * x] = rgb[3 * x + 1] = rgb[3 * x + 2] = bit ? 0 : 255;
    }
    return true;
}

bool ox_image_pnm(ox_image *im)
{
    reader r = { im, 2 };
    int kind = im->bytes[1] - '0';
    int64_t width = number(&r), height = number(&r), most = kind == 1 || kind == 4 ? 1 : number(&r);
    if (width < 1 || height < 1 || most < 1 || most > 65535 || (kind > 3 && !is_space(peek(&r))))
        return false;
    r.at += kind > 3; /* exactly one blank before binary pixels */
    if (!ox_image_begin(im, width, height))
        return false;
    bool color = kind == 3 || kind == 6, bits = kind == 1 || kind == 4;
    for (int64_t y = 0; y < height; y++) {
        uint8_t *rgb = im->rgb + y * width * 3;
        if (bits && !bit_row(&r, kind, width, rgb))
            return false;
        for (int64_t x = 0; x < width && !bits; x++, rgb += 3) {
            for (int c = 0; c < 3; c++) {
                int v = c == 0 || color ? sample(&r, kind, most) : rgb[0];
                if (v < 0)
                    return false;
                rgb[c] = (uint8_t)v;
            }
        }
    }
    return true;
}
