#include "verify/truth.h"
#include "runtime/tensor/spans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Spacing of dtype's numbers around y; y itself may be out of its range. */
static double ulp(ox_dtype dtype, double y)
{
    double u = ox_dtype_roundoff(dtype), tiny = ox_dtype_tiny(dtype);
    int e;
    if (y == 0 || !isfinite(y))
        return tiny;
    frexp(y, &e);
    return fmax(ldexp(2 * u, e - 1), tiny);
}

double ox_error_bound(ox_error_model m, ox_dtype dtype, double y, double mag)
{
    double u = ox_dtype_roundoff(dtype);
    if (isnan(mag))
        mag = fabs(y);
    switch (m.kind) {
    case ERR_EXACT:   return 0;
    case ERR_ULP:     return m.c * ulp(dtype, y);
    case ERR_RANDOM:  return INFINITY;
    case ERR_SUM:     return m.c * u * mag + ox_dtype_tiny(dtype);
    case ERR_DEFAULT: break;
    }
    return 8 * u * mag + ox_dtype_tiny(dtype);
}

void ox_error_bounds(ox_error_model m, ox_dtype dtype, size_t n, const double *y, double *mag)
{
    double u = ox_dtype_roundoff(dtype), tiny = ox_dtype_tiny(dtype), c = m.c * u;
    if (m.kind == ERR_EXACT)
        memset(mag, 0, n * sizeof(*mag));
    else if (m.kind == ERR_SUM)
        ox_spans_pick()->bounds(n, c, tiny, y, mag);
    else
        for (size_t k = 0; k < n; k++)
            mag[k] = ox_error_bound(m, dtype, y[k], mag[k]);
}

double ox_error_stretch(ox_error_model m, double terms)
{
    return m.kind == ERR_SUM && m.c > 0 ? fmax(1, 8 * sqrt(terms) / m.c) : 1;
}

static double *doubles(ox_arena *a, size_t n) { return ox_arena_array(a, n ? n : 1, sizeof(double)); }

static bool numeric(const ox_tensor *t)
{
    ox_class c = t && t->rank >= 0 ? ox_dtype_class(t->dtype) : OX_CLASS_NONE;
    return c == OX_CLASS_FLOAT || c == OX_CLASS_INT || c == OX_CLASS_UINT || c == OX_CLASS_BOOL;
}

static ox_code read_inputs(ox_arena *a, const ox_run *r, const double *const *in, ox_truth *t, ox_error *err)
{
    t->in = ox_arena_array(a, (size_t)OX_MAX(r->n_in, 1), sizeof(*t->in));
    if (!t->in)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < r->n_in; i++) {
        if (!numeric(r->in[i]))
            continue;
        if (in && in[i]) {
            t->in[i] = in[i];
            continue;
        }
        size_t n = (size_t)ox_count(r->in[i]);
        double *v = doubles(a, n);
        if (!v)
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        if (n)
            ox_to_f64(v, r->in[i]->data, r->in[i]->dtype, n);
        t->in[i] = v;
    }
    return OX_OK;
}

/* t->bound first takes the magnitudes. */
static ox_code make_outputs(ox_arena *a, const ox_run *r, ox_truth *t, size_t *n_element, ox_error *err)
{
    size_t n_out = (size_t)OX_MAX(r->n_out, 1);
    bool any = false;
    t->n_out = r->n_out;
    t->value = ox_arena_array(a, n_out, sizeof(*t->value));
    t->bound = ox_arena_array(a, n_out, sizeof(*t->bound));
    if (!t->value || !t->bound)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < r->n_out; i++) {
        if (!r->out[i] || r->out[i]->rank < 0 || !ox_is_float(r->out[i]->dtype))
            continue;
        size_t n = (size_t)ox_count(r->out[i]);
        t->value[i] = doubles(a, n);
        t->bound[i] = doubles(a, n);
        if (!t->value[i] || !t->bound[i])
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        for (size_t k = 0; k < n; k++)
            t->bound[i][k] = NAN;
        any = true;
        *n_element += n;
    }
    return any ? OX_OK : OX_FAIL(err, OX_E_UNSUPPORTED, "%s has no float output", r->op->name);
}

/* A node's run with every float tensor replaced by a double one. */
typedef struct twin {
    ox_run            run;
    ox_tensor        *in, *out;
    const ox_tensor **pin;
    ox_tensor       **pout;
    struct ox_frame   frame;
    ox_step           step; /* never static: what prepare allocates is gone with the node */
} twin;

static void own_frame(twin *w, const ox_run *r)
{
    w->run = *r;
    w->frame = *r->frame;
    w->step = *r->frame->step;
    w->step.is_static = false;
    w->frame.step = &w->step;
    w->run.frame = &w->frame;
}

static ox_code make_twin(ox_arena *a, const ox_run *r, const ox_truth *t, twin *w, ox_error *err)
{
    size_t n_in = (size_t)OX_MAX(r->n_in, 1), n_out = (size_t)OX_MAX(r->n_out, 1);
    w->in = ox_arena_array(a, n_in, sizeof(*w->in));
    w->out = ox_arena_array(a, n_out, sizeof(*w->out));
    w->pin = ox_arena_array(a, n_in, sizeof(*w->pin));
    w->pout = ox_arena_array(a, n_out, sizeof(*w->pout));
    if (!w->in || !w->out || !w->pin || !w->pout)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < r->n_in; i++) {
        w->pin[i] = r->in[i];
        if (!t->in[i] || !ox_is_float(r->in[i]->dtype))
            continue;
        w->in[i] = *r->in[i];
        w->in[i].dtype = OX_F64;
        w->in[i].data = (void *)t->in[i];
        w->in[i].buf = NULL;
        w->pin[i] = &w->in[i];
    }
    for (int i = 0; i < r->n_out; i++) {
        if (!r->out[i])
            continue;
        w->out[i] = *r->out[i];
        w->out[i].buf = NULL;
        w->pout[i] = &w->out[i];
        if (t->value[i]) {
            w->out[i].dtype = OX_F64;
            w->out[i].data = t->value[i];
        } else if (!(w->out[i].data = ox_arena_alloc64(a, OX_MAX(ox_bytes(r->out[i]), 1)))) {
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        }
    }
    own_frame(w, r);
    w->run.in = w->pin;
    w->run.out = w->pout;
    w->run.in_const = 0;
    w->run.f64 = true;
    w->run.optimize = 0;
    w->run.err = err;
    w->run.state = ox_arena_alloc64(a, OX_MAX(r->op->state_size, 1));
    return w->run.state ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
}

/* Outputs that the kernel allocated itself replace those it was given. */
static ox_code take_allocated(const ox_run *r, ox_truth *t, twin *w, ox_code code, ox_error *err)
{
    for (int i = 0; i < r->n_out; i++) {
        if (!w->out[i].buf)
            continue;
        if (code == OX_OK && ox_count(&w->out[i]) != ox_count(r->out[i]))
            code = OX_FAIL(err, OX_E_UNSUPPORTED, "%s has other shapes in double", r->op->name);
        if (code == OX_OK && t->value[i])
            memcpy(t->value[i], w->out[i].data, ox_bytes(&w->out[i]));
        ox_tensor_release(&w->out[i]);
    }
    return code;
}

/* The kernel of a view has no effect but on the run's own values: never called here. */
static bool is_view(const ox_run *r, const ox_truth *t)
{
    bool moves = (r->op->flags & OX_VIEW) || strcmp(r->op->name, "OptionalGetElement") == 0;
    return moves && r->n_in > 0 && t->in[0] && t->value[0] && ox_count(r->in[0]) == ox_count(r->out[0]);
}

static bool holds_integers(const ox_tensor *t) { return numeric(t) && !ox_is_float(t->dtype); }

/* Other integers may make other shapes, for which nothing is allocated. */
static bool keeps_shapes(ox_arena *a, const ox_run *r, const twin *w)
{
    ox_tensor *t = ox_arena_array(a, (size_t)OX_MAX(r->n_out, 1), sizeof(*t));
    ox_tensor **p = ox_arena_array(a, (size_t)OX_MAX(r->n_out, 1), sizeof(*p));
    ox_error own = { 0 };
    ox_run infer = w->run;
    if (!t || !p)
        return false;
    for (int i = 0; i < r->n_out; i++) {
        if (!r->out[i])
            continue;
        t[i] = w->out[i];
        t[i].rank = -1;
        t[i].data = NULL;
        p[i] = &t[i];
    }
    infer.out = p;
    infer.err = &own;
    if (r->op->infer && r->op->infer(&infer) != OX_OK)
        return false;
    for (int i = 0; i < r->n_out; i++)
        if (p[i] && t[i].rank >= 0 && ox_shape_known(&t[i]) && !ox_shape_same(&t[i], r->out[i]))
            return false;
    return true;
}

/* The twin reads the integers of `in`, too, where there are.  false: they cannot be had (*code: or no memory). */
static bool change_integers(ox_arena *a, const ox_run *r, const double *const *in, twin *w, ox_code *code)
{
    bool any = false;
    for (int i = 0; i < r->n_in; i++) {
        if (!in || !in[i] || !holds_integers(r->in[i]))
            continue;
        size_t n = (size_t)ox_count(r->in[i]);
        for (size_t k = 0; k < n; k++)
            if (!(fabs(in[i][k]) < 0x1p53))
                return false;
        w->in[i] = *r->in[i];
        w->in[i].buf = NULL;
        if (!(w->in[i].data = ox_arena_alloc64(a, OX_MAX(ox_bytes(r->in[i]), 1)))) {
            *code = OX_E_NOMEM;
            return false;
        }
        ox_convert(w->in[i].data, r->in[i]->dtype, in[i], OX_F64, n);
        any = true;
    }
    for (int i = 0; i < r->n_in && any; i++)
        if (in[i] && holds_integers(r->in[i]))
            w->pin[i] = &w->in[i];
    if (!any || keeps_shapes(a, r, w))
        return true;
    for (int i = 0; i < r->n_in; i++)
        if (in[i] && holds_integers(r->in[i]))
            w->pin[i] = r->in[i];
    return false;
}


/* The operator's f64 kernel; NULL: none, or it takes more than tensors. */
static ox_run_fn *f64_kernel(const ox_run *r)
{
    ox_dtype key = ox_kernel_key(r), wanted = ox_is_float(key) ? OX_F64 : key, to;
    ox_run_fn *fn = ox_kernel_find(r->op, wanted, &to);
    for (int i = 0; i < r->n_in; i++)
        if (r->tin[i] && r->tin[i]->kind != OX_TENSOR)
            return NULL;
    return to == wanted ? fn : NULL;
}

/* Without an oracle of its own the operator's f64 kernel serves, on doubles. */
static ox_code by_kernel(ox_arena *a, ox_run *r, const double *const *in, ox_truth *t, ox_error *err)
{
    ox_run_fn *fn = f64_kernel(r);
    twin w;
    if (is_view(r, t)) {
        memcpy(t->value[0], t->in[0], (size_t)ox_count(r->in[0]) * sizeof(double));
        return OX_OK;
    }
    if (!fn)
        return OX_FAIL(err, OX_E_UNSUPPORTED, "%s has no float64 kernel", r->op->name);
    OX_TRY(make_twin(a, r, t, &w, err));
    bool empty = true; /* kernels are never called for nothing */
    for (int i = 0; i < r->n_out; i++)
        empty = empty && (!t->value[i] || ox_count(r->out[i]) == 0);
    if (empty)
        return OX_OK;
    ox_code code = OX_OK;
    if (!change_integers(a, r, in, &w, &code) && code != OX_OK)
        return OX_FAIL(err, code, "out of memory");
    code = r->op->prepare ? r->op->prepare(&w.run) : OX_OK;
    if (code == OX_OK)
        code = fn(&w.run);
    return take_allocated(r, t, &w, code, err);
}

static ox_code by_oracle(ox_run *r, ox_truth *t)
{
    ox_oracle o = { r, t->in, t->value, t->bound, 0 };
    ox_code code = r->op->oracle(&o);
    t->stretch = ox_error_stretch(r->op->error, o.terms);
    return code;
}

/* The oracle on a state of its own. */
static ox_code by_twin(ox_arena *a, ox_run *r, ox_truth *t, ox_error *err)
{
    twin w;
    OX_TRY(make_twin(a, r, t, &w, err));
    if (r->op->prepare)
        OX_TRY(r->op->prepare(&w.run));
    return by_oracle(&w.run, t);
}

/* What an operator that sums, and has no oracle to tell of what, may add up: elements like its outputs. */
static void guess_magnitudes(const ox_run *r, ox_truth *t)
{
    if (r->op->error.kind != ERR_SUM && r->op->error.kind != ERR_DEFAULT)
        return;
    for (int i = 0; i < r->n_out; i++) {
        size_t n = t->value[i] ? (size_t)ox_count(r->out[i]) : 0, finite = 0;
        double square = 0;
        for (size_t k = 0; k < n; k++)
            if (isfinite(t->value[i][k])) {
                square += t->value[i][k] * t->value[i][k];
                finite++;
            }
        double usual = finite ? sqrt(square / (double)finite) : 0;
        for (size_t k = 0; k < n; k++)
            t->bound[i][k] = fabs(t->value[i][k]) + usual;
    }
}

/* ---- integer outputs ---- */

static ox_code read_integers(ox_arena *a, const ox_run *r, const twin *w, double **value, ox_error *err)
{
    for (int i = 0; i < r->n_out; i++) {
        if (!holds_integers(r->out[i]) || ox_count(&w->out[i]) != ox_count(r->out[i]))
            continue;
        size_t n = (size_t)ox_count(r->out[i]);
        if (!(value[i] = doubles(a, n)))
            return OX_FAIL(err, OX_E_NOMEM, "out of memory");
        ox_to_f64(value[i], w->out[i].data, r->out[i]->dtype, n);
    }
    return OX_OK;
}

ox_code ox_truth_integers(ox_arena *a, ox_run *r, const double *const *in, double **value, ox_error *err)
{
    ox_truth t = { 0 };
    ox_error own = { 0 };
    ox_run_fn *fn = f64_kernel(r);
    size_t n_element = 0;
    twin w;
    ox_code code = make_outputs(a, r, &t, &n_element, &own); /* none need be a float */
    if (code == OX_E_NOMEM)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    OX_TRY(read_inputs(a, r, in, &t, err));
    bool moves = (r->op->flags & OX_VIEW) || strcmp(r->op->name, "OptionalGetElement") == 0;
    if (moves && r->n_in > 0 && t.in[0] && ox_count(r->in[0]) == ox_count(r->out[0])) {
        value[0] = (double *)(uintptr_t)t.in[0];
        return OX_OK;
    }
    if (!fn || moves)
        return OX_OK;
    OX_TRY(make_twin(a, r, &t, &w, err));
    code = OX_OK;
    if (!change_integers(a, r, in, &w, &code))
        return code == OX_OK ? OX_OK : OX_FAIL(err, code, "out of memory");
    w.run.err = &own;
    code = r->op->prepare ? r->op->prepare(&w.run) : OX_OK;
    if (code == OX_OK)
        code = fn(&w.run);
    if (code == OX_OK)
        OX_TRY(read_integers(a, r, &w, value, err));
    for (int i = 0; i < r->n_out; i++)
        if (w.out[i].buf)
            ox_tensor_release(&w.out[i]);
    return code == OX_E_NOMEM ? OX_FAIL(err, code, "out of memory") : OX_OK;
}

/* ---- the node as it might have been ---- */

static ox_code reshape_outputs(ox_arena *a, ox_run *r, ox_error *err)
{
    ox_tensor  *t = ox_arena_array(a, (size_t)OX_MAX(r->n_out, 1), sizeof(*t));
    ox_tensor **p = ox_arena_array(a, (size_t)OX_MAX(r->n_out, 1), sizeof(*p));
    if (!t || !p)
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < r->n_out; i++) {
        if (!r->out[i])
            continue;
        t[i] = *r->out[i];
        t[i].rank = -1;
        t[i].data = NULL;
        t[i].buf = NULL;
        p[i] = &t[i];
    }
    r->out = p;
    OX_TRY(r->op->infer(r));
    for (int i = 0; i < r->n_out; i++)
        if (p[i] && (p[i]->rank < 0 || !ox_shape_known(p[i]) || !ox_is_float(p[i]->dtype)))
            p[i] = NULL;
    return OX_OK;
}

ox_code ox_truth_replay(ox_arena *a, const ox_run *from, const ox_op *op, const ox_node *node,
                        const double *const *in, ox_truth *t, ox_tensor *const **out, ox_error *err)
{
    struct ox_frame frame = *from->frame;
    ox_run   r = *from;
    size_t   n_element = 0;
    *t = (ox_truth){ 0 };
    frame.node = node;
    r.op = op;
    r.since = op == from->op ? from->since : op->since;
    r.frame = &frame;
    r.err = err;
    if (op->flags & (OX_CONTROL | OX_IMPURE | OX_VIEW))
        return OX_FAIL(err, OX_E_UNSUPPORTED, "%s cannot be replayed", op->name);
    OX_TRY(reshape_outputs(a, &r, err));
    OX_TRY(make_outputs(a, &r, t, &n_element, err));
    *out = r.out;
    OX_TRY(read_inputs(a, &r, in, t, err));
    if (n_element == 0)
        return OX_OK;
    if (!op->oracle)
        return by_kernel(a, &r, in, t, err);
    return by_twin(a, &r, t, err);
}

/* ---- magnitudes become bounds ---- */

enum { BLOCK = 8192 };
typedef struct bounding {
    ox_error_model model;
    ox_dtype       dtype;
    const double  *value;
    double        *bound;
    size_t         n;
} bounding;

static void bound_block(void *ctx, int64_t block, int worker)
{
    const bounding *b = ctx;
    size_t from = (size_t)block * BLOCK, end = OX_MIN(b->n, from + BLOCK);
    (void)worker;
    ox_error_bounds(b->model, b->dtype, end - from, b->value + from, b->bound + from);
}

ox_code ox_truth_of(ox_arena *a, ox_run *r, const double *const *in, ox_truth *t, ox_error *err)
{
    const ox_op *op = r->op;
    size_t n_element = 0;
    *t = (ox_truth){ .stretch = 1 };
    bool drawn = (op->flags & OX_IMPURE) && !op->oracle; /* an oracle may judge what was drawn */
    if (drawn || (op->flags & OX_CONTROL) || op->error.kind == ERR_RANDOM)
        return OX_FAIL(err, OX_E_UNSUPPORTED, "%s has no single truth", op->name);
    OX_TRY(make_outputs(a, r, t, &n_element, err));
    OX_TRY(read_inputs(a, r, in, t, err));
    r->err = err;
    if (n_element == 0) /* nor does the executor call anything then */
        return OX_OK;
    if (op->oracle && r->frame->step->done) /* computed while planning: its state is gone */
        OX_TRY(by_twin(a, r, t, err));
    else
        OX_TRY(op->oracle ? by_oracle(r, t) : by_kernel(a, r, in, t, err));
    if (!op->oracle)
        guess_magnitudes(r, t);
    for (int i = 0; i < r->n_out; i++) {
        if (!t->value[i])
            continue;
        ox_error_model model = { op->error.kind, op->error.c * t->stretch };
        bounding b = { model, r->out[i]->dtype, t->value[i], t->bound[i], (size_t)ox_count(r->out[i]) };
        ox_pool_run(r->pool, (int64_t)((b.n + BLOCK - 1) / BLOCK), bound_block, &b);
    }
    return OX_OK;
}

ox_code ox_truth_parts(ox_run *r, ox_parts *p, ox_error *err)
{
    *p = (ox_parts){ .r = r };
    if (!r->op->parts || r->frame->step->done || !r->out[0] || r->out[0]->rank < 0 || ox_count(r->out[0]) == 0 ||
        !ox_is_float(r->out[0]->dtype))
        return OX_OK;
    r->err = err;
    OX_TRY(r->op->parts(p));
    p->scratch = (p->scratch + 63) / 64 * 64;
    return OX_OK;
}

/* ---- changes through what is linear ---- */

bool ox_truth_linear(const ox_run *r)
{
    static const char *const names[] = { "Conv", "MatMul", "Gemm", "ConvTranspose" };
    const ox_node *node = r->frame->node;
    bool named = false;
    for (int i = 0; i < node->n_attr; i++) /* of fusion: an activation, a residual */
        if (strncmp(node->attr[i].name, "onnxrun_", 8) == 0)
            return false;
    for (size_t i = 0; i < OX_COUNT(names); i++)
        named |= strcmp(r->op->name, names[i]) == 0 && r->n_in <= (i == 1 ? 2 : 3);
    return named && r->in[0]->dtype == OX_F32 && r->in[1]->dtype == OX_F32 && r->out[0] &&
           r->out[0]->dtype == OX_F32 && ox_count(r->out[0]) > 0;
}

static ox_code change_by(ox_arena *a, ox_run *r, int i, const float *change, float *out, ox_error *err)
{
    twin w;
    ox_tensor x = *r->in[i], y = *r->out[0], *pout[] = { &y };
    const ox_tensor *in[] = { r->in[0], r->in[1] };
    own_frame(&w, r);
    in[i] = &x;
    x.data = (void *)change;
    x.buf = y.buf = NULL;
    y.data = out;
    w.run.in = in;
    w.run.n_in = 2; /* no bias */
    w.run.out = pout;
    w.run.n_out = 1;
    w.run.in_const = r->in_const & ~((uint64_t)1 << i);
    w.run.err = err;
    if (!(w.run.state = ox_arena_alloc64(a, OX_MAX(r->op->state_size, 1))))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    OX_TRY(r->op->prepare(&w.run));
    return r->op->run[OX_F32](&w.run);
}

ox_code ox_truth_change(ox_arena *a, ox_run *r, const float *const *change, float **out, ox_error *err)
{
    *out = NULL;
    if (!ox_truth_linear(r) || (r->n_in > 2 && change[2]))
        return OX_FAIL(err, OX_E_UNSUPPORTED, "%s is not linear", r->op->name);
    if (!change[0] && !change[1])
        return OX_FAIL(err, OX_E_UNSUPPORTED, "nothing changes");
    size_t n = (size_t)ox_count(r->out[0]);
    float *sum = malloc(n * sizeof(*sum)), *part = change[0] && change[1] ? ox_arena_alloc64(a, n * sizeof(*part)) : sum;
    ox_code code = sum && part ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
    ox_large_pages(sum, n * sizeof(*sum));
    if (code == OX_OK)
        code = change_by(a, r, change[0] ? 0 : 1, change[0] ? change[0] : change[1], sum, err);
    if (code == OX_OK && part != sum)
        code = change_by(a, r, 1, change[1], part, err);
    for (size_t k = 0; k < n && code == OX_OK && part != sum; k++)
        sum[k] += part[k];
    if (code == OX_OK)
        *out = sum;
    else
        free(sum);
    return code;
}
