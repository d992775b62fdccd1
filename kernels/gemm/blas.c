/* OpenBLAS, as a yardstick.  It is looked for at the first call, so that start-up does not pay for
 * it, and kept on one thread: blocks are ours to cut. Dispatch never picks it; the measurements are
 * in the commit that added this file and in `kerncheck --bench=blas*`. */
#include "kernels/gemm/gemm.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

/* The parts of cblas.h used here; CBLAS passes int sizes (the LP64 build). */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
typedef void sgemm_fn(int, int, int, int, int, int, float, const float *, int, const float *, int,
                      float, float *, int);
typedef void dgemm_fn(int, int, int, int, int, int, double, const double *, int, const double *,
                      int, double, double *, int);
typedef void threads_fn(int);

static sgemm_fn *sgemm;
static dgemm_fn *dgemm;

/* ISO C has no conversion from void * to a function pointer; POSIX promises the representation. */
static void find(void *lib, const char *name, void *fn) { *(void **)fn = dlsym(lib, name); }

static void load(void)
{
    threads_fn *set_threads = NULL;
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return;
    find(lib, "openblas_set_num_threads", &set_threads);
    if (!set_threads)
        return;
    set_threads(1);
    find(lib, "cblas_sgemm", &sgemm);
    find(lib, "cblas_dgemm", &dgemm);
}

bool ox_blas_gemm(bool f64, bool trans_a, bool trans_b, size_t m, size_t n, size_t k, double alpha,
                  const void *a, size_t lda, const void *b, size_t ldb, double beta, void *c,
                  size_t ldc)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const size_t sizes[] = { m, n, k, lda, ldb, ldc };
    int ta = trans_a ? TRANS : NO_TRANS, tb = trans_b ? TRANS : NO_TRANS;

    if (pthread_once(&once, load) != 0 || !sgemm || !dgemm)
        return false;
    for (size_t i = 0; i < OX_COUNT(sizes); i++)
        if (sizes[i] > INT_MAX)
            return false;
    if (f64)
        dgemm(ROW_MAJOR, ta, tb, (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c,
              (int)ldc);
    else
        sgemm(ROW_MAJOR, ta, tb, (int)m, (int)n, (int)k, (float)alpha, a, (int)lda, b, (int)ldb,
              (float)beta, c, (int)ldc);
    return true;
}
