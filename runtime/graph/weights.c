#include "runtime/graph/weights.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE = 64, STEP = 4 << 20, SMALLEST = 4096 /* nothing smaller is deferred */ };

typedef struct lazy {
    char          *data;
    const uint8_t *from;
    size_t         n;
    _Atomic bool   filled;
} lazy;

typedef struct mapping {
    const uint8_t *bytes;
    size_t         n;
    char          *own;  /* addresses for copies of what lies in it; NULL: not yet */
    size_t         used, size;
} mapping;

struct ox_weights {
    mapping *map;   size_t n_map, cap_map;
    lazy   **lazy;  size_t n_lazy, cap_lazy; /* of the first mapping alone: sorted by data */
    size_t   charged;
};

void ox_file_drop(const uint8_t *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1), to = ((uintptr_t)p + n) & ~(page - 1);
    if (to > from) /* advice only: its failure costs memory, nothing else */
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

bool ox_weights_mapped(ox_model *m, const uint8_t *bytes, size_t n)
{
    struct ox_weights *w = m->weights;
    if (!w && !(w = m->weights = ox_arena_alloc(m->arena, sizeof *w)))
        return false;
    if (!ox_arena_grow(m->arena, (void **)&w->map, w->n_map, &w->cap_map, sizeof *w->map))
        return false;
    w->map[w->n_map++] = (mapping){ .bytes = bytes, .n = n };
    return true;
}

static mapping *mapping_of(const ox_model *m, const void *p, size_t n)
{
    struct ox_weights *w = m->weights;
    for (size_t i = 0; w && i < w->n_map; i++) {
        mapping *map = &w->map[i];
        uintptr_t at = (uintptr_t)p - (uintptr_t)map->bytes;
        if ((uintptr_t)p >= (uintptr_t)map->bytes && at <= map->n && n <= map->n - at)
            return map;
    }
    return NULL;
}

/* Addresses without memory: as many as the file has bytes, and what alignment may add. */
static bool reserve(mapping *map)
{
    if (map->own)
        return true;
    map->size = map->n / SMALLEST * LINE + LINE;
    if (!ox_add_size(&map->size, map->size, map->n))
        return false;
    void *p = mmap(NULL, map->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    map->own = p;
    return true;
}

void *ox_weights_defer(ox_model *m, const uint8_t *from, size_t n)
{
    struct ox_weights *w = m->weights;
    mapping *map = mapping_of(m, from, n);
    if (!map || map != w->map || n < SMALLEST || !reserve(map) || n > map->size - map->used ||
        !ox_arena_grow(m->arena, (void **)&w->lazy, w->n_lazy, &w->cap_lazy, sizeof *w->lazy))
        return NULL;
    lazy *l = ox_arena_alloc(m->arena, sizeof *l);
    if (!l)
        return NULL;
    l->data = map->own + map->used;
    l->from = from;
    l->n = n;
    map->used = OX_MIN(map->used + (n + LINE - 1) / LINE * LINE, map->size);
    w->lazy[w->n_lazy++] = l;
    return l->data;
}

/* The deferred weights at that address, if they are not there yet. */
static lazy *find(const ox_model *m, const void *data)
{
    const struct ox_weights *w = m->weights;
    size_t low = 0, high = w && data ? w->n_lazy : 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if ((uintptr_t)w->lazy[mid]->data < (uintptr_t)data)
            low = mid + 1;
        else
            high = mid;
    }
    lazy *l = w && data && low < w->n_lazy && w->lazy[low]->data == data ? w->lazy[low] : NULL;
    return l && !atomic_load_explicit(&l->filled, memory_order_acquire) ? l : NULL;
}

bool ox_weights_deferred(const ox_model *m, const ox_tensor *t) { return find(m, t->data) != NULL; }

const void *ox_weights_bytes(const ox_model *m, const ox_tensor *t)
{
    const lazy *l = find(m, t->data);
    return l ? l->from : t->data;
}

void ox_weights_copy(const ox_model *m, void *to, const void *from, size_t n)
{
    bool mapped = mapping_of(m, from, n) != NULL;
    for (size_t done = 0; done < n; done += STEP) { /* never twice in memory */
        size_t step = OX_MIN(n - done, (size_t)STEP);
        memcpy((char *)to + done, (const char *)from + done, step);
        if (mapped)
            ox_file_drop((const uint8_t *)from + done, step);
    }
}

static ox_code fill(ox_model *m, lazy *l, ox_error *err)
{
    ox_code code = OX_OK;
    pthread_mutex_lock(m->symbol_lock);
    if (!atomic_load_explicit(&l->filled, memory_order_relaxed)) {
        if (ox_buf_charge(l->n)) {
            m->weights->charged += l->n;
            ox_large_pages(l->data, l->n);
            ox_weights_copy(m, l->data, l->from, l->n);
            atomic_store_explicit(&l->filled, true, memory_order_release);
        } else {
            code = ox_buf_fail(l->n, err);
        }
    }
    pthread_mutex_unlock(m->symbol_lock);
    return code;
}

ox_code ox_weights_fill(ox_model *m, const ox_tensor *t, ox_error *err)
{
    lazy *l = find(m, t->data);
    return l ? fill(m, l, err) : OX_OK;
}

ox_code ox_weights_fill_all(ox_model *m, ox_error *err)
{
    for (size_t i = 0; m->weights && i < m->weights->n_lazy; i++)
        OX_TRY(fill(m, m->weights->lazy[i], err));
    return OX_OK;
}

void ox_weights_drop(const ox_model *m, const void *p, size_t n)
{
    if (n >= SMALLEST && mapping_of(m, p, n))
        ox_file_drop(p, n);
}

void ox_weights_release(ox_model *m)
{
    struct ox_weights *w = m->weights;
    for (size_t i = 0; w && i < w->n_map; i++)
        if (w->map[i].own)
            munmap(w->map[i].own, w->map[i].size);
    if (w)
        ox_buf_uncharge(w->charged);
}
