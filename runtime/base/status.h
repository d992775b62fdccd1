/* Status codes and the error object.
 *
 * The layer that sees a fault writes code and message through OX_FAIL; layers above add only what
 * they alone know (node, operator, model) and return the same code.  `err` may be NULL anywhere. */
#ifndef OX_BASE_STATUS_H
#define OX_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ox_code {
#define CODE(id, text) OX_##id,
#include "runtime/base/codes.def"
#undef CODE
    OX_N_CODES
} ox_code;

typedef struct ox_error {
    ox_code     code;
    char        message[512]; /* what was expected and what was found, with the numbers */
    char        node[128];    /* name of the node; filled by the executor, never by a kernel */
    char        op[64];       /* "Conv-11" */
    const char *file;         /* of the check that failed */
    int         line;
} ox_error;

#if defined(__GNUC__)
#define OX_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define OX_MUST_CHECK   __attribute__((warn_unused_result))
#define OX_RESTRICT     restrict
#else
#define OX_PRINTF(f, a)
#define OX_MUST_CHECK
#define OX_RESTRICT
#endif

/* Records the first fault in `err` (later ones are dropped) and returns `code`. */
ox_code ox_fail(ox_error *err, ox_code code, const char *file, int line, const char *format, ...)
    OX_PRINTF(5, 6);

#define OX_FAIL(err, code, ...) ox_fail((err), (code), __FILE__, __LINE__, __VA_ARGS__)
#define OX_TRY(call)                                                                               \
    do {                                                                                           \
        ox_code ox_try_code = (call);                                                              \
        if (ox_try_code != OX_OK)                                                                  \
            return ox_try_code;                                                                    \
    } while (0)

const char *ox_code_text(ox_code code);

/* *out = a * b or a + b; false on overflow.  Every size product goes through these. */
static inline bool ox_mul_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool ox_add_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

#define OX_COUNT(array) (sizeof(array) / sizeof(*(array)))
#define OX_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define OX_MAX(a, b)    ((a) > (b) ? (a) : (b))

#endif
