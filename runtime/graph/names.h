/* Names to numbers.  A hash table whose hash is keyed per process, so that a file cannot choose
 * names that collide; results do not depend on the key.  Everything is allocated from the arena
 * given at the start, so there is nothing to release. */
#ifndef OX_GRAPH_NAMES_H
#define OX_GRAPH_NAMES_H

#include "runtime/base/arena.h"

typedef struct ox_names {
    ox_arena *arena;
    struct ox_names_slot {
        const char *name; /* NULL: free */
        uint32_t    hash;
        int         value;
    } *slot;
    size_t n, n_slots; /* n_slots is 0 or a power of two */
} ox_names;

static inline void ox_names_init(ox_names *t, ox_arena *a) { *t = (ox_names){ .arena = a }; }
/* The number of `name`, or `none`. */
int ox_names_get(const ox_names *t, const char *name, int none);
/* Sets or replaces.  The name is borrowed.  false when out of memory. */
bool ox_names_put(ox_names *t, const char *name, int value) OX_MUST_CHECK;

#endif
