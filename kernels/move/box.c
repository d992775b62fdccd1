/* A box is first simplified: dimensions of one element go, neighbours that are one run on both
 * sides merge, and short dense runs become one larger element.  The two innermost dimensions are
 * then a tile that one of the loops below copies; the rest is an odometer, cut into blocks by
 * bytes. */
#include "kernels/move/box.h"
#include "kernels/move/move.h"

#include <string.h>

#define ALWAYS static inline __attribute__((always_inline))

enum {
    BLOCK = 1 << 16, /* bytes a parallel block copies at least */
    SIDE = 16,       /* side of the squares in which a transposition walks */
};

/* Two dimensions in bytes; 0 is the inner one. */
typedef struct tile {
    int64_t n0, n1, sx0, sy0, sx1, sy1;
    int64_t          size; /* of an element */
    ox_uk_transpose *transpose; /* the micro-kernels, where they run */
    ox_uk_weave     *weave;
} tile;
typedef void tile_fn(const tile *t, const char *x, char *y);

/* ---- loops, for each element size ---- */
ALWAYS void copy_run(char *y, const char *x, size_t n)
{
    if (n >= 128) {
        memcpy(y, x, n);
    } else if (n >= 16) {
        for (size_t k = 0; k + 16 < n; k += 16)
            memcpy(y + k, x + k, 16);
        memcpy(y + n - 16, x + n - 16, 16); /* may lie over the last one: no tail loop */
    } else if (n >= 8) {
        memcpy(y, x, 8);
        memcpy(y + n - 8, x + n - 8, 8);
    } else if (n >= 4) {
        memcpy(y, x, 4);
        memcpy(y + n - 4, x + n - 4, 4);
    } else {
        for (size_t k = 0; k < n; k++)
            y[k] = x[k];
    }
}

ALWAYS void runs(size_t size, const tile *t, const char *x, char *y)
{
    size_t n = (size_t)t->n0 * size;
    for (int64_t j = 0; j < t->n1; j++)
        copy_run(y + j * t->sy1, x + j * t->sx1, n);
}

ALWAYS void fills(size_t size, const tile *t, const char *x, char *y)
{
    for (int64_t j = 0; j < t->n1; j++) {
        char value[64], *to = y + j * t->sy1;
        size_t n = (size_t)t->n0 * size, at = 0;
        for (size_t k = 0; k < sizeof(value); k += size)
            memcpy(value + k, x + j * t->sx1, size);
        for (; n - at >= sizeof(value); at += sizeof(value))
            memcpy(to + at, value, sizeof(value));
        for (; at < n; at += size)
            memcpy(to + at, value, size);
    }
}

/* step: a compile-time distance between elements read, or 0 */
ALWAYS void gathers(size_t size, int64_t step, const tile *t, const char *x, char *y)
{
    int64_t sx = step ? step * (int64_t)size : t->sx0;
    for (int64_t j = 0; j < t->n1; j++) {
        const char *from = x + j * t->sx1;
        char *to = y + j * t->sy1;
        for (int64_t i = 0; i < t->n0; i++)
            memcpy(to + i * (int64_t)size, from + i * sx, size);
    }
}

ALWAYS void any(size_t size, const tile *t, const char *x, char *y)
{
    for (int64_t j = 0; j < t->n1; j++)
        for (int64_t i = 0; i < t->n0; i++)
            memcpy(y + j * t->sy1 + i * t->sy0, x + j * t->sx1 + i * t->sx0, size);
}

/* Written along i, read along j: squares keep the lines of both sides in the first cache. */
ALWAYS void square(size_t size, const tile *t, int64_t n0, int64_t n1, const char *x, char *y)
{
    int64_t s = (int64_t)size;
    for (int64_t j = 0; j < n1; j++)
        for (int64_t i = 0; i < n0; i++)
            memcpy(y + j * t->sy1 + i * s, x + j * s + i * t->sx0, size);
}
ALWAYS void transposes(size_t size, const tile *t, const char *x, char *y)
{
    int64_t s = (int64_t)size;
    for (int64_t j = 0; j < t->n1; j += SIDE)
        for (int64_t i = 0; i < t->n0; i += SIDE) {
            const char *from = x + j * s + i * t->sx0;
            char *to = y + j * t->sy1 + i * s;
            if (t->n1 - j >= SIDE && t->n0 - i >= SIDE)
                square(size, t, SIDE, SIDE, from, to);
            else
                square(size, t, OX_MIN(SIDE, t->n0 - i), OX_MIN(SIDE, t->n1 - j), from, to);
        }
}

/* ---- micro-kernels: for elements to 8 bytes and planes that follow one another ---- */
static void by_transpose(const tile *t, const char *x, char *y)
{
    t->transpose((size_t)t->n0, (size_t)t->n1, x, (size_t)(t->sx0 / t->size), y,
                 (size_t)(t->sy1 / t->size));
}
/* The thin transpositions of pixels and of DepthToSpace: tuples of 2, 3 or 4, from and to planes */
static void by_weave(const tile *t, const char *x, char *y)
{
    t->weave((size_t)t->n1, x, y, (size_t)(t->sx0 / t->size));
}
static void by_unweave(const tile *t, const char *x, char *y)
{
    t->weave((size_t)t->n0, x, y, (size_t)(t->sy1 / t->size));
}

enum {
    RUNS,
    FILLS,
    GATHERS,
    GATHERS2,
    REVERSED,
    ANY,
    TRANSPOSES,
    N_LOOPS,
    WEAVES = N_LOOPS,
    UNWEAVES
};
#define LOOP(name, size, ...)                                                                      \
    static void name##_##size(const tile *t, const char *x, char *y) { __VA_ARGS__; }
#define LOOPS(size)                                                                                \
    LOOP(fills, size, fills(size, t, x, y))                                                        \
    LOOP(gathers, size, gathers(size, 0, t, x, y))                                                 \
    LOOP(gathers2, size, gathers(size, 2, t, x, y))                                                \
    LOOP(reversed, size, gathers(size, -1, t, x, y))                                               \
    LOOP(any, size, any(size, t, x, y))                                                            \
    LOOP(transposes, size, transposes(size, t, x, y))
LOOPS(1)
LOOPS(2)
LOOPS(4)
LOOPS(8)
LOOPS(16)
LOOP(runs, 1, runs(1, t, x, y)) /* sizes differ in the number of bytes only, see ox_box_copy */

#define ROW(s)                                                                                     \
    { runs_1, fills_##s, gathers_##s, gathers2_##s, reversed_##s, any_##s, transposes_##s }
static tile_fn *const loops[5][N_LOOPS] = { ROW(1), ROW(2), ROW(4), ROW(8), ROW(16) };

/* ---- simplifying ---- */
static void merge(ox_box *to, const ox_box *b)
{
    to->rank = 0;
    for (int d = 0; d < b->rank; d++) {
        int last = to->rank - 1;
        if (b->dim[d] == 1)
            continue;
        if (last >= 0 && to->sx[last] == b->sx[d] * b->dim[d] &&
            to->sy[last] == b->sy[d] * b->dim[d]) {
            to->dim[last] *= b->dim[d];
            to->sx[last] = b->sx[d];
            to->sy[last] = b->sy[d];
        } else {
            ox_box_add(to, b->dim[d], b->sx[d], b->sy[d]);
        }
    }
}

/* A dense run of 2, 4, ... bytes inside strides that are its multiples is one larger element. */
static void widen(ox_box *b, size_t *size)
{
    int last = b->rank - 1;
    if (last < 0 || b->sx[last] != 1 || b->sy[last] != 1)
        return;
    int64_t n = b->dim[last];
    if (n > 16 || n * (int64_t)*size > 16 || (n & (n - 1)))
        return;
    for (int d = 0; d < last; d++)
        if (b->sx[d] % n || b->sy[d] % n)
            return;
    for (int d = 0; d < last; d++) {
        b->sx[d] /= n;
        b->sy[d] /= n;
    }
    b->rank = last;
    *size *= (size_t)n;
}

/* Where rows are read with a stride, the dimension that is dense in x becomes the second. */
static void dense_second(ox_box *b)
{
    int last = b->rank - 1;
    if (b->rank < 3 || b->sx[last] == 1 || b->sx[last] == 0 || b->sx[last - 1] == 1)
        return;
    for (int d = last - 2; d >= 0; d--) {
        if (b->sx[d] != 1)
            continue;
        int64_t dim = b->dim[d], sx = b->sx[d], sy = b->sy[d];
        for (int k = d; k < last - 1; k++) {
            b->dim[k] = b->dim[k + 1];
            b->sx[k] = b->sx[k + 1];
            b->sy[k] = b->sy[k + 1];
        }
        b->dim[last - 1] = dim;
        b->sx[last - 1] = sx;
        b->sy[last - 1] = sy;
        return;
    }
}

/* A tile of few rows costs more for itself than for its elements. */
static void longer_second(ox_box *b)
{
    int k = b->rank - 2;
    if (k < 1 || b->dim[k] >= 8 || b->dim[k - 1] <= b->dim[k] || b->sx[k] == 1)
        return;
    int64_t dim = b->dim[k], sx = b->sx[k], sy = b->sy[k];
    b->dim[k] = b->dim[k - 1];
    b->sx[k] = b->sx[k - 1];
    b->sy[k] = b->sy[k - 1];
    b->dim[k - 1] = dim;
    b->sx[k - 1] = sx;
    b->sy[k - 1] = sy;
}

static int choose(const tile *t, int64_t s)
{
    if (t->sy0 != s)
        return ANY;
    if (t->sx0 == s)
        return RUNS;
    if (t->sx0 == 0)
        return FILLS;
    if (t->sx1 == s && t->n1 > 1) {
        if (t->n0 >= 2 && t->n0 <= 4 && t->sy1 == t->n0 * s)
            return WEAVES;
        if (t->n1 >= 2 && t->n1 <= 4 && t->sx0 == t->n1 * s)
            return UNWEAVES;
        return TRANSPOSES;
    }
    return t->sx0 == 2 * s ? GATHERS2 : t->sx0 == -s ? REVERSED : GATHERS;
}

/* ---- running ---- */
typedef struct job {
    ox_box      b;               /* the outer dimensions, strides in bytes */
    tile        t;
    int64_t     cut0, cut1;      /* the tile in pieces of at most cut1 x cut0 */
    int64_t     n_cut0, n_cut1;
    int64_t     n_units, units;  /* pieces in all, and in a block */
    tile_fn    *fn;
    const char *x;
    char       *y;
} job;

static void run_block(void *ctx, int64_t block, int worker)
{
    const job *q = ctx;
    int64_t at = block * q->units, end = OX_MIN(at + q->units, q->n_units), rest = at;
    int64_t i0 = rest % q->n_cut0, i1 = rest / q->n_cut0 % q->n_cut1, index[OX_BOX_RANK];
    const char *x = q->x;
    char *y = q->y;
    (void)worker;
    rest = rest / q->n_cut0 / q->n_cut1;
    for (int d = q->b.rank - 1; d >= 0; d--) {
        index[d] = rest % q->b.dim[d];
        rest /= q->b.dim[d];
        x += index[d] * q->b.sx[d];
        y += index[d] * q->b.sy[d];
    }
    for (; at < end; at++) {
        tile t = q->t;
        t.n0 = OX_MIN(q->cut0, t.n0 - i0 * q->cut0);
        t.n1 = OX_MIN(q->cut1, t.n1 - i1 * q->cut1);
        q->fn(&t, x + i0 * q->cut0 * t.sx0 + i1 * q->cut1 * t.sx1,
              y + i0 * q->cut0 * t.sy0 + i1 * q->cut1 * t.sy1);
        if (++i0 < q->n_cut0)
            continue;
        i0 = 0;
        if (++i1 < q->n_cut1)
            continue;
        i1 = 0;
        for (int d = q->b.rank - 1; d >= 0; d--) {
            x += q->b.sx[d];
            y += q->b.sy[d];
            if (++index[d] < q->b.dim[d])
                break;
            index[d] = 0;
            x -= q->b.dim[d] * q->b.sx[d];
            y -= q->b.dim[d] * q->b.sy[d];
        }
    }
}

/* Pieces of about BLOCK bytes.  Those of thin transpositions keep their short side whole. */
static void cut(job *q, int loop, int64_t s)
{
    int64_t most = BLOCK / s;
    if (loop >= TRANSPOSES) {
        q->cut0 = OX_MIN(q->t.n0, loop == UNWEAVES ? most / 4 : 256);
        q->cut1 = OX_MIN(q->t.n1, loop == WEAVES ? most / 4 : 64);
    } else {
        q->cut0 = OX_MIN(q->t.n0, most);
        q->cut1 = OX_MIN(q->t.n1, OX_MAX(most / q->cut0, 1));
    }
    q->n_cut0 = (q->t.n0 + q->cut0 - 1) / q->cut0;
    q->n_cut1 = (q->t.n1 + q->cut1 - 1) / q->cut1;
}

/* A micro-kernel for the loop if there is one, else a loop of this file; returns which. */
static int use_kernel(job *q, int loop, int log2)
{
    tile *t = &q->t;
    int64_t s = (int64_t)1 << log2, plane = loop == UNWEAVES ? t->sy1 : t->sx0;
    const ox_move_kernels k = ox_move_pick();
    ox_uk_transpose *const transpose[] = { k.transpose8, k.transpose16, k.transpose32,
                                           k.transpose64 };
    bool fits = log2 <= 3 && plane > 0 && plane % s == 0;
    t->size = s;
    if (loop == TRANSPOSES && fits && t->sy1 > 0 && t->sy1 % s == 0) {
        t->transpose = transpose[log2];
        q->fn = by_transpose;
    } else if (loop == WEAVES && fits) {
        t->weave = k.weave[t->n0 - 2][log2];
        q->fn = by_weave;
    } else if (loop == UNWEAVES && fits) {
        t->weave = k.unweave[t->n1 - 2][log2];
        q->fn = by_unweave;
    } else {
        loop = loop < N_LOOPS ? loop : ANY;
        q->fn = loops[log2][loop];
    }
    return loop;
}

void ox_box_copy(const ox_run *r, size_t size, const ox_box *b, const void *x, void *y)
{
    job q = { .x = x, .y = y };
    int64_t total = 1;
    for (int d = 0; d < b->rank; d++) {
        if (b->dim[d] <= 0)
            return;
        total *= b->dim[d];
    }
    total *= (int64_t)size;
    merge(&q.b, b);
    widen(&q.b, &size);
    dense_second(&q.b);
    longer_second(&q.b);
    int64_t s = (int64_t)size;
    int log2 = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : size == 8 ? 3 : 4;
    while (q.b.rank < 2) { /* a tile has two dimensions */
        for (int d = q.b.rank++; d > 0; d--) {
            q.b.dim[d] = q.b.dim[d - 1];
            q.b.sx[d] = q.b.sx[d - 1];
            q.b.sy[d] = q.b.sy[d - 1];
        }
        q.b.dim[0] = 1;
        q.b.sx[0] = q.b.sy[0] = 1;
    }
    for (int d = 0; d < q.b.rank; d++) {
        q.b.sx[d] *= s;
        q.b.sy[d] *= s;
    }
    q.b.rank -= 2;
    int k = q.b.rank;
    q.t = (tile){ q.b.dim[k + 1], q.b.dim[k], q.b.sx[k + 1], q.b.sy[k + 1], q.b.sx[k], q.b.sy[k] };
    if (q.t.n0 == 1) /* a single element counts as a dense run */
        q.t.sx0 = q.t.sy0 = s;
    int loop = choose(&q.t, s);
    loop = use_kernel(&q, loop, log2);
    cut(&q, loop, s);
    if (loop == RUNS) { /* counted in bytes from here on */
        q.t.n0 *= s;
        q.cut0 *= s;
        q.t.sx0 = q.t.sy0 = 1;
    }
    q.n_units = q.n_cut0 * q.n_cut1;
    for (int d = 0; d < q.b.rank; d++)
        q.n_units *= q.b.dim[d];
    int64_t n_blocks = OX_MIN(q.n_units, (total + BLOCK - 1) / BLOCK);
    q.units = (q.n_units + n_blocks - 1) / n_blocks;
    n_blocks = (q.n_units + q.units - 1) / q.units;
    if (n_blocks == 1)
        run_block(&q, 0, 0);
    else
        ox_parallel(r, n_blocks, run_block, &q);
}

void ox_dense_strides(int64_t stride[OX_MAX_RANK], int rank, const int64_t *dim)
{
    int64_t n = 1;
    for (int d = rank - 1; d >= 0; d--) {
        stride[d] = n;
        n *= dim[d];
    }
}

void ox_fill(const ox_run *r, size_t size, int64_t n, const void *value, void *y)
{
    ox_box b = { .rank = 1, .dim = { n }, .sx = { 0 }, .sy = { 1 } };
    ox_box_copy(r, size, &b, value, y);
}
