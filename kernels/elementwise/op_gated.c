/* Activations of the form x g(x): Gelu, Swish, and SwiGLU, which multiplies Swish by a second input. */
#include "kernels/elementwise/elementwise.h"
#include "kernels/math/ukernels.h"
#include "runtime/op.h"

#include <math.h>

typedef struct gated {
    float      p[2]; /* alpha; first: micro-kernels read it here */
    double     alpha;
    int        tanh_form;
    ox_loop1  *loop; /* f32 */
    ox_loop2  *loop2;
    ox_uk_f32 *uk;
} gated;

static void uk_loop(size_t n, const void *x, void *y, const void *params)
{
    ((const gated *)params)->uk(n, x, y);
}

static void use_math(ox_run *r, ox_math fn)
{
    const ox_uk_math *row = ox_uk_math_pick(fn);
    gated *s = r->state;
    s->uk = row->run;
    s->loop = uk_loop;
    r->kernel = row->name;
}

/* ---- Gelu ---- */

static ox_code prepare_gelu(ox_run *r)
{
    static const char *const words[] = { "none", "tanh", NULL };
    gated *s = r->state;
    OX_TRY(ox_attr_enum(r, "approximate", words, &s->tanh_form));
    use_math(r, s->tanh_form ? OX_MATH_gelu_tanh : OX_MATH_gelu);
    return OX_OK;
}

/* erfc and the logistic form keep the relative error small where 1 + erf and 1 + tanh cancel. */
static double gelu_exact(double x, const void *params)
{
    if (((const gated *)params)->tanh_form)
        return x / (1 + exp(-2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}
static void gelu_loop_f64(size_t n, const void *vx, void *vy, const void *params)
{
    const double *x = vx;
    double *y = vy;
    for (size_t i = 0; i < n; i++)
        y[i] = gelu_exact(x[i], params);
}

static ox_code gelu_f32(ox_run *r) { return ox_map1(r, ((const gated *)r->state)->loop, r->state); }
static ox_code gelu_f64(ox_run *r) { return ox_map1(r, gelu_loop_f64, r->state); }
static ox_code gelu_oracle(ox_oracle *o) { return ox_map1_oracle(o, gelu_exact, o->r->state); }

OX_OP(Gelu, 20) .infer = ox_infer_like, .prepare = prepare_gelu, .run = { KERNELS(gelu, FLOAT) },
    .oracle = gelu_oracle, .error = { ERR_ULP, 1.6 }, .state_size = sizeof(gated),
    .flags = OX_INPLACE0 | OX_SYMBOLIC OX_END;

/* ---- Swish, SwiGLU ---- */

static ox_code prepare_swish(ox_run *r)
{
    gated *s = r->state;
    s->alpha = ox_attr_f64(r, "alpha");
    s->p[0] = (float)s->alpha;
    if (s->alpha == 1) {
        use_math(r, OX_MATH_silu);
    } else {
        const ox_uk_elementwise *row = ox_uk_loop1_pick(OX_LOOP1_swish);
        s->loop = row->run1;
        r->kernel = row->name;
    }
    return OX_OK;
}

static double swish_exact(double x, const void *params)
{
    return x / (1 + exp(-((const gated *)params)->alpha * x));
}
static void swish_loop_f64(size_t n, const void *vx, void *vy, const void *params)
{
    const double *x = vx;
    double *y = vy;
    for (size_t i = 0; i < n; i++)
        y[i] = swish_exact(x[i], params);
}
static ox_code swish_f32(ox_run *r) { return ox_map1(r, ((const gated *)r->state)->loop, r->state); }
static ox_code swish_f64(ox_run *r) { return ox_map1(r, swish_loop_f64, r->state); }
static ox_code swish_oracle(ox_oracle *o) { return ox_map1_oracle(o, swish_exact, o->r->state); }

OX_OP(Swish, 24) .infer = ox_infer_like, .prepare = prepare_swish, .run = { KERNELS(swish, FLOAT) },
    .oracle = swish_oracle, .error = { ERR_ULP, 1 }, .state_size = sizeof(gated),
    .flags = OX_INPLACE0 | OX_SYMBOLIC OX_END;

/* No broadcasting here: so says the specification. */
static ox_code infer_swiglu(ox_run *r)
{
    OX_TRY(ox_infer_broadcast(r));
    if (ox_shape_known(r->in[0]) && ox_shape_known(r->in[1]) && !ox_shape_same(r->in[0], r->in[1])) {
        char a[128], b[128];
        return OX_FAIL(r->err, OX_E_SHAPE, "A has shape %s, B %s", ox_shape_text(a, sizeof(a), r->in[0]),
                       ox_shape_text(b, sizeof(b), r->in[1]));
    }
    return OX_OK;
}

static double swiglu_exact(double a, double b, const void *params) { return swish_exact(a, params) * b; }

static void swiglu_loop_f64(size_t n, const void *vx, int sx, const void *vy, int sy, void *vz,
                            const void *params)
{
    const double *x = vx, *y = vy;
    double *z = vz;
    (void)sx, (void)sy; /* shapes are equal, so both are 1 wherever n > 1 */
    for (size_t i = 0; i < n; i++)
        z[i] = swiglu_exact(x[i], y[i], params);
}
static ox_code prepare_swiglu(ox_run *r)
{
    const ox_uk_elementwise *row = ox_uk_loop2_pick(OX_LOOP2_swiglu);
    gated *s = r->state;
    s->alpha = ox_attr_f64(r, "alpha");
    s->p[0] = (float)s->alpha;
    s->loop2 = row->run2;
    r->kernel = row->name;
    return OX_OK;
}
static ox_code swiglu_f32(ox_run *r) { return ox_map2(r, ((const gated *)r->state)->loop2, r->state); }
static ox_code swiglu_f64(ox_run *r) { return ox_map2(r, swiglu_loop_f64, r->state); }
static ox_code swiglu_oracle(ox_oracle *o) { return ox_map2_oracle(o, swiglu_exact, o->r->state); }

OX_OP(SwiGLU, 28) .infer = infer_swiglu, .prepare = prepare_swiglu, .run = { KERNELS(swiglu, FLOAT) },
    .oracle = swiglu_oracle, .error = { ERR_ULP, 1 }, .state_size = sizeof(gated),
    .flags = OX_INPLACE0 | OX_INPLACE1 | OX_SYMBOLIC OX_END;
