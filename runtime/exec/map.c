/* Element-wise loops over broadcast tensors, for kernels and for oracles.
 *
 * Dimensions are collapsed as far as all operands allow; the innermost run is handed to the typed
 * loop with strides of 0 or 1 element.  Work is cut at multiples of BLOCK elements of the output. */
#include "runtime/exec/internal.h"

#include <string.h>

enum { BLOCK = 1 << 14, MAX_IN = 3 };

typedef struct map {
    int            n_in, rank;
    int64_t        dim[OX_MAX_RANK], stride[MAX_IN][OX_MAX_RANK]; /* in elements */
    const char    *x[MAX_IN];
    size_t         size[MAX_IN], size_out;
    char          *z;
    int64_t        count;
    ox_loop1      *loop1;
    ox_loop2      *loop2;
    ox_loop3      *loop3;
    const void    *params;
} map;

/* Strides of every operand along z's dimensions (0 where it is broadcast), neighbours merged. */
static void map_init(map *m, int n_in, const ox_tensor *const *x, const ox_tensor *z)
{
    int rank = 0;
    m->n_in = n_in;
    m->count = ox_count(z);
    m->z = z->data;
    m->size_out = ox_dtype_size(z->dtype);
    for (int i = 0; i < n_in; i++) {
        m->x[i] = x[i]->data;
        m->size[i] = ox_dtype_size(x[i]->dtype);
    }
    int64_t step[MAX_IN];
    for (int i = 0; i < n_in; i++)
        step[i] = 1;
    /* built innermost first, reversed below */
    for (int d = z->rank - 1; d >= 0; d--) {
        int64_t s[MAX_IN];
        for (int i = 0; i < n_in; i++) {
            int at = d - (z->rank - x[i]->rank);
            int64_t n = at < 0 ? 1 : x[i]->dim[at];
            s[i] = n == 1 ? 0 : step[i];
            step[i] *= n;
        }
        if (z->dim[d] == 1)
            continue;
        bool merge = rank > 0;
        for (int i = 0; i < n_in && merge; i++)
            merge = s[i] == m->stride[i][rank - 1] * m->dim[rank - 1];
        if (merge) {
            m->dim[rank - 1] *= z->dim[d];
            continue;
        }
        m->dim[rank] = z->dim[d];
        for (int i = 0; i < n_in; i++)
            m->stride[i][rank] = s[i];
        rank++;
    }
    if (rank == 0) {
        m->dim[rank] = 1;
        for (int i = 0; i < n_in; i++)
            m->stride[i][rank] = 0;
        rank = 1;
    }
    m->rank = rank; /* dim[0] is innermost */
}

static void call(const map *m, int64_t n, const char *const *x, char *z)
{
    int s[MAX_IN];
    for (int i = 0; i < m->n_in; i++)
        s[i] = (int)m->stride[i][0];
    if (m->loop1) {
        m->loop1((size_t)n, x[0], z, m->params);
    } else if (m->loop2) {
        m->loop2((size_t)n, x[0], s[0], x[1], s[1], z, m->params);
    } else {
        const void *v[MAX_IN] = { x[0], x[1], x[2] };
        m->loop3((size_t)n, v, s, z, m->params);
    }
}

static void run_block(void *ctx, int64_t block, int worker)
{
    const map *m = ctx;
    int64_t at = block * BLOCK, end = OX_MIN(at + BLOCK, m->count), index[OX_MAX_RANK];
    (void)worker;
    int64_t rest = at;
    for (int d = 0; d < m->rank; d++) {
        index[d] = rest % m->dim[d];
        rest /= m->dim[d];
    }
    while (at < end) {
        const char *x[MAX_IN] = { 0 };
        int64_t n = OX_MIN(m->dim[0] - index[0], end - at);
        for (int i = 0; i < m->n_in; i++) {
            int64_t offset = 0;
            for (int d = 0; d < m->rank; d++)
                offset += index[d] * m->stride[i][d];
            x[i] = m->x[i] + offset * (int64_t)m->size[i];
        }
        call(m, n, x, m->z + at * (int64_t)m->size_out);
        at += n;
        index[0] = 0;
        for (int d = 1; d < m->rank && ++index[d] == m->dim[d]; d++)
            index[d] = 0;
    }
}

static void map_run(const ox_run *r, map *m)
{
    if (m->count == 0)
        return;
    if (m->count <= BLOCK) /* no pool for what fits one block */
        run_block(m, 0, 0);
    else
        ox_parallel(r, (m->count + BLOCK - 1) / BLOCK, run_block, m);
}

ox_code ox_map1(ox_run *r, ox_loop1 *loop, const void *params)
{
    map m = { .loop1 = loop, .params = params };
    map_init(&m, 1, r->in, r->out[0]);
    map_run(r, &m);
    return OX_OK;
}

ox_code ox_map2_of(ox_run *r, const ox_tensor *a, const ox_tensor *b, ox_tensor *z, ox_loop2 *loop,
                   const void *params)
{
    map m = { .loop2 = loop, .params = params };
    map_init(&m, 2, (const ox_tensor *[]){ a, b }, z);
    map_run(r, &m);
    return OX_OK;
}

ox_code ox_map2(ox_run *r, ox_loop2 *loop, const void *params)
{
    return ox_map2_of(r, r->in[0], r->in[1], r->out[0], loop, params);
}

ox_code ox_map3(ox_run *r, ox_loop3 *loop, const void *params)
{
    map m = { .loop3 = loop, .params = params };
    map_init(&m, 3, r->in, r->out[0]);
    map_run(r, &m);
    return OX_OK;
}

/* ---- oracles ---- */
typedef struct exact {
    ox_exact1  *fn1;
    ox_exact2  *fn2;
    const void *params;
} exact;

static void exact_loop1(size_t n, const void *vx, void *vy, const void *params)
{
    const exact *e = params;
    const double *x = vx;
    double *y = vy;
    for (size_t i = 0; i < n; i++)
        y[i] = e->fn1(x[i], e->params);
}

static void exact_loop2(size_t n, const void *vx, int sx, const void *vy, int sy, void *vz,
                        const void *params)
{
    const exact *e = params;
    const double *x = vx, *y = vy;
    double *z = vz;
    for (size_t i = 0; i < n; i++)
        z[i] = e->fn2(x[i * (size_t)sx], y[i * (size_t)sy], e->params);
}

static ox_tensor as_f64(const ox_tensor *shape, const double *data)
{
    ox_tensor t = *shape;
    t.dtype = OX_F64;
    t.data = (void *)(uintptr_t)data;
    t.buf = NULL;
    return t;
}

ox_code ox_map1_oracle(ox_oracle *o, ox_exact1 *fn, const void *params)
{
    exact e = { .fn1 = fn, .params = params };
    return ox_loop1_oracle(o, exact_loop1, &e);
}

ox_code ox_loop1_oracle(ox_oracle *o, ox_loop1 *loop, const void *params)
{
    map m = { .loop1 = loop, .params = params };
    ox_tensor x = as_f64(o->r->in[0], o->in[0]), y = as_f64(o->r->out[0], o->out[0]);
    map_init(&m, 1, (const ox_tensor *[]){ &x }, &y);
    map_run(o->r, &m);
    return OX_OK;
}

ox_code ox_map2_oracle(ox_oracle *o, ox_exact2 *fn, const void *params)
{
    exact e = { .fn2 = fn, .params = params };
    map m = { .loop2 = exact_loop2, .params = &e };
    ox_tensor a = as_f64(o->r->in[0], o->in[0]), b = as_f64(o->r->in[1], o->in[1]),
              z = as_f64(o->r->out[0], o->out[0]);
    map_init(&m, 2, (const ox_tensor *[]){ &a, &b }, &z);
    map_run(o->r, &m);
    return OX_OK;
}
