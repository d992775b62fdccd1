/* ConvInteger and QLinearConv, on int8.h.
 *
 * The graph's tensors have channels first; they are turned on the way in and out, unless fusion
 * (runtime/opt/qdq.c) has set onnxrun_nhwc: x and y then have channels last.  Fusion also knows
 *   input 9           a bias in float, in addition to B,
 *   input 10          256 bytes that replace results,
 *   onnxrun_float     the result stays a float: y_scale is 1 and nothing is rounded,
 *   onnxrun_activation ... as behind Conv.
 * QLinearConv scales by x_scale w_scale / y_scale in float, rounds half to even, adds the zero
 * point and saturates. */
#include "kernels/activation.h"
#include "kernels/conv/int8.h"
#include "kernels/move/move.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What depends on weights and scales only. */
struct parameters {
    const void *packed;
    ox_igemm_ep ep;
    uint8_t zero_a; /* as the micro-kernel sees it */
};
struct conv_integer {
    ox_iconv conv;
    ox_activation act;
    struct parameters p;
    bool ready, nhwc; /* p is set: all constants */
};

/* Which inputs are what. */
static bool is_qlinear(const ox_run *r)
{
    return r->op->name[0] == 'Q';
}
static const ox_tensor *weights(const ox_run *r)
{
    return r->in[is_qlinear(r) ? 3 : 1];
}
static const ox_tensor *input(const ox_run *r, int i)
{
    return i < r->n_in ? r->in[i] : NULL;
}
static bool is_nhwc(const ox_run *r)
{
    return ox_attr_given(r, "onnxrun_nhwc");
}

/* x as ONNX has it: channels first. */
static ox_tensor channels_first(const ox_run *r)
{
    ox_tensor x = *r->in[0];
    if (is_nhwc(r) && x.rank >= 3) {
        int64_t c = x.dim[x.rank - 1];
        memmove(x.dim + 2, x.dim + 1, (size_t)(x.rank - 2) * sizeof(*x.dim));
        x.dim[1] = c;
    }
    return x;
}

static ox_code check(ox_run *r, const ox_tensor *x)
{
    const ox_tensor *w = weights(r);
    int64_t group = ox_attr_i64(r, "group");
    if (x->rank < 3 || w->rank != x->rank)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "x has rank %d and w has rank %d, expected the same, at least 3", x->rank,
                       w->rank);
    if (group < 1 || (w->dim[0] >= 0 && w->dim[0] % group))
        return OX_FAIL(r->err, OX_E_SHAPE, "group %lld does not divide the %lld filters of w",
                       (long long)group, (long long)w->dim[0]);
    if (x->dim[1] >= 0 && w->dim[1] >= 0 && (x->dim[1] % group || w->dim[1] != x->dim[1] / group))
        return OX_FAIL(r->err, OX_E_SHAPE, "x has %lld channels, w expects %lld in %lld group%s",
                       (long long)x->dim[1], (long long)w->dim[1], (long long)group,
                       group == 1 ? "" : "s");
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    ox_window g;
    int64_t dim[OX_MAX_RANK];
    ox_tensor x = channels_first(r);
    bool last = is_nhwc(r);
    OX_TRY(check(r, &x));
    if (is_qlinear(r) && !input(r, 7))
        return OX_FAIL(r->err, OX_E_TYPE, "y_zero_point is missing");
    OX_TRY(ox_window_init(r, &g, &x, weights(r)->dim + 2));
    dim[0] = x.dim[0];
    dim[last ? g.n + 1 : 1] = weights(r)->dim[0];
    memcpy(dim + (last ? 1 : 2), g.out, (size_t)g.n * sizeof(*dim));
    if (ox_attr_given(r, "onnxrun_float"))
        r->out[0]->dtype = OX_F32;
    else if (is_qlinear(r) && input(r, 10))
        r->out[0]->dtype = input(r, 10)->dtype;
    ox_out_shape(r, 0, x.rank, dim);
    return OX_OK;
}

/* ---- what depends on weights and scales ---- */

/* Memory that lives as long as the state, or as the run. */
typedef void *allocate(ox_run *r, size_t n, size_t size);

/* Zero point input i: 1 element or, for w, `most` of them. */
static ox_code read_zero(ox_run *r, int i, int64_t most, const int64_t **zero, int64_t *n)
{
    static const int64_t none = 0;
    *zero = &none;
    *n = 1;
    if (i >= r->n_in || !r->in[i])
        return OX_OK;
    *zero = ox_in_i64s(r, i, n);
    if (!*zero)
        return *n == 0 && ox_count(r->in[i]) == 0
                   ? OX_FAIL(r->err, OX_E_SHAPE, "input %d, a zero point, has no element", i)
                   : OX_NO_MEMORY(r);
    if (*n != 1 && *n != most)
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "input %d, a zero point, has %lld elements, expected 1%s", i, (long long)*n,
                       most > 1 ? " or one a filter" : "");
    return OX_OK;
}

struct pack {
    const ox_iconv *s;
    const int64_t *zero;
    int64_t n_zero;
};

static void pack(void *to, const ox_tensor *w, const void *ctx)
{
    const struct pack *p = ctx;
    ox_iconv_pack(p->s, w->data, p->zero, (size_t)p->n_zero, to);
}

static ox_code pack_weights(ox_run *r, struct conv_integer *s, struct parameters *p, bool keep)
{
    int w = is_qlinear(r) ? 3 : 1, wz = is_qlinear(r) ? 5 : 3;
    struct pack ctx = { &s->conv, NULL, 0 };
    OX_TRY(read_zero(r, wz, (int64_t)s->conv.m, &ctx.zero, &ctx.n_zero));
    size_t bytes = ox_iconv_pack_bytes(&s->conv, ctx.zero, (size_t)ctx.n_zero, r->in[w]->data);
    if (keep) {
        char key[160];
        const ox_tensor *z = input(r, wz);
        snprintf(key, sizeof(key), "%s %d %zu %zu %p", s->conv.name, (int)s->conv.way,
                 s->conv.groups, s->conv.taps, s->conv.way == OX_ICONV_DEPTH && z ? z->data : NULL);
        p->packed = ox_packed(r, w, key, bytes, pack, &ctx);
        return p->packed ? OX_OK : OX_NO_MEMORY(r);
    }
    void *to = ox_scratch(r, bytes);
    if (!to)
        return OX_NO_MEMORY(r);
    pack(to, r->in[w], &ctx);
    p->packed = to;
    return OX_OK;
}

/* Zero points of weights, as the micro-kernel sees them; depthwise weights have none left. */
static ox_code weight_zeros(ox_run *r, struct conv_integer *s, struct parameters *p,
                            allocate *alloc)
{
    const int64_t *zero;
    int64_t n;
    if (s->conv.way == OX_ICONV_DEPTH)
        return OX_OK;
    OX_TRY(read_zero(r, is_qlinear(r) ? 5 : 3, (int64_t)s->conv.m, &zero, &n));
    bool same = true;
    for (int64_t m = 1; m < n; m++)
        same = same && zero[m] == zero[0];
    p->ep.zero_b = same ? ox_igemm_zero_b(s->conv.w_signed, (int32_t)zero[0]) : 0;
    if (same)
        return OX_OK;
    size_t columns = ox_iconv_columns(&s->conv);
    int32_t *to = alloc(r, columns, sizeof(*to));
    if (!to)
        return OX_NO_MEMORY(r);
    memset(to, 0, columns * sizeof(*to));
    for (size_t m = 0; m < s->conv.m; m++)
        to[ox_iconv_column(&s->conv, m)] = ox_igemm_zero_b(s->conv.w_signed, (int32_t)zero[m]);
    p->ep.zero_bs = to;
    return OX_OK;
}

static ox_code sums(ox_run *r, struct conv_integer *s, struct parameters *p, allocate *alloc)
{
    const int64_t *zero, *b = NULL;
    int64_t n;
    size_t columns = ox_iconv_columns(&s->conv);
    int32_t *col = alloc(r, columns, sizeof(*col)), *bias = NULL;
    if (!col)
        return OX_NO_MEMORY(r);
    OX_TRY(read_zero(r, 2, 1, &zero, &n));
    bool x_signed = r->in[0]->dtype == OX_I8;
    int32_t za = (int32_t)zero[0];
    za = ox_iconv_a_signed(&s->conv) == x_signed ? za : x_signed ? za + 128 : za - 128;
    p->zero_a = (uint8_t)za;
    if (is_qlinear(r) && input(r, 8)) {
        b = ox_in_i64s(r, 8, &n);
        if (n != (int64_t)s->conv.m)
            return OX_FAIL(r->err, OX_E_SHAPE, "B has %lld elements, w %lld filters", (long long)n,
                           (long long)s->conv.m);
        bias = ox_scratch_array(r, columns, sizeof(*bias));
        if (!b || !bias)
            return OX_NO_MEMORY(r);
        memset(bias, 0, columns * sizeof(*bias));
        for (size_t m = 0; m < s->conv.m; m++)
            bias[ox_iconv_column(&s->conv, m)] = (int32_t)b[m];
    }
    ox_iconv_col(&s->conv, p->packed, bias, za, &p->ep, col);
    p->ep.col = col;
    return OX_OK;
}

/* Factors and float biases of filters, and the range of results. */
static ox_code scales(ox_run *r, struct conv_integer *s, struct parameters *p, allocate *alloc)
{
    int64_t n_x, n_w, n_y, n_b = 0, n_z;
    int64_t filters = (int64_t)s->conv.m;
    const double *x = ox_in_f64s(r, 1, &n_x), *w = ox_in_f64s(r, 4, &n_w),
                 *y = ox_in_f64s(r, 6, &n_y);
    const double *b = input(r, 9) ? ox_in_f64s(r, 9, &n_b) : NULL;
    const int64_t *zero;
    size_t columns = ox_iconv_columns(&s->conv);
    float *mul = alloc(r, columns, sizeof(*mul)), *add = alloc(r, columns, sizeof(*add));
    if (n_x != 1 || (n_w != 1 && n_w != filters) || n_y != 1 || (b && n_b != filters))
        return OX_FAIL(r->err, OX_E_SHAPE,
                       "x_scale has %lld elements, w_scale %lld, y_scale %lld for %lld filters",
                       (long long)n_x, (long long)n_w, (long long)n_y, (long long)filters);
    if (!x || !w || !y || !mul || !add)
        return OX_NO_MEMORY(r);
    memset(mul, 0, columns * sizeof(*mul));
    memset(add, 0, columns * sizeof(*add));
    for (int64_t m = 0; m < filters; m++) {
        size_t at = ox_iconv_column(&s->conv, (size_t)m);
        mul[at] = (float)x[0] * (float)w[n_w == 1 ? 0 : m] / (float)y[0];
        add[at] = b ? (float)b[m] / (float)y[0] : 0;
    }
    p->ep.mul = mul;
    p->ep.add = add;
    p->ep.lo = (float)(s->act.lo / y[0]);
    p->ep.hi = (float)(s->act.hi / y[0]);
    p->ep.out = OX_IOUT_F32;
    if (r->out[0]->dtype == OX_F32)
        return OX_OK;
    OX_TRY(read_zero(r, 7, 1, &zero, &n_z));
    bool is_signed = r->in[7]->dtype == OX_I8; /* before the table */
    p->ep.out = OX_IOUT_8;
    p->ep.zero = (int32_t)zero[0];
    p->ep.lo = fmaxf(p->ep.lo, (float)((is_signed ? -128 : 0) - zero[0]));
    p->ep.hi = fminf(p->ep.hi, (float)((is_signed ? 127 : 255) - zero[0]));
    p->ep.table = input(r, 10) ? input(r, 10)->data : NULL;
    return OX_OK;
}

static ox_code read_parameters(ox_run *r, struct conv_integer *s, struct parameters *p, bool keep)
{
    allocate *alloc = keep ? ox_state_alloc : ox_scratch_array;
    *p = (struct parameters){ .ep.out = OX_IOUT_I32, .packed = s->p.packed };
    if (!p->packed)
        OX_TRY(pack_weights(r, s, p, keep));
    OX_TRY(weight_zeros(r, s, p, alloc));
    OX_TRY(sums(r, s, p, alloc));
    return is_qlinear(r) ? scales(r, s, p, alloc) : OX_OK;
}

static ox_code prepare(ox_run *r)
{
    struct conv_integer *s = r->state;
    const ox_tensor *w = weights(r), x = channels_first(r);
    ox_window g;
    OX_TRY(ox_window_init(r, &g, &x, w->dim + 2));
    OX_TRY(ox_activation_read(r, &s->act));
    s->nhwc = is_nhwc(r);
    if (!ox_count(r->out[0]))
        return OX_OK; /* never run */
    ox_iconv_choose(&s->conv, &g, (size_t)ox_attr_i64(r, "group"), (size_t)x.dim[1],
                    (size_t)w->dim[0], w->dtype == OX_I8, ox_cpu());
    r->kernel = s->conv.name;
    const ox_tensor *table = is_qlinear(r) ? input(r, 10) : NULL;
    if (table && (ox_dtype_size(table->dtype) != 1 || ox_count(table) != 256 || !table->data))
        return OX_FAIL(r->err, OX_E_SHAPE, "input 10 is no table of 256 bytes");
    int w_at = is_qlinear(r) ? 3 : 1, z_at = is_qlinear(r) ? 5 : 3;
    if ((r->in_const >> w_at & 1) && w->data && (!input(r, z_at) || (r->in_const >> z_at & 1)))
        OX_TRY(pack_weights(r, s, &s->p, true));
    s->ready = true;
    for (int i = 1; i < r->n_in; i++)
        s->ready = s->ready && (!r->in[i] || ((r->in_const >> i & 1) && r->in[i]->data));
    return s->ready ? read_parameters(r, s, &s->p, true) : OX_OK;
}

/* ---- channels to the end and back ---- */

enum { CHUNK = 1024 };
struct turn {
    ox_uk_transpose *fn;
    const char *from;
    char *to;
    size_t rows, cols, size, chunks; /* of one image; element bytes */
    bool by_row;                     /* chunks of rows: else of columns */
};

static void turn_block(void *ctx, int64_t block, int worker)
{
    const struct turn *t = ctx;
    size_t image = (size_t)block / t->chunks, first = (size_t)block % t->chunks * CHUNK;
    size_t long_side = t->by_row ? t->rows : t->cols, n = OX_MIN((size_t)CHUNK, long_side - first);
    const char *from = t->from + image * t->rows * t->cols * t->size;
    char *to = t->to + image * t->rows * t->cols * t->size;
    (void)worker;
    if (t->by_row)
        t->fn(n, t->cols, from + first * t->cols * t->size, t->cols, to + first * t->size, t->rows);
    else
        t->fn(t->rows, n, from + first * t->size, t->cols, to + first * t->rows * t->size, t->rows);
}

/* Each image's rows x cols become cols x rows. */
static void turn(ox_run *r, size_t images, size_t rows, size_t cols, size_t size, const void *from,
                 void *to)
{
    ox_move_kernels k = ox_move_pick();
    struct turn t = {
        size == 1 ? k.transpose8 : k.transpose32, from, to, rows, cols, size, 0, rows > cols
    };
    t.chunks = (OX_MAX(rows, cols) + CHUNK - 1) / CHUNK;
    ox_parallel(r, (int64_t)(images * t.chunks), turn_block, &t);
}

/* x with channels last and the sign that the micro-kernel wants. */
static ox_code arrange(ox_run *r, const struct conv_integer *s, const uint8_t **x)
{
    const ox_iconv *c = &s->conv;
    size_t n = (size_t)ox_count(r->in[0]);
    bool flips = ox_iconv_a_signed(c) != (r->in[0]->dtype == OX_I8),
         turns = !s->nhwc && c->c > 1 && c->in_size > 1;
    *x = r->in[0]->data;
    if (!flips && !turns)
        return OX_OK;
    uint8_t *to = ox_scratch_array(r, OX_MAX(n, 1), 1);
    if (!to)
        return OX_NO_MEMORY(r);
    if (turns)
        turn(r, (size_t)r->in[0]->dim[0], c->c, c->in_size, 1, *x, to);
    if (flips)
        ox_igemm_flip(n, turns ? to : *x, to, r->pool);
    *x = to;
    return OX_OK;
}

static ox_code run(ox_run *r)
{
    struct conv_integer *s = r->state;
    const ox_iconv *c = &s->conv;
    struct parameters own, *p = &s->p;
    if (!s->ready)
        OX_TRY(read_parameters(r, s, p = &own, false));
    ox_iconv_args args = { .n = (size_t)r->out[0]->dim[0],
                           .zero_a = p->zero_a,
                           .packed = p->packed,
                           .ep = p->ep,
                           .y = r->out[0]->data };
    OX_TRY(arrange(r, s, &args.x));
    size_t size = ox_dtype_size(r->out[0]->dtype);
    bool turns = !s->nhwc && c->m > 1 && c->out_size > 1;
    void *scratch = ox_scratch(r, ox_iconv_scratch_bytes(c, ox_pool_threads(r->pool)));
    if (turns)
        args.y = ox_scratch_array(r, (size_t)ox_count(r->out[0]), size);
    if (!scratch || !args.y)
        return OX_NO_MEMORY(r);
    ox_iconv_run(c, &args, scratch, r->pool);
    if (turns)
        turn(r, args.n, c->out_size, c->m, size, args.y, r->out[0]->data);
    return OX_OK;
}

static int64_t flops(const ox_run *r)
{
    const struct conv_integer *s = r->state;
    return 2 * ox_count(r->out[0]) * (int64_t)(s->conv.c_group * s->conv.taps);
}

OX_OP(ConvInteger, 10).infer = infer, .prepare = prepare, .run = { [OX_I8] = run, [OX_U8] = run },
                   .error = { ERR_EXACT, 0 }, .state_size = sizeof(struct conv_integer),
                   .flags = OX_SYMBOLIC | OX_NO_WIDEN, .flops = flops OX_END;

OX_OP(QLinearConv, 10).infer = infer, .prepare = prepare, .run = { [OX_I8] = run, [OX_U8] = run },
                   .error = { ERR_EXACT, 0 }, .state_size = sizeof(struct conv_integer),
                   .flags = OX_SYMBOLIC | OX_NO_WIDEN, .flops = flops OX_END;
