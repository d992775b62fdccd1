/* Adagrad, Adam and Momentum of ai.onnx.preview.training: one step on n tensors.  Inputs are R, T, then n each of
 * X, G and the moments (one for Adagrad and Momentum, two for Adam); outputs n each of X and the moments.
 * Everything is computed in double and rounded once. */
#include "runtime/op.h"

#include <math.h>
#include <string.h>

typedef struct step {
    double r;    /* learning rate */
    int64_t t;   /* updates so far */
    double alpha, beta, epsilon, norm, norm_post;
    bool   nesterov;
} step;

/* x, a moment m and a second one h become their new values. */
typedef void update_fn(const step *s, double g, double *x, double *m, double *h);

static void adagrad(const step *s, double g, double *x, double *m, double *h)
{
    (void)h;
    g += s->norm * *x;
    *m += g * g;
    *x -= s->r * g / (sqrt(*m) + s->epsilon);
}

static void adam(const step *s, double g, double *x, double *m, double *h)
{
    g += s->norm * *x;
    *m = s->alpha * *m + (1 - s->alpha) * g;
    *h = s->beta * *h + (1 - s->beta) * g * g;
    double t = (double)s->t, r = s->t > 0 ? s->r * sqrt(1 - pow(s->beta, t)) / (1 - pow(s->alpha, t)) : s->r;
    *x = (1 - s->norm_post) * (*x - r * *m / (sqrt(*h) + s->epsilon));
}

static void momentum(const step *s, double g, double *x, double *m, double *h)
{
    (void)h;
    g += s->norm * *x;
    *m = s->alpha * *m + (s->t > 0 ? s->beta : 1) * g;
    *x -= s->r * (s->nesterov ? g + s->alpha * *m : *m);
}

static int n_tensors(const ox_run *r, int n_moments) { return (r->n_in - 2) / (2 + n_moments); }

static ox_code infer(ox_run *r, int n_moments)
{
    int n = n_tensors(r, n_moments);
    if (n < 1 || r->n_in != 2 + n * (2 + n_moments) || r->n_out > n * (1 + n_moments))
        return OX_FAIL(r->err, OX_E_SHAPE, "%d inputs and %d outputs do not make whole groups", r->n_in, r->n_out);
    for (int i = 0; i < r->n_out; i++) {
        const ox_tensor *x = r->in[2 + i % n];
        for (int k = 0; k < 2 + n_moments; k++)
            if (!r->in[2 + k * n + i % n] || !ox_shape_same(x, r->in[2 + k * n + i % n]))
                return OX_FAIL(r->err, OX_E_SHAPE, "the tensors of group %d differ in shape", i % n);
        if (r->out[i])
            r->out[i]->dtype = x->dtype;
        ox_out_shape(r, i, x->rank, x->dim);
    }
    return OX_OK;
}

static ox_code update(ox_run *r, int n_moments, const step *s, update_fn *fn)
{
    int n = n_tensors(r, n_moments);
    for (int i = 0; i < n; i++) {
        int64_t count;
        const double *in[4] = { 0 };
        double *now[3];
        size_t size = (size_t)OX_MAX(ox_count(r->in[2 + i]), 1);
        for (int k = 0; k < 2 + n_moments; k++)
            if (!(in[k] = ox_in_f64s(r, 2 + k * n + i, &count)) && ox_count(r->in[2 + i]))
                return OX_NO_MEMORY(r);
        for (int k = 0; k < 3; k++)
            if (!(now[k] = ox_scratch_array(r, size, sizeof(double))))
                return OX_NO_MEMORY(r);
        for (int64_t e = 0; e < ox_count(r->in[2 + i]); e++) {
            now[0][e] = in[0][e];
            now[1][e] = in[2][e];
            now[2][e] = n_moments > 1 ? in[3][e] : 0;
            fn(s, in[1][e], &now[0][e], &now[1][e], &now[2][e]);
        }
        for (int k = 0; k < 1 + n_moments; k++) {
            int o = k * n + i;
            if (o < r->n_out && r->out[o])
                ox_from_f64(r->out[o]->data, now[k], r->out[o]->dtype, (size_t)ox_count(r->out[o]));
        }
    }
    return OX_OK;
}

static ox_code read_step(ox_run *r, step *s)
{
    if (!r->in[0] || !r->in[1] || ox_count(r->in[0]) != 1 || ox_count(r->in[1]) != 1)
        return OX_FAIL(r->err, OX_E_SHAPE, "R and T must be scalars");
    *s = (step){ .r = ox_get_f64(r->in[0], 0), .t = ox_get_i64(r->in[1], 0), .alpha = ox_attr_f64(r, "alpha"),
                 .beta = ox_attr_f64(r, "beta"), .epsilon = ox_attr_f64(r, "epsilon"),
                 .norm = ox_attr_f64(r, "norm_coefficient"), .norm_post = ox_attr_f64(r, "norm_coefficient_post") };
    return OX_OK;
}

static ox_code run_adagrad(ox_run *r)
{
    step s;
    OX_TRY(read_step(r, &s));
    s.r /= 1 + (double)s.t * ox_attr_f64(r, "decay_factor");
    return update(r, 1, &s, adagrad);
}

static ox_code run_adam(ox_run *r)
{
    step s;
    OX_TRY(read_step(r, &s));
    return update(r, 2, &s, adam);
}

static ox_code run_momentum(ox_run *r)
{
    static const char *const modes[] = { "standard", "nesterov", NULL };
    step s;
    int mode = 0;
    OX_TRY(read_step(r, &s));
    OX_TRY(ox_attr_enum(r, "mode", modes, &mode));
    s.nesterov = mode == 1;
    return update(r, 1, &s, momentum);
}

static ox_code infer_one(ox_run *r) { return infer(r, 1); }
static ox_code infer_two(ox_run *r) { return infer(r, 2); }

#define OPTIMIZER(Name, infer_fn, run_fn)                                                          \
    OX_OP(Name, 1) .domain = "ai.onnx.preview.training", .infer = infer_fn, .run_any = run_fn,     \
        .key = OX_KEY_NONE, .error = { ERR_SUM, 16 } OX_END;
OPTIMIZER(Adagrad, infer_one, run_adagrad)
OPTIMIZER(Adam, infer_two, run_adam)
OPTIMIZER(Momentum, infer_one, run_momentum)
