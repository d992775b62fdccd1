/* Shape and Size: what a tensor's dimensions are; its elements are never read. */
#include "runtime/op.h"

/* [start, end) counted from the end where negative, clamped to the rank. */
static void range(const ox_run *r, int *start, int *end)
{
    int64_t rank = r->in[0]->rank, from = ox_attr_i64(r, "start"), to = rank;
    if (ox_attr_given(r, "end"))
        to = ox_attr_i64(r, "end");
    from += from < 0 ? rank : 0;
    to += to < 0 ? rank : 0;
    *start = (int)OX_MAX(0, OX_MIN(from, rank));
    *end = (int)OX_MAX(*start, OX_MIN(to, rank));
}

static ox_code infer_shape(ox_run *r)
{
    int start, end;
    range(r, &start, &end);
    ox_out_shape(r, 0, 1, (int64_t[]){ end - start });
    return OX_OK;
}

static ox_code shape(ox_run *r)
{
    int64_t *y = r->out[0]->data;
    int start, end;
    range(r, &start, &end);
    for (int d = start; d < end; d++)
        y[d - start] = r->in[0]->dim[d];
    return OX_OK;
}

static ox_code size(ox_run *r)
{
    *(int64_t *)r->out[0]->data = ox_count(r->in[0]);
    return OX_OK;
}

OX_OP(Shape, 1) .infer = infer_shape, .run_any = shape, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC | OX_SHAPE_ONLY, .error = { ERR_EXACT, 0 } OX_END;
OX_OP(Size, 1) .infer = ox_infer_scalar, .run_any = size, .key = OX_KEY_NONE,
    .flags = OX_SYMBOLIC | OX_SHAPE_ONLY, .error = { ERR_EXACT, 0 } OX_END;
