/* Element types and the conversions between them. */
#ifndef OX_TENSOR_DTYPE_H
#define OX_TENSOR_DTYPE_H

#include "runtime/base/status.h"

typedef enum ox_dtype {
    OX_UNDEFINED = 0,
#define DTYPE(id, onnx, name, memory, file_bits, class, numpy) OX_##id = onnx,
#include "runtime/tensor/dtype.def"
#undef DTYPE
    OX_N_DTYPES = 29
} ox_dtype;

typedef enum ox_class {
    OX_CLASS_NONE, OX_CLASS_FLOAT, OX_CLASS_INT, OX_CLASS_UINT,
    OX_CLASS_BOOL, OX_CLASS_STRING, OX_CLASS_COMPLEX,
} ox_class;

/* A string element: bytes (UTF-8 by ONNX's rule), not NUL-terminated.  The bytes are borrowed: from
 * the model, from an input, or from the run's arena (ox_run_str). */
typedef struct ox_str {
    const char *s;
    size_t      n;
} ox_str;

const char *ox_dtype_name(ox_dtype t);          /* "f32"; "?" when undefined */
const char *ox_dtype_onnx_name(ox_dtype t);     /* the word inside ONNX's tensor(...): "float" */
ox_dtype    ox_dtype_from_name(const char *name); /* OX_UNDEFINED when unknown */
size_t      ox_dtype_size(ox_dtype t);          /* bytes an element takes in memory */
int         ox_dtype_file_bits(ox_dtype t);     /* bits an element takes in raw_data; 0 for str */
ox_class    ox_dtype_class(ox_dtype t);
const char *ox_dtype_numpy(ox_dtype t);
static inline bool ox_is_float(ox_dtype t) { return ox_dtype_class(t) == OX_CLASS_FLOAT; }
static inline bool ox_is_int(ox_dtype t)
{
    return ox_dtype_class(t) == OX_CLASS_INT || ox_dtype_class(t) == OX_CLASS_UINT;
}

/* Unit roundoff (half the spacing at 1) of a float type: 2^-24 for f32; 0 for the others. */
double ox_dtype_roundoff(ox_dtype t);
/* Smallest positive subnormal and largest finite value of a float type. */
double ox_dtype_tiny(ox_dtype t);
double ox_dtype_huge(ox_dtype t);

/* n elements of float, int, uint or bool type to and from double / float / int64.
 *
 * To a float type: rounded once, to nearest even, from whatever the source holds.  Past the largest
 * value f64, f32, f16 and bf16 give infinity; f8, f6 and f4 saturate (ONNX's Cast with its default
 * attributes; f8e8m0 rounds up).  f6 and f4 have no NaN: it becomes -0.
 * To an integer type from float: towards zero.  What ONNX leaves undefined is what x86-64 does:
 * 64-bit types go through int64, the others through int32, of which NaN and values outside give the
 * most negative number; then the low bits are kept.  For u32 and u64 the upper half of their range
 * is subtracted before and put back after.  (ONNX Runtime and numpy agree on x86-64.)
 * To an integer type from int64: the low bits are kept (i4, i2: then sign-extended).
 * To bool: everything but zero is 1, NaN too. */
void ox_to_f64(double *to, const void *from, ox_dtype t, size_t n);
void ox_from_f64(void *to, const double *from, ox_dtype t, size_t n);
void ox_to_f32(float *to, const void *from, ox_dtype t, size_t n);
void ox_from_f32(void *to, const float *from, ox_dtype t, size_t n);
void ox_to_i64(int64_t *to, const void *from, ox_dtype t, size_t n);   /* u64 keeps its bits */
void ox_from_i64(void *to, const int64_t *from, ox_dtype t, size_t n);

/* The same between any two of those types: ONNX's Cast with its default attributes. */
void ox_convert(void *to, ox_dtype to_type, const void *from, ox_dtype from_type, size_t n);
bool ox_dtype_converts(ox_dtype t); /* float, int, uint or bool: may be given to the above */

/* One element of the four f8 types with sign; saturate = false is Cast's `saturate` attribute. */
uint8_t ox_f8_from_f32(float x, ox_dtype t, bool saturate);
float   ox_f8_to_f32(uint8_t code, ox_dtype t); /* f8e8m0, f6 and f4 too */
uint8_t ox_f4_from_f32(float x);

/* f8e8m0 holds powers of two: 2^(code - 127), 255 is NaN.  Cast's `round_mode`: to the power of two
 * above, below or nearest (by distance, ties up).  The sign is dropped.  With saturate, infinity
 * and what is too large give 2^127, what is too small, 0 included, 2^-127; without, NaN. */
typedef enum ox_round { OX_ROUND_UP, OX_ROUND_DOWN, OX_ROUND_NEAREST } ox_round;
uint8_t ox_f8e8m0_from_f32(float x, ox_round mode, bool saturate);

/* x rounded to odd: exact, or the neighbour whose last bit is 1.  Rounding the result again to a
 * type at least two bits narrower gives what rounding x once would have given. */
float ox_f64_to_f32_odd(double x);

#endif
