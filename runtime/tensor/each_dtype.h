/* Includes the file named by TMPL once for every element type in TYPES (an OR of M_* bits).
 *
 * Each pass defines
 *   T    the stored type              C    the type to compute in (float for f16, bf16)
 *   A    the type to accumulate in (double for floats, 64-bit for integers)
 *   W    the type to wrap in: unsigned and at least as wide as int; C for floats
 *   SFX  f32 ...                      DT   OX_F32 ...
 *   LD(p) the element at p as C       ST(p, v) stores a C
 *   FN(name) name_f32 ...             IS_FLOAT, IS_SIGNED, BITS  for #if and for constants
 * The file closes its typed half with `#else`: see kernels/README.md.  f16, bf16 and the cold types
 * normally need no pass of their own: the executor widens them at the node's edge (op.h). */
#ifndef OX_EACH_DTYPE_ONCE
#define OX_EACH_DTYPE_ONCE
#include "runtime/tensor/half.h"
#define M_F32  (1 << 1)
#define M_U8   (1 << 2)
#define M_I8   (1 << 3)
#define M_U16  (1 << 4)
#define M_I16  (1 << 5)
#define M_I32  (1 << 6)
#define M_I64  (1 << 7)
#define M_BOOL (1 << 9)
#define M_F16  (1 << 10)
#define M_F64  (1 << 11)
#define M_U32  (1 << 12)
#define M_U64  (1 << 13)
#define M_BF16 (1 << 16)
#define MASK_FLOAT (M_F32 | M_F64)
#define MASK_INT   (M_I8 | M_I16 | M_I32 | M_I64 | M_U8 | M_U16 | M_U32 | M_U64)
#define MASK_NUM   (MASK_FLOAT | MASK_INT)
#define OX_PASTE_(a, b) a##_##b
#define OX_PASTE(a, b)  OX_PASTE_(a, b)
#define FN(name)        OX_PASTE(name, SFX)
#endif

#if TYPES & M_F32
#define T float
#define C float
#define A double
#define W float
#define SFX f32
#define DT OX_F32
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 1
#define IS_SIGNED 1
#define BITS 32
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_F64
#define T double
#define C double
#define A double
#define W double
#define SFX f64
#define DT OX_F64
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 1
#define IS_SIGNED 1
#define BITS 64
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_F16
#define T ox_f16
#define C float
#define A double
#define W float
#define SFX f16
#define DT OX_F16
#define LD(p) ox_f16_to_f32(*(p))
#define ST(p, v) ((void)(*(p) = ox_f32_to_f16(v)))
#define IS_FLOAT 1
#define IS_SIGNED 1
#define BITS 16
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_BF16
#define T ox_bf16
#define C float
#define A double
#define W float
#define SFX bf16
#define DT OX_BF16
#define LD(p) ox_bf16_to_f32(*(p))
#define ST(p, v) ((void)(*(p) = ox_f32_to_bf16(v)))
#define IS_FLOAT 1
#define IS_SIGNED 1
#define BITS 16
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_I8
#define T int8_t
#define C int8_t
#define A int64_t
#define W uint32_t
#define SFX i8
#define DT OX_I8
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 1
#define BITS 8
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_I16
#define T int16_t
#define C int16_t
#define A int64_t
#define W uint32_t
#define SFX i16
#define DT OX_I16
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 1
#define BITS 16
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_I32
#define T int32_t
#define C int32_t
#define A int64_t
#define W uint32_t
#define SFX i32
#define DT OX_I32
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 1
#define BITS 32
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_I64
#define T int64_t
#define C int64_t
#define A int64_t
#define W uint64_t
#define SFX i64
#define DT OX_I64
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 1
#define BITS 64
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_U8
#define T uint8_t
#define C uint8_t
#define A uint64_t
#define W uint32_t
#define SFX u8
#define DT OX_U8
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 0
#define BITS 8
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_U16
#define T uint16_t
#define C uint16_t
#define A uint64_t
#define W uint32_t
#define SFX u16
#define DT OX_U16
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 0
#define BITS 16
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_U32
#define T uint32_t
#define C uint32_t
#define A uint64_t
#define W uint32_t
#define SFX u32
#define DT OX_U32
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 0
#define BITS 32
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_U64
#define T uint64_t
#define C uint64_t
#define A uint64_t
#define W uint64_t
#define SFX u64
#define DT OX_U64
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 0
#define BITS 64
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#if TYPES & M_BOOL
#define T uint8_t
#define C uint8_t
#define A uint64_t
#define W uint32_t
#define SFX bool
#define DT OX_BOOL
#define LD(p) (*(p))
#define ST(p, v) ((void)(*(p) = (v)))
#define IS_FLOAT 0
#define IS_SIGNED 0
#define BITS 8
#include TMPL
#include "runtime/tensor/each_dtype_undef.h"
#endif
#undef TYPES
#undef TMPL
