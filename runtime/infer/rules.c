/* Shape rules that many operators share, and arithmetic on dimensions that may be symbols. */
#include "runtime/plan/plan.h"
#include "runtime/exec/internal.h"

#include <stdlib.h>
#include <string.h>

static ox_model *model_of(ox_run *r) { return r->frame->plan->session->model; }

/* A derived symbol is named by its expression, so equal expressions are equal dimensions. */
static int64_t derived(ox_run *r, int64_t a, const char *op, int64_t b)
{
    char name[160], left[72], right[72];
    ox_model *m = model_of(r);
    if (a == OX_DIM_UNKNOWN || b == OX_DIM_UNKNOWN)
        return OX_DIM_UNKNOWN;
    int64_t side[2] = { a, b };
    char *text[2] = { left, right };
    for (int i = 0; i < 2; i++) {
        if (side[i] >= 0) {
            snprintf(text[i], 72, "%lld", (long long)side[i]);
            continue;
        }
        const char *s = ox_model_symbol_name(m, side[i]);
        if (!s || strlen(s) > 64)
            return OX_DIM_UNKNOWN;
        bool atom = strcmp(op, " + ") == 0 || !strpbrk(s, "+/ ");
        snprintf(text[i], 72, atom ? "%s" : "(%s)", s);
    }
    snprintf(name, sizeof(name), "%s%s%s", left, op, right);
    return ox_model_symbol(m, name);
}

/* "H + 4" and 4 -> the symbol H and 0: constants are kept apart so that paddings cancel. */
static int64_t split(ox_run *r, int64_t a, int64_t *constant)
{
    *constant = 0;
    if (a >= 0 || a == OX_DIM_UNKNOWN)
        return a;
    const char *s = ox_model_symbol_name(model_of(r), a), *plus = s ? strrchr(s, '+') : NULL;
    char *end, base[72];
    if (!plus || plus - s < 2 || plus - s > 64)
        return a;
    long long k = strtoll(plus + 1, &end, 10);
    if (*end != '\0')
        return a;
    memcpy(base, s, (size_t)(plus - s - 1));
    base[plus - s - 1] = '\0';
    *constant = k;
    return ox_model_symbol(model_of(r), base);
}

int64_t ox_dim_add(ox_run *r, int64_t a, int64_t b)
{
    int64_t ka, kb, sum;
    if (a >= 0 && b >= 0)
        return __builtin_add_overflow(a, b, &sum) ? OX_DIM_UNKNOWN : sum;
    if (a >= 0) {
        int64_t swap = a;
        a = b;
        b = swap;
    }
    a = split(r, a, &ka);
    if (b >= 0) {
        kb = b;
        if (__builtin_add_overflow(ka, kb, &sum))
            return OX_DIM_UNKNOWN;
        return sum == 0 ? a : derived(r, a, " + ", sum);
    }
    return ka ? OX_DIM_UNKNOWN : derived(r, a, " + ", b);
}

int64_t ox_dim_mul(ox_run *r, int64_t a, int64_t b)
{
    int64_t product;
    if (a >= 0 && b >= 0)
        return __builtin_mul_overflow(a, b, &product) ? OX_DIM_UNKNOWN : product;
    if (a == 1 || b == 0)
        return b;
    if (b == 1 || a == 0)
        return a;
    return a >= 0 ? derived(r, a, "*", b) : derived(r, b, "*", a);
}

int64_t ox_dim_div(ox_run *r, int64_t a, int64_t b)
{
    if (b == 1)
        return a;
    if (b <= 0)
        return OX_DIM_UNKNOWN;
    if (a >= 0)
        return a / b;
    const char *s = ox_model_symbol_name(model_of(r), a);
    char *end;
    if (s && *s >= '1' && *s <= '9') { /* "9*H" / 9 */
        long long k = strtoll(s, &end, 10);
        if (*end == '*' && k % b == 0 && !strpbrk(end, "+/ "))
            return ox_dim_mul(r, k / b, ox_model_symbol(model_of(r), end + 1));
    }
    return derived(r, a, "/", b);
}

ox_code ox_broadcast(ox_run *r, int *rank, int64_t *dim, int rank_b, const int64_t *dim_b)
{
    int n = OX_MAX(*rank, rank_b);
    int64_t out[OX_MAX_RANK];
    for (int i = 0; i < n; i++) {
        int64_t a = i < n - *rank ? 1 : dim[i - (n - *rank)];
        int64_t b = i < n - rank_b ? 1 : dim_b[i - (n - rank_b)];
        if (a == b || b == 1)
            out[i] = a;
        else if (a == 1)
            out[i] = b;
        else if (a < 0 && b < 0)
            out[i] = OX_DIM_UNKNOWN;
        else if (a < 0 || b < 0)
            out[i] = OX_MAX(a, b); /* the unknown one is 1 or the same */
        else
            return OX_FAIL(r->err, OX_E_SHAPE, "shapes cannot be broadcast: %lld against %lld in "
                           "dimension %d of %d", (long long)a, (long long)b, i, n);
    }
    *rank = n;
    memcpy(dim, out, (size_t)n * sizeof(*dim));
    return OX_OK;
}

ox_code ox_infer_like(ox_run *r)
{
    for (int i = 0; i < r->n_out; i++)
        ox_out_shape(r, i, r->in[0]->rank, r->in[0]->dim);
    return OX_OK;
}

ox_code ox_infer_broadcast(ox_run *r)
{
    int rank = 0;
    int64_t dim[OX_MAX_RANK];
    for (int i = 0; i < r->n_in; i++)
        if (r->in[i])
            OX_TRY(ox_broadcast(r, &rank, dim, r->in[i]->rank, r->in[i]->dim));
    ox_out_shape(r, 0, rank, dim);
    return OX_OK;
}

ox_code ox_infer_none(ox_run *r)
{
    (void)r;
    return OX_OK;
}

ox_code ox_infer_scalar(ox_run *r)
{
    ox_out_shape(r, 0, 0, NULL);
    return OX_OK;
}
