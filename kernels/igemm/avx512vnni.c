/* vpdpbusd where there is no vpermi2b: the table is read byte by byte. */
#include <immintrin.h>
#include <stdint.h>

static inline __m512i lookup(__m512i y, const uint8_t *table)
{
    uint8_t b[64];
    _mm512_storeu_si512(b, y);
    for (int i = 0; i < 64; i++)
        b[i] = table[b[i]];
    return _mm512_loadu_si512(b);
}

#define TILE uk_igemm_avx512vnni_12x64
#define DEPTH uk_idepth_avx512vnni
#define LOOKUP(y, table) lookup(y, table)
#include "kernels/igemm/vnni.tmpl.h"
