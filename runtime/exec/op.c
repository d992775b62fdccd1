/* The services that op.h promises to operators. */
#include "runtime/exec/internal.h"

#include <string.h>

/* ---- attributes ---- */
static const ox_attr *own_attr(const ox_run *r, const char *name)
{
    return ox_node_attr(r->frame->node, name);
}

static const ox_schema_attr *default_attr(const ox_run *r, const char *name)
{
    const ox_schema *schema = r->frame->node->schema;
    const ox_schema_attr *a = schema ? ox_schema_attr_find(schema, name) : NULL;
    return a && a->has_default ? a : NULL;
}

bool ox_attr_given(const ox_run *r, const char *name) { return own_attr(r, name) != NULL; }

int64_t ox_attr_i64(const ox_run *r, const char *name)
{
    const ox_attr *a = own_attr(r, name);
    if (a)
        return a->kind == OX_ATTR_INT ? a->i : 0;
    const ox_schema_attr *d = default_attr(r, name);
    return d && d->kind == OX_ATTR_INT ? d->i : 0;
}

double ox_attr_f64(const ox_run *r, const char *name)
{
    const ox_attr *a = own_attr(r, name);
    if (a)
        return a->kind == OX_ATTR_FLOAT ? (double)a->f : 0;
    const ox_schema_attr *d = default_attr(r, name);
    return d && d->kind == OX_ATTR_FLOAT ? (double)d->f : 0;
}

const char *ox_attr_str(const ox_run *r, const char *name)
{
    const ox_attr *a = own_attr(r, name);
    if (a)
        return a->kind == OX_ATTR_STRING ? a->s.s : NULL;
    const ox_schema_attr *d = default_attr(r, name);
    return d && d->kind == OX_ATTR_STRING ? d->s : NULL;
}

const int64_t *ox_attr_i64s(const ox_run *r, const char *name, int *n)
{
    const ox_attr *a = own_attr(r, name);
    *n = 0;
    if (a) {
        if (a->kind == OX_ATTR_INTS)
            *n = a->n;
        return a->kind == OX_ATTR_INTS ? a->ints : NULL;
    }
    const ox_schema_attr *d = default_attr(r, name);
    if (!d || d->kind != OX_ATTR_INTS)
        return NULL;
    *n = (int)d->n;
    return d->ints;
}

const float *ox_attr_f32s(const ox_run *r, const char *name, int *n)
{
    const ox_attr *a = own_attr(r, name);
    *n = 0;
    if (a) {
        if (a->kind == OX_ATTR_FLOATS)
            *n = a->n;
        return a->kind == OX_ATTR_FLOATS ? a->floats : NULL;
    }
    const ox_schema_attr *d = default_attr(r, name);
    if (!d || d->kind != OX_ATTR_FLOATS)
        return NULL;
    *n = (int)d->n;
    return d->floats;
}

const ox_str *ox_attr_strs(const ox_run *r, const char *name, int *n)
{
    const ox_attr *a = own_attr(r, name);
    *n = a && a->kind == OX_ATTR_STRINGS ? a->n : 0;
    return *n ? a->strs : NULL;
}

const ox_tensor *ox_attr_tensor(const ox_run *r, const char *name)
{
    const ox_attr *a = own_attr(r, name);
    return a && a->kind == OX_ATTR_TENSOR ? a->tensor : NULL;
}

const ox_value *ox_attr_sparse(const ox_run *r, const char *name)
{
    const ox_attr *a = own_attr(r, name);
    return a && a->kind == OX_ATTR_SPARSE_TENSOR ? a->sparse : NULL;
}

const ox_type *ox_attr_type(const ox_run *r, const char *name)
{
    const ox_attr *a = own_attr(r, name);
    return a && a->kind == OX_ATTR_TYPE_PROTO ? a->type : NULL;
}

ox_code ox_attr_enum(const ox_run *r, const char *name, const char *const *words, int *index)
{
    const char *s = ox_attr_str(r, name);
    char list[256] = "";
    for (int i = 0; words[i]; i++) {
        if (s && strcmp(s, words[i]) == 0) {
            *index = i;
            return OX_OK;
        }
        size_t used = strlen(list);
        snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", words[i]);
    }
    return OX_FAIL(r->err, OX_E_VALUE, "attribute %s is \"%s\", expected one of: %s", name,
                   s ? s : "", list);
}

ox_code ox_axis(const ox_run *r, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return OX_FAIL(r->err, OX_E_SHAPE, "axis %lld outside [%d, %d]", (long long)axis, -rank,
                       rank - 1);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return OX_OK;
}

ox_code ox_attr_axis(const ox_run *r, const char *name, int rank, int *axis)
{
    return ox_axis(r, ox_attr_i64(r, name), rank, axis);
}

/* ---- inputs ---- */
bool ox_in_known(const ox_run *r, int i)
{
    if (i >= r->n_in || (!r->in[i] && !r->vin[i] && !r->tin[i]))
        return true;
    return r->in[i] && (r->in[i]->data || (ox_shape_known(r->in[i]) && ox_count(r->in[i]) == 0));
}

const int64_t *ox_in_i64s(ox_run *r, int i, int64_t *n)
{
    *n = 0;
    if (i >= r->n_in || !r->in[i] || !r->in[i]->data)
        return NULL;
    const ox_tensor *t = r->in[i];
    int64_t count = ox_count(t);
    if (t->dtype == OX_I64) {
        *n = count;
        return t->data;
    }
    if (t->dtype == OX_I64) {
        *n = count;
        return t->data;
    }
    int64_t *v = ox_scratch_array(r, (size_t)OX_MAX(count, 1), sizeof(*v));
    if (!v)
        return NULL;
    ox_to_i64(v, t->data, t->dtype, (size_t)count);
    *n = count;
    return v;
}

const double *ox_in_f64s(ox_run *r, int i, int64_t *n)
{
    *n = 0;
    if (i >= r->n_in || !r->in[i] || !r->in[i]->data)
        return NULL;
    const ox_tensor *t = r->in[i];
    int64_t count = ox_count(t);
    double *v = ox_scratch_array(r, (size_t)OX_MAX(count, 1), sizeof(*v));
    if (!v)
        return NULL;
    ox_to_f64(v, t->data, t->dtype, (size_t)count);
    *n = count;
    return v;
}

/* ---- outputs ---- */
static bool slot_owned(ox_run *r, int i)
{
    ox_plan *p = r->frame->plan;
    int id = r->frame->node->out[i];
    ox_slot *slot = &p->slot[id];
    if (slot->owned)
        ox_value_release(&slot->v);
    slot->owned = true;
    return true;
}

ox_code ox_out_alloc(ox_run *r, int i, int rank, const int64_t *dim)
{
    if (i >= r->n_out || !r->out[i])
        return OX_OK;
    ox_tensor *t = r->out[i];
    ox_dtype dtype = t->dtype;
    ox_slot *slot = &r->frame->plan->slot[r->frame->node->out[i]];
    bool in_slot = t == &slot->v.t; /* not the wide copy, nor a twin that only computes the truth */
    if (in_slot)
        slot_owned(r, i);
    else
        ox_tensor_release(t);
    OX_TRY(ox_tensor_alloc(t, dtype, rank, dim, r->err));
    if (in_slot)
        r->vout[i]->kind = OX_TENSOR;
    return OX_OK;
}

ox_code ox_out_view(ox_run *r, int i, int j)
{
    const ox_tensor *from = r->in[j];
    ox_tensor *to = r->out[i];
    to->data = from->data;
    if (from->buf && !to->buf) {
        to->buf = ox_buf_ref(from->buf);
        r->frame->plan->slot[r->frame->node->out[i]].owned = true;
    }
    return OX_OK;
}

ox_code ox_run_view(ox_run *r) { return ox_out_view(r, 0, 0); }

void ox_out_move(ox_run *r, int i, ox_value *take_v)
{
    if (i >= r->n_out || !r->vout[i]) {
        ox_value_release(take_v);
        return;
    }
    slot_owned(r, i);
    *r->vout[i] = *take_v;
    memset(take_v, 0, sizeof(*take_v));
}

void ox_out_shape(ox_run *r, int i, int rank, const int64_t *dim)
{
    if (i >= r->n_out || !r->out[i])
        return;
    r->out[i]->rank = rank;
    for (int k = 0; k < rank; k++)
        r->out[i]->dim[k] = dim[k];
}

/* ---- memory ---- */
void *ox_scratch(ox_run *r, size_t n_bytes)
{
    return ox_session_scratch(r->frame->plan->session, n_bytes);
}

void *ox_scratch_array(ox_run *r, size_t n, size_t size)
{
    size_t bytes;
    return ox_mul_size(&bytes, n, size) ? ox_scratch(r, bytes) : NULL;
}

void *ox_state_alloc(ox_run *r, size_t n, size_t size)
{
    size_t bytes;
    if (!ox_mul_size(&bytes, n, size))
        return NULL;
    if (r->frame->step->is_static)
        return ox_arena_alloc64(r->frame->plan->arena, bytes);
    void *p = ox_scratch(r, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

char *ox_run_str(ox_run *r, size_t n_bytes)
{
    return ox_arena_alloc(r->frame->plan->session->strings, n_bytes ? n_bytes : 1);
}

uint64_t ox_seed(ox_run *r)
{
    if (ox_attr_given(r, "seed")) {
        double seed = ox_attr_f64(r, "seed");
        uint64_t bits;
        memcpy(&bits, &seed, sizeof(bits));
        return bits;
    }
    /* splitmix64: every call gives an independent stream */
    uint64_t z = r->frame->plan->session->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
