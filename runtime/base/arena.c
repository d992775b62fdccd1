/* Chunks from calloc, newest first.  Memory past a chunk's `dirty` mark is still zero from calloc,
 * so only what a reset gave back is cleared again. */
#include "runtime/base/arena.h"

#include <sys/mman.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#if defined(ARENA_ASAN)
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
enum { RED_ZONE = 16 }; /* poisoned bytes behind each block */
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { RED_ZONE = 0 };
#endif

enum { FIRST_CHUNK = 16 << 10, LARGEST_STEP = 1 << 20, LINE = 64 };

typedef struct chunk {
    struct chunk *older;
    size_t        size;  /* bytes behind the header */
    size_t        used;
    size_t        dirty; /* bytes from here on were never handed out */
} chunk;

struct ox_arena {
    chunk *newest;
    size_t budget; /* SIZE_MAX: none */
    size_t used;   /* bytes of all blocks, padding included */
    size_t step;   /* size of the next ordinary chunk */
};

static char *chunk_data(chunk *c) { return (char *)(c + 1); }

static void chunk_free(chunk *c)
{
    UNPOISON(chunk_data(c), c->size);
    free(c);
}

ox_arena *ox_arena_create(size_t budget)
{
    ox_arena *a = calloc(1, sizeof(*a));
    if (a) {
        a->budget = budget ? budget : SIZE_MAX;
        a->step = FIRST_CHUNK;
    }
    return a;
}

void ox_arena_destroy(ox_arena *a)
{
    if (!a)
        return;
    for (chunk *c = a->newest, *older; c; c = older) {
        older = c->older;
        chunk_free(c);
    }
    free(a);
}

void ox_arena_reset(ox_arena *a)
{
    chunk *largest = a->newest;
    for (chunk *c = a->newest; c; c = c->older)
        if (c->size > largest->size)
            largest = c;
    for (chunk *c = a->newest, *older; c; c = older) {
        older = c->older;
        if (c != largest)
            chunk_free(c);
    }
    a->newest = largest;
    a->used = 0;
    if (largest) {
        largest->older = NULL;
        largest->used = 0;
        POISON(chunk_data(largest), largest->size);
    }
}

void ox_large_pages(void *p, size_t n)
{
#ifdef MADV_HUGEPAGE
    enum { PAGE = OX_LARGE_PAGE, MOST = 64 << 20 }; /* beyond, finding and clearing them may take longer */
    uintptr_t from = ((uintptr_t)p + PAGE - 1) / PAGE * PAGE, to = ((uintptr_t)p + n) / PAGE * PAGE;
    if (p && n >= (size_t)PAGE && n <= MOST && from < to)
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* advice: failing changes nothing */
#else
    (void)p;
    (void)n;
#endif
}

/* A chunk with room for `need` bytes, put in front. */
static chunk *chunk_add(ox_arena *a, size_t need)
{
    size_t size = OX_MAX(need, a->step), total;
    if (!ox_add_size(&total, size, sizeof(chunk)))
        return NULL;
    chunk *c = calloc(1, total);
    if (!c && size > need) { /* the generous size failed; the bare one may not */
        size = need;
        c = calloc(1, size + sizeof(chunk));
    }
    if (!c)
        return NULL;
    ox_large_pages(c, size + sizeof(chunk));
    c->size = size;
    POISON(chunk_data(c), size);
    a->step = OX_MIN(a->step * 2, (size_t)LARGEST_STEP);
    c->older = a->newest;
    a->newest = c;
    return c;
}

/* Bytes to skip at p to reach a multiple of align. */
static size_t padding(const char *p, size_t align) { return (0 - (uintptr_t)p) & (align - 1); }

static void *take(ox_arena *a, size_t n, size_t align)
{
    if (n > SIZE_MAX / 2) /* leaves the sums below free of overflow */
        return NULL;
    size_t bytes = (OX_MAX(n, (size_t)1) + 15) / 16 * 16 + RED_ZONE;
    if (bytes > a->budget - a->used)
        return NULL;
    chunk *c = a->newest;
    size_t pad = c ? padding(chunk_data(c) + c->used, align) : 0;
    if (!c || pad + bytes > c->size - c->used) {
        c = chunk_add(a, bytes + align);
        if (!c)
            return NULL;
        pad = padding(chunk_data(c), align);
    }
    char *p = chunk_data(c) + c->used + pad;
    size_t end = c->used + pad + bytes, charge = OX_MIN(pad + bytes, a->budget - a->used);
    UNPOISON(p, n);
    if (c->used + pad < c->dirty)
        memset(p, 0, OX_MIN(n, c->dirty - c->used - pad));
    c->used = end;
    c->dirty = OX_MAX(c->dirty, end);
    a->used += charge;
    return p;
}

void *ox_arena_alloc(ox_arena *a, size_t n_bytes) { return take(a, n_bytes, 16); }
void *ox_arena_alloc64(ox_arena *a, size_t n_bytes) { return take(a, n_bytes, LINE); }

void *ox_arena_array(ox_arena *a, size_t n, size_t size)
{
    size_t n_bytes;
    return ox_mul_size(&n_bytes, n, size) ? ox_arena_alloc(a, n_bytes) : NULL;
}

char *ox_arena_strndup(ox_arena *a, const char *s, size_t n)
{
    size_t n_bytes;
    char *copy = ox_add_size(&n_bytes, n, 1) ? ox_arena_alloc(a, n_bytes) : NULL;
    if (copy && n)
        memcpy(copy, s, n);
    return copy;
}

char *ox_arena_printf(ox_arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *s = n < 0 ? NULL : ox_arena_alloc(a, (size_t)n + 1);
    if (s)
        vsnprintf(s, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return s;
}

size_t ox_arena_used(const ox_arena *a) { return a->used; }

bool ox_arena_grow(ox_arena *a, void **array, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return true;
    size_t more;
    void *old, *grown;
    if (!ox_mul_size(&more, OX_MAX(n, (size_t)4), 2))
        return false;
    grown = ox_arena_array(a, more, size);
    if (!grown)
        return false;
    memcpy(&old, array, sizeof(old)); /* *array may really be of another pointer type */
    if (n)
        memcpy(grown, old, n * size);
    memcpy(array, &grown, sizeof(grown));
    *capacity = more;
    return true;
}
