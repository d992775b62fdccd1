/* A static thread pool.  Work is cut into blocks by the caller, by shape and never by thread
 * count, so results have the same bits for any number of threads. */
#ifndef OX_BASE_POOL_H
#define OX_BASE_POOL_H

#include "runtime/base/status.h"

typedef struct ox_pool ox_pool;

/* worker is in [0, ox_pool_threads): index private scratch with it, never results. */
typedef void ox_block_fn(void *ctx, int64_t block, int worker);

/* n_threads includes the caller; 1 starts none.  NULL pools are legal everywhere: serial.
 * If fewer threads can be started the pool is smaller, which changes no result. */
ox_pool *ox_pool_create(int n_threads);
void     ox_pool_destroy(ox_pool *p);
int      ox_pool_threads(const ox_pool *p);

/* Calls fn for every block in [0, n_blocks), each once, in any order; returns when all are done.
 * A call from inside a block runs serially, as the same worker (the only block of a run is not
 * "inside").  So does a call while another thread uses the pool, as worker 0.  Blocks cost a few
 * tens of nanoseconds each: give a block at least some microseconds of work. */
void ox_pool_run(ox_pool *p, int64_t n_blocks, ox_block_fn *fn, void *ctx);

/* A run of many jobs begins and ends.  In between workers stay awake for the next job, up to a
 * millisecond; they are woken at once if the run before had jobs for them.  May be nested. */
void ox_pool_begin(ox_pool *p);
void ox_pool_end(ox_pool *p);

#endif
