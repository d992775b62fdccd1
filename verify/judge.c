#include "verify/judge.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SAFETY = 16, TAIL = 4, TIPPED = 4, FEW = 16, BITS_F16 = 11, BITS_BF16 = 8 }; /* TF32 has float16's 11 significant bits */

const char *ox_finding_name(ox_finding f)
{
    static const char *const name[] = { "equal", "equal-within-rounding", "reference-low-precision",
                                        "ill-conditioned", "different", "onnxrun-wrong" };
    return name[f];
}

/* ---- what rounding explains ---- */

/* Steps of a quantiser that tipped over are as large in every run: the sample is of their size, not of how
 * carefully they were computed. */
static double safety_of(const ox_sighting *s) { return s->tipped ? TIPPED : SAFETY; }
static double tail_of(const ox_sighting *s) { return s->tipped ? TIPPED / (double)SAFETY * TAIL : TAIL; }

/* Few elements are no sample: then what the inputs were off by counts, too.  Where a few elements err much
 * more than the rest, they do so in other runs, too, if not the same ones. */
static double spread_of(const ox_sighting *s)
{
    double own = s->error;
    if (s->n <= FEW)
        own = fmax(own, s->in_error * s->size);
    own = fmax(safety_of(s) * own, isfinite(s->most) ? tail_of(s) * s->most : 0);
    return s->held ? 0 : own / s->doubt;
}

ox_allowance ox_allowance_of(const ox_sighting *s)
{
    ox_dtype t = s->r->out[s->out]->dtype;
    return (ox_allowance){ .truth = s->truth, .bound = s->bound, .ours = s->ours,
                           .noise = SAFETY * ox_dtype_roundoff(t) * s->size,
                           .spread = spread_of(s), .own = s->held, .trust = safety_of(s) / s->doubt,
                           .safety = 1 + (SAFETY - 1) / s->stretch };
}

double ox_allowed(const ox_allowance *a, size_t i)
{
    double spread = 0, d = fabs(a->ours[i] - a->truth[i]);
    if (!a->own)
        spread = fmax(a->spread, isfinite(d) ? d * a->trust : 0);
    return a->safety * a->bound[i] + a->noise + spread;
}

double ox_excess(const ox_allowance *a, const double *v, ox_dtype dtype, size_t n, size_t *at)
{
    double most = 0;
    *at = 0;
    for (size_t i = 0; i < n; i++) {
        double y = a->truth[i], d = fabs(v[i] - y), m;
        if (v[i] == y || (isnan(v[i]) && isnan(y)))
            m = 0;
        else if (isinf(v[i]) && fabs(y) > ox_dtype_huge(dtype) && (v[i] > 0) == (y > 0))
            m = 0; /* overflow where the exact value is too large for the type */
        else if (!isfinite(d))
            m = INFINITY;
        else
            m = d / fmax(ox_allowed(a, i), 1e-300);
        if (m > most) {
            most = m;
            *at = i;
        }
    }
    return most;
}

double ox_steps_excess(const ox_sighting *s, const double *v)
{
    const ox_steps *t = s->steps;
    double most = 0, drift = s->held ? 0 : fmax(SAFETY * t->error, TAIL * t->most) / s->doubt;
    for (size_t i = 0; i < s->n; i++)
        most = fmax(most, ox_steps_margin(t, i, v[i], drift));
    return most;
}

/* ---- the walk ---- */

typedef struct outcome { /* of one output */
    bool    seen, integers, benign, tipped;
    double *truth;       /* on the heap, for the passes that follow */
    size_t  n, worst;
    double  rms_truth, rms_ours, rms_actual, rms_expected, rms_11, rms_8;
    double  worst_value, worst_truth;
} outcome;

typedef struct judging {
    const ox_judge_case *c;
    ox_judgement *out;
    outcome      *o;
    int           pass_bits;
    double        jump;         /* the largest growth of the relative error at one node */
    char          jumper[200];
    char          born[400];    /* where NaN or infinity appear first */
    char          swallowed[200]; /* ... and where they are gone again */
    char          wrong[200];   /* first node outside its own bound */
    double        wrong_margin;
} judging;

static void node_text(char *buf, size_t n, const ox_sighting *s)
{
    snprintf(buf, n, "%.120s (%.40s)", s->node->name, s->node->op_type);
}

/* A NaN or infinity among the operands, of which no node has told. */
static bool inherits(const ox_sighting *s)
{
    if (s->bad_in >= 0)
        return true;
    for (int i = 0; i < s->r->n_in; i++) {
        const ox_tensor *x = s->r->in[i];
        for (int64_t k = 0; x && x->data && ox_is_float(x->dtype) && k < ox_count(x); k++)
            if (!isfinite(ox_get_f64(x, k)))
                return true;
    }
    return false;
}

/* What entered the element, where an operand has as many elements as the output or one. */
static void operands_text(char *buf, size_t n, const ox_sighting *s, size_t at)
{
    size_t used = 0;
    buf[0] = 0;
    for (int i = 0; i < s->r->n_in && i < 3; i++) {
        const ox_tensor *x = s->r->in[i];
        size_t count = x && x->data && ox_dtype_converts(x->dtype) ? (size_t)ox_count(x) : 0;
        if (count != s->n && count != 1)
            continue;
        used += (size_t)snprintf(buf + used, n - used, "%s%.6g", used ? ", " : " of ",
                                 ox_get_f64(x, (int64_t)(count == 1 ? 0 : at)));
        if (used >= n)
            return;
    }
}

/* The first NaN or infinity of the run, and its class; then where it is gone again. */
static void look_for_birth(judging *j, const ox_sighting *s)
{
    const ox_tensor *y = s->r->out[s->out];
    char operands[100];
    if (*j->born && !*j->swallowed && s->bad_in >= 0 && s->first_bad == s->n && y->dtype != OX_BOOL)
        snprintf(j->swallowed, sizeof j->swallowed, ", and is swallowed at node %.100s (%.40s)", s->node->name,
                 s->node->op_type);
    if (*j->born || s->first_bad == s->n || !ox_is_float(y->dtype))
        return;
    double v = ox_get_f64(y, (int64_t)s->first_bad);
    const char *class = inherits(s) ? "inherited from an input or a weight"
                        : isinf(v) && s->overflow ? "overflow of the type"
                                                   : "an invalid or infinite operation";
    operands_text(operands, sizeof operands, s, s->first_bad);
    snprintf(j->born, sizeof j->born, "%s appears first at node %.120s (%.40s%s), element %zu: %s",
             isnan(v) ? "NaN" : "infinity", s->node->name, s->node->op_type, operands, s->first_bad, class);
}

/* Where the relative distance between the run and the chain grows most. */
static void look_for_jump(judging *j, const ox_sighting *s)
{
    double after = s->size > 0 ? s->error / s->size : 0;
    double floor = ox_dtype_roundoff(s->r->out[s->out]->dtype);
    double jump = after / fmax(s->in_error, floor);
    if (after > 256 * floor && jump > j->jump) {
        j->jump = jump;
        node_text(j->jumper, sizeof j->jumper, s);
    }
}

static void look_for_wrong(judging *j, const ox_sighting *s)
{
    if (*j->wrong || !s->judged || !(s->margin > 1))
        return;
    node_text(j->wrong, sizeof j->wrong, s);
    j->wrong_margin = s->margin;
}

/* An index differs benignly if the scores behind both choices are as good as equal. */
static bool same_scores(const ox_sighting *s, const double *a, const double *b)
{
    const ox_tensor *x = s->r->in[0];
    int axis;
    bool top = strcmp(s->node->op_type, "TopK") == 0;
    if (!x || !s->in[0] || !x->data || !ox_is_float(x->dtype) ||
        !(top || strncmp(s->node->op_type, "Arg", 3) == 0))
        return false;
    axis = (int)ox_attr_i64(s->r, "axis");
    axis += axis < 0 ? x->rank : 0;
    if (axis < 0 || axis >= x->rank)
        return false;
    size_t size = (size_t)x->dim[axis], inner = (size_t)ox_numel(x, axis + 1, x->rank),
           outer = (size_t)ox_numel(x, 0, axis), n = size * inner * outer;
    double *mine = ox_arena_array(s->arena, n + 1, sizeof(*mine));
    if (!mine || !outer || !inner)
        return false;
    ox_to_f64(mine, x->data, x->dtype, n);
    size_t per = s->n / (outer * inner);
    double gap = 2 * SAFETY * (ox_rms(mine, s->in[0], n) +
                               ox_dtype_roundoff(x->dtype) * ox_rms(s->in[0], NULL, n));
    for (size_t e = 0; e < s->n; e++) {
        if (a[e] == b[e])
            continue;
        if (!(a[e] >= 0 && a[e] < (double)size && b[e] >= 0 && b[e] < (double)size))
            return false;
        const double *base = s->in[0] + e / (per * inner) * size * inner + e % inner;
        if (!(fabs(base[(size_t)a[e] * inner] - base[(size_t)b[e] * inner]) <= gap))
            return false;
    }
    return true;
}

/* Quantised values differ by a step because what was rounded lies at a tie within rounding. */
static bool at_ties(const ox_sighting *s, const double *a, const double *b)
{
    const char *op = s->node->op_type;
    if (s->steps)
        return ox_steps_excess(s, b) <= 1;
    if (!strstr(op, "Quantize") && strncmp(op, "QLinear", 7) != 0)
        return false;
    return ox_max_error(a, b, s->n, NULL) <= 1;
}

static double *actual_of(const judging *j, const ox_sighting *s, int i)
{
    const ox_value *v = j->c->actual[i];
    if (v->kind != OX_TENSOR || (size_t)ox_count(&v->t) != s->n ||
        !ox_dtype_converts(v->t.dtype))
        return NULL;
    double *a = ox_arena_array(s->arena, s->n + 1, sizeof(*a));
    if (a)
        ox_to_f64(a, v->t.data, v->t.dtype, s->n);
    return a;
}

static ox_code measure(judging *j, const ox_sighting *s, int i, ox_error *err)
{
    outcome *o = &j->o[i];
    ox_judgement *out = &j->out[i];
    ox_dtype dtype = s->r->out[s->out]->dtype;
    const double *actual = actual_of(j, s, i);
    size_t at;
    if (!actual || !s->ref || s->shape_differs)
        return OX_OK;
    if (!s->truth || !ox_is_float(dtype)) {
        o->integers = !ox_is_float(dtype);
        o->benign = o->integers && (same_scores(s, actual, s->ref) || at_ties(s, actual, s->ref));
        return OX_OK;
    }
    ox_allowance a = ox_allowance_of(s);
    if (!(o->truth = malloc((s->n + 1) * sizeof(double))))
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    memcpy(o->truth, s->truth, s->n * sizeof(double));
    o->n = s->n;
    o->tipped = s->tipped;
    o->seen = out->judged = true;
    o->rms_truth = s->size;
    o->rms_ours = s->error;
    o->rms_actual = ox_rms(actual, s->truth, s->n);
    o->rms_expected = ox_rms(s->ref, s->truth, s->n);
    out->actual_error = ox_max_error(actual, s->truth, s->n, NULL);
    out->expected_error = ox_max_error(s->ref, s->truth, s->n, NULL);
    out->actual_margin = ox_excess(&a, actual, dtype, s->n, &at);
    out->expected_margin = ox_excess(&a, s->ref, dtype, s->n, &o->worst);
    out->bound = s->n ? ox_allowed(&a, o->worst) : 0;
    o->worst_value = s->n ? s->ref[o->worst] : 0;
    o->worst_truth = s->n ? s->truth[o->worst] : 0;
    node_text(out->node, sizeof out->node, s);
    return OX_OK;
}

static ox_code first_pass(void *ctx, const ox_sighting *s, ox_error *err)
{
    judging *j = ctx;
    look_for_birth(j, s);
    look_for_wrong(j, s);
    if (s->known && ox_is_float(s->r->out[s->out]->dtype))
        look_for_jump(j, s);
    for (int i = 0; i < j->c->n && !s->inner; i++)
        if (strcmp(j->c->names[i], s->name) == 0)
            OX_TRY(measure(j, s, i, err));
    return OX_OK;
}

static ox_code rounded_pass(void *ctx, const ox_sighting *s, ox_error *err)
{
    judging *j = ctx;
    (void)err;
    for (int i = 0; i < j->c->n; i++) {
        outcome *o = &j->o[i];
        if (!s->inner && strcmp(j->c->names[i], s->name) == 0 && o->seen && s->truth && o->n == s->n)
            *(j->pass_bits == BITS_F16 ? &o->rms_11 : &o->rms_8) = ox_rms(s->truth, o->truth, s->n);
    }
    return OX_OK;
}

/* ---- the verdict of one output ---- */

static void say(ox_judgement *out, ox_finding f, const char *format, ...) OX_PRINTF(3, 4);
static void say(ox_judgement *out, ox_finding f, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(out->reason, sizeof out->reason, format, ap);
    va_end(ap);
    out->finding = f;
}

/* Unit roundoff that explains the reference's error; 0: none does.  A rounded chain is the model of
 * what low precision does to this graph; a matrix unit that rounds its inputs alone does less. */
static double fitted_roundoff(const outcome *o)
{
    double bf16 = o->rms_8 > 0 ? o->rms_expected / o->rms_8 : 0;
    double f16 = o->rms_11 > 0 ? o->rms_expected / o->rms_11 : 0;
    if (f16 > 0.1 && f16 < 2.5)
        return ldexp(f16, -BITS_F16);
    if (bf16 > 0.1 && bf16 < 2.5)
        return ldexp(bf16, -BITS_BF16);
    return 0;
}

/* Every value fits in so few significant bits: the reference was stored in that type. */
static bool fits_bits(const outcome *o, const ox_value *expected, int bits)
{
    size_t counted = 0;
    for (size_t i = 0; i < o->n; i++) {
        int e;
        double m = ldexp(frexp(ox_get_f64(&expected->t, (int64_t)i), &e), bits);
        if (isfinite(m) && m != rint(m))
            return false;
        counted += m != 0;
    }
    return counted >= 8;
}

/* What is stored in a narrow type and off by little more than one of its units needs no other model of
 * how it came about: the chain's own rounding may cancel out, as where all outputs are alike. */
static double stored_roundoff(const outcome *o, const ox_value *expected)
{
    static const int bits[] = { BITS_F16, BITS_BF16 };
    double u = o->rms_truth > 0 ? o->rms_expected / o->rms_truth : 0;
    for (int k = 0; k < 2; k++)
        if (u > 0 && u < ldexp(4, -bits[k]) && fits_bits(o, expected, bits[k]))
            return u;
    return 0;
}

/* Rounding scatters: most elements are off, by much the same.  A wrong formula leans: the slope of the
 * error over the truth and its mean are large against the size of the error. */
static bool scatters(const outcome *o, const ox_value *expected)
{
    double et = 0, ee = 0, tt = 0, sum = 0, usual = 0.1 * o->rms_expected;
    size_t off = 0;
    if (fits_bits(o, expected, BITS_F16) || fits_bits(o, expected, BITS_BF16))
        return true;
    for (size_t i = 0; i < o->n; i++) {
        double t = o->truth[i], e = ox_get_f64(&expected->t, (int64_t)i) - t;
        if (!isfinite(e))
            continue;
        et += e * t;
        ee += e * e;
        tt += t * t;
        sum += e;
        off += fabs(e) > usual;
    }
    double most = fmax(0.5, 3 / sqrt((double)OX_MAX(o->n, 1)));
    double mean = fabs(sum) / fmax(sqrt(ee * (double)o->n), 1e-300);
    return 2 * off >= o->n && fabs(et) <= most * sqrt(ee * tt) && mean <= most;
}

static bool needs_precision(const judging *j, int i)
{
    return j->o[i].seen && !j->c->equal[i] && j->out[i].expected_margin > 1 &&
           isfinite(j->out[i].expected_error);
}

static void decide(judging *j, int i)
{
    ox_judgement *out = &j->out[i];
    const outcome *o = &j->o[i];
    double u = fitted_roundoff(o);
    if (u == 0 && needs_precision(j, i))
        u = stored_roundoff(o, j->c->expected[i]);
    if (j->c->equal[i] && !(o->seen && out->actual_margin > 1 && out->expected_margin <= 1))
        say(out, OX_EQUAL, "the outputs agree within the tolerance");
    else if (o->integers && o->benign)
        say(out, OX_ROUNDING, "indices or quantised values differ only where the scores behind them "
                              "differ by less than rounding");
    else if (!o->seen)
        say(out, OX_DIFFERENT, "this output has no float64 truth to judge it by, and it differs");
    else if (out->actual_margin > 1 && out->expected_margin <= 1 && *j->wrong)
        say(out, OX_OURS_WRONG, "our result is %.3g times further from the float64 truth than rounding "
            "allows, beginning at node %s: a bug in onnxrun", out->actual_margin, j->wrong);
    else if (out->actual_margin > 1)
        say(out, OX_OURS_WRONG, "our result is %.3g times further from the float64 truth than rounding "
            "allows, while each node alone is within its bound: a bug in onnxrun's rewriting "
            "(compare with --optimize 0)", out->actual_margin);
    else if (out->expected_margin <= 1 && o->tipped)
        say(out, OX_ROUNDING, "the model rounds to integers inside: values at a tie tip over by one step, and "
            "the results differ by no more (%.3g and %.3g from one such run, allowed %.3g) than that makes of "
            "them: --atol %.2g would do", out->actual_error, out->expected_error, out->bound,
            1.1 * (out->actual_error + out->expected_error));
    else if (out->expected_margin <= 1 && o->rms_ours > 1e-4 * o->rms_truth && *j->jumper)
        say(out, OX_ILL_CONDITIONED, "both results are as far from the float64 truth (%.3g and %.3g) as "
            "rounding, amplified by the model, explains; it grows most at node %s", out->actual_error,
            out->expected_error, j->jumper);
    else if (out->expected_margin <= 1)
        say(out, OX_ROUNDING, "both results are within rounding of the float64 truth (errors %.3g and "
            "%.3g, allowed %.3g): the tolerance is too tight, --atol %.2g would do", out->actual_error,
            out->expected_error, out->bound, 1.1 * (out->actual_error + out->expected_error));
    else if (u > 0 && scatters(o, j->c->expected[i]))
        say(out, OX_LOW_PRECISION, "the reference's error scatters like arithmetic with a unit roundoff "
            "of 2^%.1f (%s), ours is %.3g times smaller", log2(u), u > 0x1p-9 ? "bfloat16" :
            "TF32 or float16", o->rms_expected / fmax(o->rms_actual, 1e-300));
    else
        say(out, OX_DIFFERENT, "the reference is %.3g times further from the float64 truth of this model "
            "than rounding explains (element %zu: %.9g, truth %.9g); ours is within it (%.3g): the "
            "model and the reference do not compute the same", out->expected_margin, o->worst,
            o->worst_value, o->worst_truth, out->actual_margin);
    out->roundoff = out->finding == OX_LOW_PRECISION ? u : 0;
    size_t used = strlen(out->reason);
    if (*j->born && out->finding != OX_EQUAL && used < sizeof out->reason)
        snprintf(out->reason + used, sizeof out->reason - used, "; %s%s", j->born, j->swallowed);
}

static ox_code more_passes(judging *j, ox_model *m, ox_walk *w, const ox_value *const *in, ox_error *err)
{
    bool precision = false;
    for (int i = 0; i < j->c->n; i++)
        precision |= needs_precision(j, i);
    static const int bits[] = { BITS_F16, BITS_BF16 };
    w->fresh = w->lean = false;
    for (int k = 0; k < 2 && precision; k++) {
        w->bits = j->pass_bits = bits[k];
        OX_TRY(ox_oracle_walk(m, w, in, rounded_pass, j, err));
    }
    return OX_OK;
}

ox_code ox_judge(ox_model *m, const ox_options *options, const ox_value *const *in,
                 const ox_judge_case *c, ox_judgement *out, ox_error *err)
{
    judging j = { .c = c, .out = out };
    ox_known *ref = calloc((size_t)c->n + 1, sizeof(*ref));
    ox_walk w = { .run = *options, .ref = ref, .n_ref = (size_t)c->n, .fresh = true, .lean = true,
                  .spoil = c->spoil, .spoil_ctx = c->spoil_ctx };
    w.run.as_written = true;
    w.run.extra = NULL;
    w.run.n_extra = 0;
    j.o = calloc((size_t)c->n + 1, sizeof(*j.o));
    ox_code code = ref && j.o ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
    for (int i = 0; i < c->n && code == OX_OK; i++) {
        ref[i] = (ox_known){ c->names[i], c->expected[i] };
        out[i] = (ox_judgement){ 0 };
    }
    if (code == OX_OK)
        code = ox_oracle_walk(m, &w, in, first_pass, &j, err);
    if (code == OX_OK)
        code = more_passes(&j, m, &w, in, err);
    for (int i = 0; i < c->n && code == OX_OK; i++)
        decide(&j, i);
    for (int i = 0; i < c->n && j.o; i++)
        free(j.o[i].truth);
    free(j.o);
    free(ref);
    return code;
}
