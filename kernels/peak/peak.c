/* The machine's roofs: each loop runs for some milliseconds, several times, and the best counts. */
#include "kernels/peak/peak.h"
#include "runtime/base/log.h"
#include "runtime/peak.h"

#include <stdlib.h>
#include <string.h>

const ox_uk_peak ox_uk_peak_rows[] = {
#define UK(stem, isa, width) { #stem, OX_ISA_##isa, width, stem##_fma, stem##_read },
#include "kernels/peak/ukernels.def"
#undef UK
};
const size_t ox_n_uk_peak_rows = sizeof(ox_uk_peak_rows) / sizeof(*ox_uk_peak_rows);

enum {
    MAX_WIDTH = 320,
    ROUNDS = 5,
    FMA_NS = 1000000,          /* of one measurement on one thread */
    READ_BYTES = 64 << 20,     /* at least: more than most last-level caches */
    READ_MAX = 256 << 20,
    READ_BLOCK = 1 << 20,
};

typedef struct job {
    const ox_uk_peak *uk;
    size_t            n;
    char             *data;
    float            *sink; /* [blocks]: results that somebody might read */
} job;

static const ox_uk_peak *pick(void)
{
    const ox_uk_peak *best = ox_uk_peak_rows;
    for (size_t i = 0; i < ox_n_uk_peak_rows; i++)
        if ((ox_uk_peak_rows[i].isa & ~ox_cpu()) == 0)
            best = &ox_uk_peak_rows[i];
    return best;
}

static void fma_block(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    float lanes[MAX_WIDTH];
    (void)worker;
    for (size_t i = 0; i < j->uk->width; i++)
        lanes[i] = (float)i;
    j->uk->fma(j->n, 0.5f, 1, lanes);
    j->sink[block] = lanes[0];
}

static void read_block(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    (void)worker;
    j->sink[block] = j->uk->read(READ_BLOCK / sizeof(float), (const float *)(void *)(j->data + block * READ_BLOCK));
}

static void touch_block(void *ctx, int64_t block, int worker)
{
    const job *j = ctx;
    (void)worker;
    memset(j->data + block * READ_BLOCK, 0, READ_BLOCK);
}

/* Nanoseconds of the fastest of some runs. */
static double best_of(ox_pool *pool, int64_t blocks, ox_block_fn *fn, job *j)
{
    double best = 0;
    for (int r = 0; r < ROUNDS; r++) {
        int64_t start = ox_clock_ns();
        ox_pool_run(pool, blocks, fn, j);
        double ns = (double)OX_MAX(ox_clock_ns() - start, 1);
        best = r == 0 ? ns : OX_MIN(best, ns);
    }
    return best;
}

ox_code ox_peak_measure(ox_pool *pool, ox_peak *out, ox_error *err)
{
    int64_t threads = ox_pool_threads(pool), blocks;
    long l1, l2, l3;
    job j = { .uk = pick(), .n = 1000 };
    ox_cpu_caches(&l1, &l2, &l3);
    int64_t bytes = OX_MIN(OX_MAX(READ_BYTES, 4 * (int64_t)l3), READ_MAX);
    blocks = bytes / READ_BLOCK;
    j.sink = calloc((size_t)OX_MAX(blocks, threads), sizeof(*j.sink));
    j.data = aligned_alloc(64, (size_t)(blocks * READ_BLOCK));
    if (!j.sink || !j.data) {
        free(j.sink);
        free(j.data);
        return OX_FAIL(err, OX_E_NOMEM, "out of memory");
    }
    double once = best_of(NULL, 1, fma_block, &j);
    j.n = (size_t)((double)j.n * FMA_NS / once) + 1;
    out->flops = 2e9 * (double)j.n * (double)j.uk->width * (double)threads / best_of(pool, threads, fma_block, &j);
    ox_pool_run(pool, blocks, touch_block, &j);
    out->bytes = 1e9 * (double)(blocks * READ_BLOCK) / best_of(pool, blocks, read_block, &j);
    free(j.sink);
    free(j.data);
    return OX_OK;
}
