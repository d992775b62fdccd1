#include "kernels/conv/int8.h"

#include <string.h>

enum { BLOCK_ROWS = 48 };

static size_t ceil_div(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}
static size_t round_up(size_t a, size_t b)
{
    return ceil_div(a, b) * b;
}
static size_t add_sizes(size_t a, size_t b)
{
    size_t n;
    return ox_add_size(&n, a, b) ? n : SIZE_MAX;
}
static size_t product(size_t a, size_t b)
{
    size_t n;
    return ox_mul_size(&n, a, b) ? n : SIZE_MAX;
}

/* ---- choice ---- */

static bool plain_rows(const ox_window *g)
{
    for (int d = 0; d < g->n; d++)
        if (g->kernel[d] != 1 || g->stride[d] != 1 || g->begin[d] != 0 || g->in[d] != g->out[d])
            return false;
    return true;
}

void ox_iconv_choose(ox_iconv *s, const ox_window *window, size_t groups, size_t c, size_t m,
                     bool w_signed, uint32_t isa)
{
    *s = (ox_iconv){ .window = *window,
                     .groups = groups,
                     .c = c,
                     .m = m,
                     .c_group = c / groups,
                     .m_group = m / groups,
                     .taps = 1,
                     .in_size = 1,
                     .out_size = 1,
                     .w_signed = w_signed };
    for (int d = 0; d < window->n; d++) {
        s->taps *= (size_t)window->kernel[d];
        s->in_size *= (size_t)window->in[d];
        s->out_size *= (size_t)window->out[d];
    }
    s->depth = ox_uk_idepth_pick(isa);
    if (s->c_group == 1 && s->m_group == 1)
        s->way = OX_ICONV_DEPTH;
    else if (plain_rows(window))
        s->way = OX_ICONV_ROWS;
    else if (s->taps > 1 && (s->c_group % 4 || s->c_group <= 8))
        s->way = OX_ICONV_GATHER;
    else
        s->way = OX_ICONV_TAPS;
    bool runs = s->way == OX_ICONV_TAPS;
    s->gemm = (ox_igemm){ .n = s->m_group,
                          .n_run = runs ? s->taps : 1,
                          .k = runs ? s->c_group : s->c_group * s->taps };
    ox_igemm_choose(&s->gemm, isa);
    s->name = s->way == OX_ICONV_DEPTH ? s->depth->name : s->gemm.uk->name;
}

/* ---- weights ---- */

static int weight(const ox_iconv *s, const void *w, size_t i)
{
    return s->w_signed ? ((const int8_t *)w)[i] : ((const uint8_t *)w)[i];
}

/* A depthwise weight less its zero point may need 9 bits: it is then a sum of up to `copies`
 * weights. */
static size_t copies(const ox_iconv *s, const int64_t *zero, size_t n_zero, const void *w)
{
    size_t most = 1;
    for (size_t i = 0; i < s->m * s->taps; i++) {
        int v = weight(s, w, i) - (int)zero[n_zero == 1 ? 0 : i / s->taps];
        most = OX_MAX(most, (size_t)(v > 254 ? 3 : v > 127 || v < -128 ? 2 : 1));
    }
    return most;
}

/* A depthwise operand starts with the number of copies and the sums of channels. */
static size_t depth_head(const ox_iconv *s)
{
    return round_up((s->c + 16) * sizeof(int32_t), 64);
}

size_t ox_iconv_pack_bytes(const ox_iconv *s, const int64_t *zero, size_t n_zero, const void *w)
{
    if (s->way != OX_ICONV_DEPTH)
        return product(round_up(ox_igemm_pack_bytes(&s->gemm), 64), s->groups);
    size_t groups = ceil_div(s->taps * copies(s, zero, n_zero, w), 4);
    return add_sizes(depth_head(s), product(product(groups, s->c), 4));
}

static void pack_depth(const ox_iconv *s, const void *w, const int64_t *zero, size_t n_zero,
                       char *to)
{
    size_t n = copies(s, zero, n_zero, w), taps = s->taps;
    int32_t *head = (int32_t *)(void *)to, *sum = head + 16;
    int8_t *out = (int8_t *)to + depth_head(s);
    memset(out, 0, ceil_div(taps * n, 4) * s->c * 4);
    head[0] = (int32_t)n;
    for (size_t c = 0; c < s->c; c++) {
        sum[c] = 0;
        for (size_t t = 0; t < taps; t++) {
            int v = weight(s, w, c * taps + t) - (int)zero[n_zero == 1 ? 0 : c];
            sum[c] += v;
            for (size_t k = 0; k < n; k++) {
                int part = v > 127 ? 127 : v < -128 ? -128 : v;
                size_t tap = k * taps + t;
                out[(tap / 4 * s->c + c) * 4 + tap % 4] = (int8_t)part;
                v -= part;
            }
        }
    }
}

void ox_iconv_pack(const ox_iconv *s, const void *w, const int64_t *zero, size_t n_zero, void *to)
{
    size_t terms = s->c_group * s->taps, group = round_up(ox_igemm_pack_bytes(&s->gemm), 64);
    if (s->way == OX_ICONV_DEPTH) {
        pack_depth(s, w, zero, n_zero, to);
        return;
    }
    for (size_t g = 0; g < s->groups; g++) {
        ox_igemm_b b = { .b = (const char *)w + g * s->m_group * terms,
                         .is_signed = s->w_signed,
                         .run = 1,
                         .row = s->taps,
                         .col = terms,
                         .taps = s->way == OX_ICONV_GATHER ? s->taps : 0 };
        ox_igemm_pack(&s->gemm, &b, (char *)to + g * group);
    }
}

size_t ox_iconv_columns(const ox_iconv *s)
{
    return s->way == OX_ICONV_DEPTH ? s->c : s->groups * ox_igemm_columns(&s->gemm);
}

size_t ox_iconv_column(const ox_iconv *s, size_t filter)
{
    return s->way == OX_ICONV_DEPTH
               ? filter
               : filter / s->m_group * ox_igemm_columns(&s->gemm) + filter % s->m_group;
}

void ox_iconv_col(const ox_iconv *s, const void *packed, const int32_t *bias, int32_t zero_a,
                  const ox_igemm_ep *ep, int32_t *col)
{
    size_t group = round_up(ox_igemm_pack_bytes(&s->gemm), 64), n = ox_igemm_columns(&s->gemm);
    if (s->way == OX_ICONV_DEPTH) {
        const int32_t *sum = (const int32_t *)packed + 16;
        for (size_t c = 0; c < s->c; c++)
            col[c] =
                (int32_t)((bias ? (uint32_t)bias[c] : 0) - (uint32_t)zero_a * (uint32_t)sum[c]);
        return;
    }
    for (size_t g = 0; g < s->groups; g++) {
        ox_igemm_ep one = *ep;
        one.zero_bs = ep->zero_bs ? ep->zero_bs + g * n : NULL;
        ox_igemm_col(&s->gemm, (const char *)packed + g * group, bias ? bias + g * n : NULL, zero_a,
                     &one, col + g * n);
    }
}

/* ---- where pixels lie ---- */

typedef struct job {
    const ox_iconv *s;
    const ox_iconv_args *args;
    char *scratch;
    size_t scratch_bytes, zero_bytes; /* of a worker; of the row of zero points before them */
    size_t n_rows, n_panels;          /* blocks of pixels, of panels */
    size_t bm, bp;
} job;

/* Where tap (all dimensions but the last) meets output row `row`: offset in pixels of input row's
 * first, or -1. */
static int64_t input_row(const ox_window *g, size_t row, size_t tap)
{
    int64_t at = 0, size = g->in[g->n - 1];
    for (int d = g->n - 2; d >= 0; d--) {
        int64_t i = (int64_t)(row % (size_t)g->out[d]) * g->stride[d] +
                    (int64_t)(tap % (size_t)g->kernel[d]) * g->dilation[d] - g->begin[d];
        if (i < 0 || i >= g->in[d])
            return -1;
        row /= (size_t)g->out[d];
        tap /= (size_t)g->kernel[d];
        at += i * size;
        size *= g->in[d];
    }
    return at;
}

/* n pointers, from lane `lane` of a tile on: p, p + step ... where inside, else zero. */
static void put(const uint8_t **to, size_t lane, size_t lanes, size_t tile, size_t n,
                const uint8_t *p, size_t step)
{
    if (lanes == 1) {
        for (size_t j = 0; j < n; j++, p += step)
            to[j * tile] = p;
        return;
    }
    while (n > 0) {
        size_t m = OX_MIN(n, lanes - lane);
        for (size_t j = 0; j < m; j++, p += step)
            to[lane + j] = p;
        n -= m;
        lane = 0;
        to += tile;
    }
}

/* The pixels of n outputs of one row from output o on that one tap meets: base is the input row's
 * first pixel, or -1. */
static void put_row(const ox_iconv *s, const uint8_t *x, int64_t base, size_t o, size_t n,
                    int64_t offset, const uint8_t *zero, size_t i, size_t lanes, size_t tile,
                    const uint8_t **at)
{
    const ox_window *g = &s->window;
    int last = g->n - 1;
    int64_t lo, hi, first = (int64_t)o, end = first + (int64_t)n;
    ox_window_range(&lo, &hi, offset, g->stride[last], g->in[last], g->out[last]);
    lo = base < 0 ? end : OX_MIN(OX_MAX(lo, first), end);
    hi = base < 0 ? end : OX_MIN(OX_MAX(hi, lo), end);
    size_t left = (size_t)(lo - first), inside = (size_t)(hi - lo), k = i;
    put(at + k / lanes * tile, k % lanes, lanes, tile, left, zero, 0);
    k += left;
    const uint8_t *p = inside ? x + (size_t)(base + lo * g->stride[last] + offset) * s->c : zero;
    put(at + k / lanes * tile, k % lanes, lanes, tile, inside, p, (size_t)g->stride[last] * s->c);
    k += inside;
    put(at + k / lanes * tile, k % lanes, lanes, tile, n - left - inside, zero, 0);
}

/* Pointers for pixels [first, first + m): at[tile][tap][lane] with `lanes` pixels a tile and `ld`
 * taps.  x is an image, from the group's first channel on. */
static void find_pixels(const ox_iconv *s, const uint8_t *x, size_t first, size_t m,
                        const uint8_t *zero, size_t lanes, size_t ld, const uint8_t **at)
{
    const ox_window *g = &s->window;
    int last = g->n - 1;
    size_t width = (size_t)g->out[last], kw = (size_t)g->kernel[last];
    for (size_t i = 0, n; i < m; i += n) {
        size_t row = (first + i) / width, o = (first + i) % width;
        n = OX_MIN(m - i, width - o);
        for (size_t outer = 0; outer < s->taps / kw; outer++) {
            int64_t base = input_row(g, row, outer);
            for (size_t t = 0; t < kw; t++)
                put_row(s, x, base, o, n, (int64_t)t * g->dilation[last] - g->begin[last], zero, i,
                        lanes, ld * lanes, at + (outer * kw + t) * lanes);
        }
    }
}

/* Missing pixels of the last tile repeat the last one. */
static void fill_tile(size_t m, size_t lanes, size_t ld, const uint8_t **at)
{
    for (size_t i = m; i % lanes; i++)
        for (size_t tap = 0; tap < ld; tap++)
            at[(i / lanes * ld + tap) * lanes + i % lanes] =
                at[((m - 1) / lanes * ld + tap) * lanes + (m - 1) % lanes];
}

/* Few bytes: a call of memcpy would take longer. */
static inline void copy(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            to[i] = from[i];
        return;
    }
    for (size_t i = 0; i < n - 8; i += 8)
        memcpy(to + i, from + i, 8);
    memcpy(to + n - 8, from + n - 8, 8);
}

/* The patch of each pixel in [first, first + m). */
static void gather(const ox_iconv *s, const uint8_t *x, size_t first, size_t m, uint8_t zero,
                   uint8_t *patch)
{
    const ox_window *g = &s->window;
    int last = g->n - 1;
    size_t width = (size_t)g->out[last], kw = (size_t)g->kernel[last], c = s->c_group;
    bool solid = g->dilation[last] == 1 && c == s->c;
    for (size_t i = 0, n; i < m; i += n) {
        size_t row = (first + i) / width, o = (first + i) % width;
        n = OX_MIN(m - i, width - o);
        for (size_t outer = 0; outer < s->taps / kw; outer++) {
            int64_t base = input_row(g, row, outer),
                    pos = (int64_t)o * g->stride[last] - g->begin[last];
            uint8_t *to = patch + i * s->gemm.k + outer * kw * c;
            for (size_t j = 0; j < n; j++, pos += g->stride[last], to += s->gemm.k) {
                if (base >= 0 && solid && pos >= 0 && pos + (int64_t)kw <= g->in[last]) {
                    copy(to, x + (size_t)(base + pos) * c, kw * c);
                    continue;
                }
                for (size_t t = 0; t < kw; t++) {
                    int64_t at = pos + (int64_t)t * g->dilation[last];
                    if (base >= 0 && at >= 0 && at < g->in[last])
                        copy(to + t * c, x + (size_t)(base + at) * s->c, c);
                    else
                        memset(to + t * c, zero, c);
                }
            }
        }
    }
}

/* ---- blocks ---- */

static size_t pointers(const ox_iconv *s)
{
    size_t rows = BLOCK_ROWS + OX_IGEMM_MR, taps = s->way == OX_ICONV_ROWS ? 1 : s->taps;
    if (s->way == OX_ICONV_GATHER)
        return rows;
    if (s->way == OX_ICONV_DEPTH)
        return product(BLOCK_ROWS,
                       add_sizes(product(taps, 3), 4)); /* copies, rounded up to groups */
    return product(rows, taps);
}

static size_t zero_bytes(const ox_iconv *s)
{
    return round_up(add_sizes(s->c, 64), 64);
}

static size_t worker_bytes(const ox_iconv *s)
{
    size_t n = product(pointers(s), sizeof(void *));
    if (s->way == OX_ICONV_GATHER)
        n = add_sizes(n, product(s->gemm.k, BLOCK_ROWS));
    return n > SIZE_MAX - 64 ? SIZE_MAX : round_up(n, 64);
}

size_t ox_iconv_scratch_bytes(const ox_iconv *s, int n_workers)
{
    return add_sizes(zero_bytes(s), product(worker_bytes(s), (size_t)n_workers));
}

static size_t out_size(ox_iout out)
{
    return out == OX_IOUT_8 ? 1 : 4;
}

static void tile_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_iconv *s = w->s;
    const ox_igemm *p = &s->gemm;
    const uint8_t *zero = (const uint8_t *)w->scratch;
    char *own = w->scratch + w->zero_bytes + (size_t)worker * w->scratch_bytes;
    const uint8_t **rows = (const uint8_t **)(void *)own;
    size_t at = (size_t)block, mr = (size_t)p->uk->mr, panel = at % w->n_panels * w->bp,
           i0 = at / w->n_panels % w->n_rows * w->bm;
    at = at / w->n_panels / w->n_rows;
    size_t g = at % s->groups, image = at / s->groups, m = OX_MIN(w->bm, s->out_size - i0);
    const uint8_t *x = w->args->x + image * s->in_size * s->c + g * s->c_group;
    if (s->way == OX_ICONV_ROWS) {
        for (size_t i = 0; i < m; i++)
            rows[i] = x + (i0 + i) * s->c;
        fill_tile(m, mr, 1, rows);
    } else if (s->way == OX_ICONV_TAPS) {
        find_pixels(s, x, i0, m, zero, mr, s->taps, rows);
        fill_tile(m, mr, s->taps, rows);
    } else {
        uint8_t *patches = (uint8_t *)own + pointers(s) * sizeof(void *);
        gather(s, x, i0, m, w->args->zero_a, patches);
        for (size_t i = 0; i < m; i++)
            rows[i] = patches + i * p->k;
        fill_tile(m, mr, 1, rows);
    }
    ox_igemm_ep ep = w->args->ep;
    size_t column = g * ox_igemm_columns(p);
    ep.col += column;
    ep.mul += ep.mul ? column : 0;
    ep.add += ep.add ? column : 0;
    ep.zero_bs += ep.zero_bs ? column : 0;
    const char *packed = (const char *)w->args->packed + g * round_up(ox_igemm_pack_bytes(p), 64);
    char *y = (char *)w->args->y +
              ((image * s->out_size + i0) * s->m + g * s->m_group) * out_size(ep.out);
    ox_igemm_tiles(p, packed, &ep, rows, m, panel, OX_MIN(panel + w->bp, p->panels), y, s->m);
}

static void depth_block(void *ctx, int64_t block, int worker)
{
    const job *w = ctx;
    const ox_iconv *s = w->s;
    const uint8_t *zero = (const uint8_t *)w->scratch;
    const uint8_t **at =
        (const uint8_t **)(void *)(w->scratch + w->zero_bytes + (size_t)worker * w->scratch_bytes);
    const ox_igemm_ep *ep = &w->args->ep;
    size_t i0 = (size_t)block % w->n_rows * w->bm, image = (size_t)block / w->n_rows,
           m = OX_MIN(w->bm, s->out_size - i0);
    size_t n = (size_t)((const int32_t *)w->args->packed)[0], ld = round_up(s->taps * n, 4);
    find_pixels(s, w->args->x + image * s->in_size * s->c, i0, m, zero, 1, ld, at);
    for (size_t i = 0; i < m; i++) {
        const uint8_t **own = at + i * ld;
        for (size_t t = s->taps; t < s->taps * n; t++)
            own[t] = own[t - s->taps];
        for (size_t t = s->taps * n; t < ld; t++)
            own[t] = own[0]; /* its weights are 0 */
    }
    ox_idepth t = { .n = s->c,
                    .n_pixel = m,
                    .n_tap = s->taps * n,
                    .n_group = ld / 4,
                    .a = at,
                    .out = ep->out,
                    .col = ep->col,
                    .mul = ep->mul,
                    .add = ep->add,
                    .lo = ep->lo,
                    .hi = ep->hi,
                    .zero = ep->zero,
                    .table = ep->table,
                    .ldc = s->m };
    t.w = (const int8_t *)w->args->packed + depth_head(s);
    t.c = (char *)w->args->y + (image * s->out_size + i0) * s->m * out_size(ep->out);
    s->depth->fn(&t);
}

void ox_iconv_run(const ox_iconv *s, const ox_iconv_args *args, void *scratch, ox_pool *pool)
{
    job w = { .s = s,
              .args = args,
              .scratch = scratch,
              .scratch_bytes = worker_bytes(s),
              .zero_bytes = zero_bytes(s),
              .bm = BLOCK_ROWS,
              .bp = OX_MAX(s->gemm.panels, 1),
              .n_panels = 1 };
    if (!s->out_size || !args->n || !s->m)
        return;
    memset(scratch, args->zero_a, w.zero_bytes);
    bool depth = s->way == OX_ICONV_DEPTH;
    size_t images = args->n * (depth ? 1 : s->groups), lanes = depth ? 1 : (size_t)s->gemm.uk->mr;
    w.n_rows = ceil_div(s->out_size, BLOCK_ROWS);
    w.bm = round_up(ceil_div(s->out_size, w.n_rows), lanes);
    w.n_rows = ceil_div(s->out_size, w.bm);
    if (!depth && images * w.n_rows < 16) { /* few pixels: panels give the blocks */
        w.n_panels = OX_MIN(s->gemm.panels, ceil_div(16, images * w.n_rows));
        w.bp = ceil_div(s->gemm.panels, w.n_panels);
        w.n_panels = ceil_div(s->gemm.panels, w.bp);
    }
    ox_pool_run(pool, (int64_t)(images * w.n_rows * w.n_panels), depth ? depth_block : tile_block,
                &w);
}
