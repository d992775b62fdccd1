/* vpdpbusd with tables in registers: two vpermi2b cover 256 bytes. */
#include <immintrin.h>
#include <stdint.h>

static inline __m512i lookup(__m512i y, const uint8_t *table)
{
    __m512i low =
        _mm512_permutex2var_epi8(_mm512_loadu_si512(table), y, _mm512_loadu_si512(table + 64));
    __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), y,
                                            _mm512_loadu_si512(table + 192));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(y), low, high);
}

#define TILE uk_igemm_avx512vbmi_12x64
#define DEPTH uk_idepth_avx512vbmi
#define LOOKUP(y, table) lookup(y, table)
#include "kernels/igemm/vnni.tmpl.h"
