/* Groups of four bytes of a run, the last of which may be incomplete. */
#ifndef OX_IGEMM_LOAD4_H
#define OX_IGEMM_LOAD4_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline int32_t ox_load4(const uint8_t *a)
{
    int32_t v;
    memcpy(&v, a, sizeof v);
    return v;
}

/* n < 4 bytes, then zeros; in memory order, as ox_load4. */
static inline int32_t ox_load_tail(const uint8_t *a, size_t n)
{
    uint8_t v[4] = { 0 };
    for (size_t i = 0; i < n; i++)
        v[i] = a[i];
    return ox_load4(v);
}

#endif
