/* Deflated by zlib where it is there, else stored. */
#include "verify/png.h"

#include "runtime/io/zip.h"

#include <stdlib.h>
#include <string.h>
#ifdef OX_HAVE_ZLIB
#include <zlib.h>
#endif

static void put32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* ---- base64 ---- */

static void base64(ox_text *t, const uint8_t *p, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0u);
        char four[4] = { digit[v >> 18], digit[v >> 12 & 63], left > 1 ? digit[v >> 6 & 63] : '=',
                         left > 2 ? digit[v & 63] : '=' };
        ox_text_add(t, four, 4);
    }
}

/* ---- zlib's format ---- */

#ifdef OX_HAVE_ZLIB
static uint8_t *deflated(const uint8_t *p, size_t n, size_t *n_out)
{
    uLongf size = compressBound((uLong)n);
    uint8_t *to = malloc(size);
    if (to && compress2(to, &size, p, (uLong)n, 9) != Z_OK) {
        free(to);
        to = NULL;
    }
    *n_out = size;
    return to;
}
#else
static uint32_t adler32(const uint8_t *p, size_t n)
{
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < n; i++) {
        a = (a + p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static uint8_t *deflated(const uint8_t *p, size_t n, size_t *n_out)
{
    enum { BLOCK = 65535 };
    size_t blocks = n / BLOCK + 1, at = 2;
    uint8_t *to = malloc(n + 5 * blocks + 6);
    if (!to)
        return NULL;
    memcpy(to, "\x78\x01", 2);
    for (size_t i = 0; i < blocks; i++) {
        size_t m = OX_MIN(n - i * BLOCK, (size_t)BLOCK);
        to[at++] = i + 1 == blocks;
        to[at++] = (uint8_t)m;
        to[at++] = (uint8_t)(m >> 8);
        to[at++] = (uint8_t)~m;
        to[at++] = (uint8_t)(~m >> 8);
        memcpy(to + at, p + i * BLOCK, m);
        at += m;
    }
    put32(to + at, adler32(p, n));
    *n_out = at + 4;
    return to;
}
#endif

/* ---- the file ---- */

static bool chunk(ox_text *file, const char type[4], const uint8_t *p, size_t n)
{
    uint8_t *c = malloc(n + 12);
    if (!c)
        return false;
    put32(c, (uint32_t)n);
    memcpy(c + 4, type, 4);
    if (n)
        memcpy(c + 8, p, n);
    put32(c + 8 + n, ox_crc32(0, c + 4, n + 4));
    ox_text_add(file, (const char *)c, n + 12);
    free(c);
    return true;
}

/* Each row behind a byte that says "no filter". */
static uint8_t *rows(int width, int height, const uint8_t *index, size_t *n)
{
    size_t w = (size_t)width, h = (size_t)height;
    uint8_t *p = malloc((w + 1) * h + 1);
    for (size_t y = 0; p && y < h; y++) {
        p[y * (w + 1)] = 0;
        memcpy(p + y * (w + 1) + 1, index + y * w, w);
    }
    *n = (w + 1) * h;
    return p;
}

bool ox_png_url(ox_text *t, int width, int height, const uint8_t *index, uint8_t palette[256][3])
{
    uint8_t head[13] = { [8] = 8, [9] = 3 }; /* 8 bits, palette */
    size_t n_raw, n_packed = 0;
    ox_text file = { 0 };
    put32(head, (uint32_t)width);
    put32(head + 4, (uint32_t)height);
    uint8_t *raw = rows(width, height, index, &n_raw);
    uint8_t *packed = raw ? deflated(raw, n_raw, &n_packed) : NULL;
    ox_text_add(&file, "\x89PNG\r\n\x1a\n", 8);
    bool good = packed && chunk(&file, "IHDR", head, sizeof head) &&
                chunk(&file, "PLTE", palette[0], 768) && chunk(&file, "IDAT", packed, n_packed) &&
                chunk(&file, "IEND", NULL, 0) && !file.failed;
    if (good) {
        ox_text_puts(t, "data:image/png;base64,");
        base64(t, (const uint8_t *)file.s, file.n);
    }
    ox_text_release(&file);
    free(packed);
    free(raw);
    return good && !t->failed;
}
