/* Einsum: one label a dimension; labels that the output lacks are summed over.
 *
 * The equation is parsed once into strides: every operand has one stride a label (repeated labels add
 * up: diagonals need nothing else), and the result is a loop nest over output labels with one over summed
 * labels inside.  Two float operands of the common form go through the blocked product instead. */
#ifdef T /* ---- once per dtype: see runtime/tensor/each_dtype.h ---- */

/* Sum over the labels [s->n_out, s->n) of the product of all operands from the given offsets. */
static A FN(sum)(const struct einsum *s, const T *const *x)
{
    int64_t at[MAX_LABELS] = { 0 }, offset[MAX_TERMS] = { 0 };
    A total = 0;
    for (int64_t i = 0; i < s->n_sum; i++) {
        A product = (A)LD(x[0] + offset[0]);
        for (int t = 1; t < s->n_term; t++)
            product *= (A)LD(x[t] + offset[t]);
        total += product;
        for (int d = s->n - 1; d >= s->n_out; d--) {
            for (int t = 0; t < s->n_term; t++)
                offset[t] += s->stride[t][d];
            if (++at[d] < s->dim[d])
                break;
            at[d] = 0;
            for (int t = 0; t < s->n_term; t++)
                offset[t] -= s->stride[t][d] * s->dim[d];
        }
    }
    return total;
}

static void FN(block)(void *ctx, int64_t block, int worker)
{
    const ox_run *r = ctx;
    const struct einsum *s = r->state;
    int64_t end = OX_MIN((block + 1) * BLOCK, s->n_result);
    (void)worker;
    for (int64_t i = block * BLOCK; i < end; i++) {
        const T *x[MAX_TERMS];
        int64_t rest = i, offset[MAX_TERMS] = { 0 };
        for (int d = s->n_out - 1; d >= 0; d--) {
            for (int t = 0; t < s->n_term; t++)
                offset[t] += rest % s->dim[d] * s->stride[t][d];
            rest /= s->dim[d];
        }
        for (int t = 0; t < s->n_term; t++)
            x[t] = (const T *)r->in[t]->data + offset[t];
        ST((T *)r->out[0]->data + i, (C)FN(sum)(s, x));
    }
}

static ox_code FN(einsum)(ox_run *r)
{
    const struct einsum *s = r->state;
    ox_parallel(r, (s->n_result + BLOCK - 1) / BLOCK, FN(block), r);
    return OX_OK;
}

#if IS_FLOAT
/* Operand t as a dense [batch][rows][columns] matrix; a copy unless it already is one. */
static const T *FN(gather)(ox_run *r, const struct einsum *s, int t, const int *order)
{
    int64_t at[MAX_LABELS] = { 0 }, expect = 1, count = 1, offset = 0;
    bool dense = true;
    int n = s->n_batch + s->n_m[t] + s->n_k;
    for (int i = n - 1; i >= 0; i--) {
        dense = dense && (s->dim[order[i]] == 1 || s->stride[t][order[i]] == expect);
        expect *= s->dim[order[i]];
    }
    const T *x = r->in[t]->data;
    if (dense)
        return x;
    for (int i = 0; i < n; i++)
        count *= s->dim[order[i]];
    T *to = ox_scratch_array(r, (size_t)OX_MAX(count, 1), sizeof(T));
    for (int64_t i = 0; to && i < count; i++) {
        to[i] = x[offset];
        for (int d = n - 1; d >= 0; d--) {
            offset += s->stride[t][order[d]];
            if (++at[d] < s->dim[order[d]])
                break;
            at[d] = 0;
            offset -= s->stride[t][order[d]] * s->dim[order[d]];
        }
    }
    return to;
}

static ox_code FN(contract)(ox_run *r)
{
    const struct einsum *s = r->state;
    if (!s->matmul)
        return FN(einsum)(r);
    const T *a = FN(gather)(r, s, 0, s->order_a), *b = FN(gather)(r, s, 1, s->order_b);
    size_t bytes = ox_gemm_scratch_bytes(&s->plan, ox_pool_threads(r->pool));
    void *scratch = ox_scratch(r, bytes);
    if (!a || !b || !scratch)
        return OX_NO_MEMORY(r);
    size_t m = s->plan.m, n = s->plan.n, k = s->plan.k;
    ox_gemm_args args = { .a = a, .b = b, .c = r->out[0]->data, .lda = k, .ldb = k, .ldc = n,
                          .batch = (size_t)s->batch, .stride_a = m * k, .stride_b = n * k, .stride_c = m * n };
    ox_gemm_run(&s->plan, &args, scratch, r->pool);
    return OX_OK;
}
#endif

#else /* ---- once ---- */
#include "kernels/gemm/gemm.h"
#include "runtime/op.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { MAX_TERMS = 16, MAX_LABELS = 64, BLOCK = 64, ELLIPSIS = 52 }; /* labels 0..51 letters, then "..." */

struct einsum {
    int     n_term, n, n_out;          /* operands; labels in use, the output's first */
    int64_t dim[MAX_LABELS];           /* size of each label */
    int64_t stride[MAX_TERMS][MAX_LABELS];
    int64_t n_result, n_sum;
    bool    matmul;                    /* two operands: [batch m k] x [batch n k] -> [batch m n] */
    int     n_batch, n_m[2], n_k, order_a[MAX_LABELS], order_b[MAX_LABELS];
    int64_t batch;
    ox_gemm_plan plan;
};

typedef struct term { int n; int8_t label[OX_MAX_RANK]; } term;

static int label_of(char c) { return c >= 'a' ? c - 'a' + 26 : c - 'A'; }

/* One comma-separated part for a tensor of that rank (-1: the output, "..." has n_dots dimensions). */
static ox_code parse_term(const ox_run *r, const char **at, int rank, int *n_dots, term *t)
{
    const char *p = *at;
    int letters = 0, dots = -1;
    for (const char *q = p; *q && *q != ',' && strncmp(q, "->", 2) != 0; q++)
        letters += isalpha((unsigned char)*q) != 0;
    int width = rank < 0 ? *n_dots : rank - letters;
    t->n = 0;
    for (; *p && *p != ',' && strncmp(p, "->", 2) != 0; p++) {
        if (*p == ' ')
            continue;
        if (strncmp(p, "...", 3) == 0 && dots < 0) {
            dots = t->n;
            if (width < 0 || t->n + width > OX_MAX_RANK)
                return OX_FAIL(r->err, OX_E_SHAPE, "a tensor of rank %d has %d labels", rank, letters);
            if (rank >= 0)
                *n_dots = OX_MAX(*n_dots, width);
            for (int i = 0; i < width; i++) /* right-aligned among all ellipses: counted from the last */
                t->label[t->n++] = (int8_t)(ELLIPSIS + width - 1 - i);
            p += 2;
        } else if (isalpha((unsigned char)*p) && t->n < OX_MAX_RANK) {
            t->label[t->n++] = (int8_t)label_of(*p);
        } else {
            return OX_FAIL(r->err, OX_E_VALUE, "equation has '%c' where a label is expected", *p);
        }
    }
    if (rank >= 0 && t->n != rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "a tensor of rank %d has %d labels in the equation", rank, t->n);
    *at = p;
    return OX_OK;
}

/* Without "->": the ellipsis, then the letters that occur once, in order. */
static void implicit_output(const term *in, int n_term, int n_dots, term *out)
{
    int count[MAX_LABELS] = { 0 };
    out->n = 0;
    for (int t = 0; t < n_term; t++)
        for (int i = 0; i < in[t].n; i++)
            count[in[t].label[i]]++;
    for (int i = n_dots - 1; i >= 0; i--)
        out->label[out->n++] = (int8_t)(ELLIPSIS + i);
    for (int l = 0; l < ELLIPSIS && out->n < OX_MAX_RANK; l++)
        if (count[l] == 1)
            out->label[out->n++] = (int8_t)l;
}

static ox_code parse(const ox_run *r, term *in, term *out)
{
    const char *p = ox_attr_str(r, "equation");
    int n_dots = 0;
    if (!p || r->n_in > MAX_TERMS)
        return OX_FAIL(r->err, OX_E_VALUE, "no equation, or more than %d inputs", MAX_TERMS);
    for (int t = 0; t < r->n_in; t++) {
        if (t && *p++ != ',')
            return OX_FAIL(r->err, OX_E_VALUE, "the equation has fewer terms than the %d inputs", r->n_in);
        OX_TRY(parse_term(r, &p, r->in[t]->rank, &n_dots, &in[t]));
    }
    if (strncmp(p, "->", 2) == 0) {
        p += 2;
        OX_TRY(parse_term(r, &p, -1, &n_dots, out));
    } else {
        implicit_output(in, r->n_in, n_dots, out);
    }
    return *p ? OX_FAIL(r->err, OX_E_VALUE, "the equation goes on after its last term: \"%s\"", p) : OX_OK;
}

/* Label sizes (1 broadcasts), the output's labels first. */
static ox_code resolve(const ox_run *r, struct einsum *s)
{
    term in[MAX_TERMS], out;
    int64_t size[MAX_LABELS];
    int place[MAX_LABELS];
    OX_TRY(parse(r, in, &out));
    memset(s, 0, sizeof(*s));
    s->n_term = r->n_in;
    for (int l = 0; l < MAX_LABELS; l++)
        size[l] = place[l] = -1;
    for (int t = 0; t < r->n_in; t++)
        for (int i = 0; i < in[t].n; i++) {
            int64_t *known = &size[in[t].label[i]], here = r->in[t]->dim[i];
            if (*known > 1 && here != 1 && here != *known)
                return OX_FAIL(r->err, OX_E_SHAPE, "input %d has %lld where the label has %lld", t,
                               (long long)here, (long long)*known);
            *known = *known < 0 || *known == 1 ? here : *known;
        }
    for (int i = 0; i < out.n; i++) {
        if (size[out.label[i]] < 0 || place[out.label[i]] >= 0)
            return OX_FAIL(r->err, OX_E_VALUE, "output label %d is in no input, or named twice", i);
        place[out.label[i]] = s->n;
        s->dim[s->n++] = size[out.label[i]];
    }
    s->n_out = s->n;
    for (int l = 0; l < MAX_LABELS; l++)
        if (size[l] >= 0 && place[l] < 0) {
            place[l] = s->n;
            s->dim[s->n++] = size[l];
        }
    for (int t = 0; t < r->n_in; t++) {
        int64_t step = 1;
        for (int i = in[t].n - 1; i >= 0; i--) {
            if (r->in[t]->dim[i] != 1)
                s->stride[t][place[in[t].label[i]]] += step;
            step *= r->in[t]->dim[i];
        }
    }
    return OX_OK;
}

static ox_code infer(ox_run *r)
{
    struct einsum s;
    OX_TRY(resolve(r, &s));
    ox_out_shape(r, 0, s.n_out, s.dim);
    return OX_OK;
}

/* Sorts labels into batch (both operands), m (first), n (second) and k (summed, both), if the output has
 * them in that order and every label is one dimension of an operand. */
static void find_matmul(const ox_run *r, struct einsum *s)
{
    int stage = 0, m[MAX_LABELS], n[MAX_LABELS], k[MAX_LABELS], n_n = 0;
    int64_t elements[2] = { 1, 1 }, size_m = 1, size_n = 1, size_k = 1;
    if (s->n_term != 2)
        return;
    s->batch = 1;
    for (int l = 0; l < s->n; l++) {
        bool a = s->stride[0][l] != 0, b = s->stride[1][l] != 0;
        int kind = l >= s->n_out ? 3 : a && b ? 0 : a ? 1 : 2;
        if (s->dim[l] == 1)
            kind = l >= s->n_out ? 3 : stage;
        if (kind < stage || (kind == 3 && s->dim[l] != 1 && !(a && b)))
            return;
        stage = kind;
        elements[0] *= kind != 2 ? s->dim[l] : 1;
        elements[1] *= kind != 1 ? s->dim[l] : 1;
        if (kind == 0)
            s->order_a[s->n_batch] = s->order_b[s->n_batch] = l, s->n_batch++, s->batch *= s->dim[l];
        else if (kind == 1)
            m[s->n_m[0]++] = l, size_m *= s->dim[l];
        else if (kind == 2)
            n[n_n++] = l, size_n *= s->dim[l];
        else
            k[s->n_k++] = l, size_k *= s->dim[l];
    }
    s->n_m[1] = n_n;
    if (elements[0] != ox_count(r->in[0]) || elements[1] != ox_count(r->in[1]) || size_k == 0)
        return; /* a diagonal or a broadcast label */
    memcpy(s->order_a + s->n_batch, m, sizeof(int) * (size_t)s->n_m[0]);
    memcpy(s->order_b + s->n_batch, n, sizeof(int) * (size_t)n_n);
    memcpy(s->order_a + s->n_batch + s->n_m[0], k, sizeof(int) * (size_t)s->n_k);
    memcpy(s->order_b + s->n_batch + n_n, k, sizeof(int) * (size_t)s->n_k);
    s->matmul = true;
    s->plan = (ox_gemm_plan){ .m = (size_t)size_m, .n = (size_t)size_n, .k = (size_t)size_k, .trans_b = true,
                              .f64 = r->in[0]->dtype == OX_F64 };
    ox_gemm_choose(&s->plan, ox_cpu());
}

static ox_code prepare(ox_run *r)
{
    struct einsum *s = r->state;
    OX_TRY(resolve(r, s));
    s->n_result = s->n_sum = 1;
    for (int l = 0; l < s->n; l++)
        *(l < s->n_out ? &s->n_result : &s->n_sum) *= s->dim[l];
    if (ox_is_float(r->in[0]->dtype))
        find_matmul(r, s);
    r->kernel = s->matmul ? s->plan.name : "einsum";
    return OX_OK;
}

static int64_t flops(const ox_run *r)
{
    const struct einsum *s = r->state;
    return s->n_result * s->n_sum * s->n_term;
}

/* The definition; mag is the sum of the products' sizes. */
static ox_code oracle(ox_oracle *o)
{
    const struct einsum *s = o->r->state;
    for (int64_t i = 0; i < s->n_result * s->n_sum; i++) {
        int64_t rest = i, offset[MAX_TERMS] = { 0 };
        for (int d = s->n - 1; d >= 0; d--) {
            for (int t = 0; t < s->n_term; t++)
                offset[t] += rest % s->dim[d] * s->stride[t][d];
            rest /= s->dim[d];
        }
        double v = 1;
        for (int t = 0; t < s->n_term; t++)
            v *= o->in[t][offset[t]];
        int64_t at = i / s->n_sum;
        bool first = i % s->n_sum == 0;
        o->out[0][at] = first ? v : o->out[0][at] + v;
        o->mag[0][at] = first ? fabs(v) : o->mag[0][at] + fabs(v);
    }
    return OX_OK;
}

#define TYPES MASK_NUM
#define TMPL  "kernels/einsum/op_einsum.c"
#include "runtime/tensor/each_dtype.h"

OX_OP(Einsum, 12) .infer = infer, .prepare = prepare,
    .run = { [OX_F32] = contract_f32, [OX_F64] = contract_f64, KERNELS(einsum, INT) }, .oracle = oracle,
    .error = { ERR_SUM, 8 }, .state_size = sizeof(struct einsum), .flops = flops OX_END;
#endif
