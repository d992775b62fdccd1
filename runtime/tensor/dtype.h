/* Element types and the conversions between them. */
#ifndef OX_TENSOR_DTYPE_H
#define OX_TENSOR_DTYPE_H

#include "runtime/base/status.h"

typedef enum ox_dtype {
    OX_UNDEFINED = 0,
#define DTYPE(id, onnx, name, memory, file_bits, class, numpy) OX_##id = onnx,
#include "runtime/tensor/dtype.def"
#undef DTYPE
    OX_N_DTYPES = 27
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
const char *ox_dtype_onnx_name(ox_dtype t);     /* "tensor(float)" as ONNX's pages write it: "float" */
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

/* n elements of float, int, uint or bool type to and from double / int64.  Floats round to nearest
 * even, saturating for none but the types without infinity; integers wrap from int64. */
void ox_to_f64(double *to, const void *from, ox_dtype t, size_t n);
void ox_from_f64(void *to, const double *from, ox_dtype t, size_t n);
void ox_to_f32(float *to, const void *from, ox_dtype t, size_t n);
void ox_from_f32(void *to, const float *from, ox_dtype t, size_t n);
void ox_to_i64(int64_t *to, const void *from, ox_dtype t, size_t n);   /* u64 keeps its bits */
void ox_from_i64(void *to, const int64_t *from, ox_dtype t, size_t n);

#endif
