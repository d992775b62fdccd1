/* A bump allocator.  Everything inside dies with the arena; nothing inside has a destructor.
 * All blocks are zeroed and aligned to 16 bytes (ox_arena_alloc) or 64 (ox_arena_alloc64).
 * A budget caps the total: beyond it every allocation fails, which callers report as E_LIMIT. */
#ifndef OX_BASE_ARENA_H
#define OX_BASE_ARENA_H

#include "runtime/base/status.h"

typedef struct ox_arena ox_arena;

/* budget 0: unlimited.  NULL when out of memory. */
ox_arena *ox_arena_create(size_t budget);
void      ox_arena_destroy(ox_arena *a);
/* Forgets all blocks and keeps the largest chunk for reuse. */
void  ox_arena_reset(ox_arena *a);
void *ox_arena_alloc(ox_arena *a, size_t n_bytes);
void *ox_arena_alloc64(ox_arena *a, size_t n_bytes);
/* n * size, checked. */
void *ox_arena_array(ox_arena *a, size_t n, size_t size);
/* Copy of s[0..n) with a NUL behind it. */
char  *ox_arena_strndup(ox_arena *a, const char *s, size_t n);
char  *ox_arena_printf(ox_arena *a, const char *format, ...) OX_PRINTF(2, 3);
size_t ox_arena_used(const ox_arena *a);

/* Grows an arena array geometrically: *array has n of *capacity elements used and room for one more
 * afterwards.  false when out of memory (array unchanged). */
bool ox_arena_grow(ox_arena *a, void **array, size_t n, size_t *capacity, size_t size);

enum { OX_LARGE_PAGE = 2 << 20 };

/* Asks for large pages behind [p, p + n), fresh from malloc and about to be written whole, if n is worth it:
 * touching 4 KiB pages one by one costs as much as filling them. */
void ox_large_pages(void *p, size_t n);

#endif
