/* The scratch stack of a session, and constants converted for --precision f64. */
#include "runtime/exec/internal.h"

#include <stdlib.h>

enum { FIRST_CHUNK = 1 << 16 };

void *ox_session_scratch(ox_session *s, size_t n_bytes)
{
    if (n_bytes > SIZE_MAX / 2)
        return NULL;
    size_t need = (OX_MAX(n_bytes, 1) + 63) & ~(size_t)63;
    ox_chunk *c = s->scratch;
    if (!c || c->size - c->used < need) {
        size_t size = OX_MAX(need, c ? 2 * c->size : FIRST_CHUNK);
        ox_buf *buf = ox_buf_create(size);
        if (!buf && size > need)
            buf = ox_buf_create(size = need);
        ox_chunk *top = buf ? malloc(sizeof(*top)) : NULL;
        if (!top) {
            ox_buf_unref(buf);
            return NULL;
        }
        *top = (ox_chunk){ c, buf, 0, size };
        s->scratch = c = top;
    }
    void *p = (char *)ox_buf_data(c->buf) + c->used;
    c->used += need;
    size_t total = 0;
    for (const ox_chunk *k = c; k; k = k->below)
        total += k->used;
    s->scratch_peak = OX_MAX(s->scratch_peak, total);
    return p;
}

ox_mark ox_session_mark(ox_session *s)
{
    return (ox_mark){ s->scratch, s->scratch ? s->scratch->used : 0 };
}

static void pop(ox_session *s)
{
    ox_chunk *c = s->scratch;
    s->scratch = c->below;
    ox_buf_unref(c->buf);
    free(c);
}

/* The newest (largest) chunk replaces an empty one below it, so that a steady state needs one. */
void ox_session_release(ox_session *s, ox_mark mark)
{
    if (!mark.chunk) {
        while (s->scratch && s->scratch->below) {
            ox_chunk *top = s->scratch, *below = top->below;
            top->below = below->below;
            ox_buf_unref(below->buf);
            free(below);
        }
        if (s->scratch)
            s->scratch->used = 0;
        return;
    }
    while (s->scratch != mark.chunk) {
        ox_chunk *top = s->scratch;
        if (top->below == mark.chunk && mark.used == 0 && top->size > mark.chunk->size) {
            /* marks below may name mark.chunk: keep the struct, give it the larger buffer */
            ox_buf *small = mark.chunk->buf;
            mark.chunk->buf = top->buf;
            mark.chunk->size = top->size;
            top->buf = small;
        }
        pop(s);
    }
    mark.chunk->used = mark.used;
}

typedef struct ox_widened_const {
    struct ox_widened_const *next;
    const ox_tensor         *from;
    ox_tensor                to;
} ox_widened_const;

const ox_tensor *ox_session_constant(ox_session *s, const ox_tensor *c, ox_error *err)
{
    if (!s->options.f64 || (c->dtype != OX_F32 && c->dtype != OX_F16 && c->dtype != OX_BF16))
        return c;
    for (ox_widened_const *w = s->wide_const; w; w = w->next)
        if (w->from == c)
            return &w->to;
    ox_widened_const *w = ox_arena_alloc(s->arena, sizeof(*w));
    if (!w || ox_tensor_convert(&w->to, c, OX_F64, err) != OX_OK)
        return NULL;
    w->from = c;
    w->next = s->wide_const;
    s->wide_const = w;
    return &w->to;
}

void ox_session_constants_release(ox_session *s)
{
    for (ox_widened_const *w = s->wide_const; w; w = w->next)
        ox_tensor_release(&w->to);
    while (s->scratch)
        pop(s);
}
