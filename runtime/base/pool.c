/* The thread pool.
 *
 * A job is cut into a range of blocks for each thread, each with a count of those still to claim
 * (`left`), and a count of blocks not yet finished (`pending`).  A thread takes the blocks of its own
 * range, then those that others have left.  So the same thread gets the same part of one job after
 * the other, and finds in its cache what it wrote there.  A block is claimed by decrementing `left`;
 * only a result above zero entitles to read the job, and the job cannot change before that block is
 * finished, so the job itself needs no lock. A decrement that comes late finds zero (and leaves a
 * harmless negative number, which the next job overwrites) or claims a block of the next job, which
 * is just as good.
 *
 * Idle workers spin for a moment, or for as long as a session's run lasts (up to a millisecond: such
 * a run has another job soon, and waking a thread takes tens of microseconds), and then sleep on the
 * word `wake`; the caller does the same on `done`.  The sleeper announces itself before it sleeps and the waker changes the word before it
 * looks for sleepers, both sequentially consistent, so one of the two always notices the other. */
#include "runtime/base/pool.h"
#include "runtime/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

enum {
    LINE = 128, /* two cache lines: neighbours are prefetched in pairs */
    SPIN_NS = 40000,   /* at rest */
    HOLD_NS = 1000000, /* during a run */
    ALONE_NS = 8000,   /* of those without giving way to other threads */
    AWAY_NS = 50000,   /* who gave way for longer shares this CPU, and had better be woken on another */
    MOVE_NS = 2000000, /* a worker moves to another CPU at most so often */
    MAX_THREADS = 1024,
    RANGES = 16, /* at most: threads beyond share them */
};

/* A word to sleep on. */
typedef struct word {
    _Alignas(LINE) _Atomic uint32_t value;
    _Atomic int sleepers;
#if !defined(__linux__)
    pthread_mutex_t mutex;
    pthread_cond_t  cond;
#endif
} word;

typedef struct range {
    _Alignas(LINE) _Atomic int64_t left; /* blocks end - left .. end - 1 are still to claim */
    int64_t end;                         /* written, like the rest of the job, by the client */
} range;

typedef struct worker {
    ox_pool  *pool;
    int       index;
    pthread_t thread;
    _Atomic int cpu; /* where it last began to work */
    int64_t   moved; /* when */
} worker;

struct ox_pool {
    /* the job: written by the client that holds `client` */
    ox_block_fn *fn;
    void        *ctx;
    range        range[RANGES];
    _Alignas(LINE) _Atomic int64_t pending;
    word wake, done;
    _Alignas(LINE) pthread_mutex_t client; /* held for one job */
    _Atomic bool used;                     /* some job since the last ox_pool_begin needed workers */
    _Alignas(LINE) _Atomic bool stop;      /* from here on: read often, written seldom */
    _Atomic int  n_runs;                   /* in progress: ox_pool_begin */
    _Atomic int  caller_cpu;
    int          n_threads;                /* with the caller */
    int          n_ranges;
    bool         spins;
    worker      *workers; /* n_threads - 1 of them */
};

/* The pool whose block this thread runs, and as which worker. */
static _Thread_local const ox_pool *inside;
static _Thread_local int            inside_worker;

/* ---- sleeping ---- */

#if defined(__linux__)
static bool word_init(word *w)
{
    atomic_init(&w->value, 0);
    atomic_init(&w->sleepers, 0);
    return true;
}
static void word_release(word *w) { (void)w; }

static void word_sleep(word *w, uint32_t seen)
{
    syscall(SYS_futex, &w->value, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}
static void word_rouse(word *w, int n)
{
    syscall(SYS_futex, &w->value, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}
#else
static bool word_init(word *w)
{
    atomic_init(&w->value, 0);
    atomic_init(&w->sleepers, 0);
    if (pthread_mutex_init(&w->mutex, NULL))
        return false;
    if (pthread_cond_init(&w->cond, NULL) == 0)
        return true;
    pthread_mutex_destroy(&w->mutex);
    return false;
}
static void word_release(word *w)
{
    pthread_cond_destroy(&w->cond);
    pthread_mutex_destroy(&w->mutex);
}
static void word_sleep(word *w, uint32_t seen)
{
    pthread_mutex_lock(&w->mutex);
    if (atomic_load(&w->value) == seen)
        pthread_cond_wait(&w->cond, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
}
static void word_rouse(word *w, int n)
{
    pthread_mutex_lock(&w->mutex); /* a sleeper is either before its check or in the wait */
    pthread_mutex_unlock(&w->mutex);
    if (n == 1)
        pthread_cond_signal(&w->cond);
    else
        pthread_cond_broadcast(&w->cond);
}
#endif

/* Sleeps unless the word has left `seen`; may return early. */
static void word_wait(word *w, uint32_t seen)
{
    atomic_fetch_add(&w->sleepers, 1);
    if (atomic_load(&w->value) == seen)
        word_sleep(w, seen);
    atomic_fetch_sub(&w->sleepers, 1);
}

/* Changes the word; of `n_workers` potential sleepers, wakes so many that `n` are up. */
static void word_signal(word *w, int n, int n_workers)
{
    atomic_fetch_add(&w->value, 1);
    int asleep = atomic_load(&w->sleepers), up = n_workers - asleep;
    if (asleep > 0 && n > up)
        word_rouse(w, n - up);
}

/* ---- spinning ---- */

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* `yield` is no pause on most cores */
#endif
}

/* Waits a while for the counter to become positive (workers) or zero (the caller).  After the first
 * moments it gives way: on a busy machine the thread waited for may be queued behind this one. */
static bool spin_until(const ox_pool *p, const _Atomic int64_t *count, bool zero)
{
    int64_t start = 0, held = 0; /* since when; when a run was last seen in progress */
    for (int i = 0;; i++) {
        int64_t v = atomic_load_explicit(count, memory_order_acquire);
        if (zero ? v == 0 : v > 0)
            return true;
        if (i % 16 == 0) {
            int64_t now = ox_clock_ns();
            start = i ? start : now;
            held = i == 0 || atomic_load_explicit(&p->n_runs, memory_order_relaxed) > 0 ? now : held;
            if (!p->spins || now - start >= HOLD_NS || now - held >= SPIN_NS)
                return false;
            if (now - start >= ALONE_NS) {
                sched_yield();
                if (ox_clock_ns() - now >= AWAY_NS)
                    return false;
            }
        }
        relax();
    }
}

/* ---- working ---- */

/* Runs blocks until none is left to claim, those of the thread's own range first. */
static void work(ox_pool *p, int index)
{
    int64_t finished = 0;
    for (int i = 0; i < p->n_ranges; i++) {
        range *r = &p->range[(index + i) % p->n_ranges];
        while (atomic_load_explicit(&r->left, memory_order_relaxed) > 0) {
            int64_t left = atomic_fetch_sub_explicit(&r->left, 1, memory_order_acq_rel);
            if (left <= 0)
                break;
            p->fn(p->ctx, r->end - left, index);
            finished++;
        }
    }
    if (finished &&
        atomic_fetch_sub_explicit(&p->pending, finished, memory_order_acq_rel) == finished &&
        index != 0)
        word_signal(&p->done, 1, 1);
}

/* Threads that share a CPU take turns, and a scheduler may leave them together for milliseconds while
 * another CPU idles.  A worker that finds the caller or a worker before it on its own CPU leaves: for a
 * moment it is not allowed there. */
#if defined(__linux__)
static int current_cpu(void) { return sched_getcpu(); }

static void keep_apart(worker *w)
{
    ox_pool *p = w->pool;
    int here = sched_getcpu();
    bool shared = here == atomic_load_explicit(&p->caller_cpu, memory_order_relaxed);
    atomic_store_explicit(&w->cpu, here, memory_order_relaxed);
    for (int i = 0; i + 1 < w->index; i++)
        shared = shared || here == atomic_load_explicit(&p->workers[i].cpu, memory_order_relaxed);
    cpu_set_t allowed, rest;
    if (!shared || !p->spins || here < 0 || here >= CPU_SETSIZE || ox_clock_ns() - w->moved < MOVE_NS ||
        sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
        return;
    w->moved = ox_clock_ns();
    rest = allowed;
    CPU_CLR(here, &rest);
    if (CPU_COUNT(&rest) > 0 && sched_setaffinity(0, sizeof(rest), &rest) == 0)
        (void)sched_setaffinity(0, sizeof(allowed), &allowed);
}
#else
static int current_cpu(void) { return -1; }
static void keep_apart(worker *w) { (void)w; }
#endif

static void *worker_main(void *arg)
{
    worker *w = arg;
    ox_pool *p = w->pool;
    inside = p;
    inside_worker = w->index;
    const _Atomic int64_t *own = &p->range[w->index % p->n_ranges].left;
    while (!atomic_load(&p->stop)) {
        uint32_t seen = atomic_load(&p->wake.value);
        if (atomic_load(own) <= 0 && !atomic_load(&p->stop) && !spin_until(p, own, false))
            word_wait(&p->wake, seen); /* woken for a job, perhaps in place of another */
        keep_apart(w);
        work(p, w->index);
    }
    return NULL;
}

static void run_serial(int64_t n_blocks, ox_block_fn *fn, void *ctx, int index)
{
    for (int64_t i = 0; i < n_blocks; i++)
        fn(ctx, i, index);
}

static void wait_done(ox_pool *p)
{
    if (spin_until(p, &p->pending, true))
        return;
    for (;;) {
        uint32_t seen = atomic_load(&p->done.value);
        if (atomic_load_explicit(&p->pending, memory_order_acquire) == 0)
            return;
        word_wait(&p->done, seen);
    }
}

/* Posts the job, in ranges as even as can be; the caller's, the first, is the last to be posted. */
static void cut(ox_pool *p, int64_t n_blocks)
{
    int64_t end = n_blocks;
    for (int i = p->n_ranges; i-- > 0;) {
        int64_t n = end / (i + 1);
        p->range[i].end = end;
        atomic_store_explicit(&p->range[i].left, n, memory_order_release);
        end -= n;
    }
}

void ox_pool_run(ox_pool *p, int64_t n_blocks, ox_block_fn *fn, void *ctx)
{
    if (n_blocks <= 0)
        return;
    if (inside) { /* a worker index below this pool's count, even if the block is another pool's */
        run_serial(n_blocks, fn, ctx, inside_worker % ox_pool_threads(p));
        return;
    }
    if (n_blocks == 1 || ox_pool_threads(p) == 1 || pthread_mutex_trylock(&p->client) != 0) {
        run_serial(n_blocks, fn, ctx, 0);
        return;
    }
    p->fn = fn;
    p->ctx = ctx;
    atomic_store_explicit(&p->caller_cpu, current_cpu(), memory_order_relaxed);
    atomic_store_explicit(&p->pending, n_blocks, memory_order_relaxed);
    cut(p, n_blocks);
    int n_workers = p->n_threads - 1;
    atomic_store_explicit(&p->used, true, memory_order_relaxed);
    word_signal(&p->wake, (int)OX_MIN(n_blocks - 1, n_workers), n_workers);
    inside = p;
    inside_worker = 0;
    work(p, 0);
    inside = NULL;
    wait_done(p);
    pthread_mutex_unlock(&p->client);
}

/* ---- runs ---- */

void ox_pool_begin(ox_pool *p)
{
    if (!p)
        return;
    int n_workers = p->n_threads - 1;
    atomic_fetch_add(&p->n_runs, 1);
    if (atomic_exchange_explicit(&p->used, false, memory_order_relaxed))
        word_signal(&p->wake, n_workers, n_workers);
}

void ox_pool_end(ox_pool *p)
{
    if (p)
        atomic_fetch_sub(&p->n_runs, 1);
}

/* ---- life ---- */

/* CPUs this process may run on: spinning makes sense only if each thread has its own. */
static int usable_cpus(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return CPU_COUNT(&set);
#endif
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Signals are for the host program's threads. */
static int start_worker(worker *w)
{
    enum { STACK = 4 << 20 };
    sigset_t every, before;
    pthread_attr_t attr;
    int rc = pthread_attr_init(&attr);
    if (rc)
        return rc;
    pthread_attr_setstacksize(&attr, STACK);
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    rc = pthread_create(&w->thread, &attr, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc;
}

static ox_pool *pool_alloc(int n_threads)
{
    void *memory;
    if (posix_memalign(&memory, LINE, sizeof(ox_pool)))
        return NULL;
    ox_pool *p = memory;
    memset(p, 0, sizeof(*p));
    p->workers = calloc((size_t)n_threads, sizeof(*p->workers));
    if (!p->workers || pthread_mutex_init(&p->client, NULL))
        goto no_mutex;
    if (!word_init(&p->wake))
        goto no_wake;
    if (!word_init(&p->done))
        goto no_done;
    p->n_threads = 1;
    p->n_ranges = OX_MIN(n_threads, RANGES); /* a range whose thread cannot be started is left to others */
    p->spins = n_threads <= usable_cpus();
    atomic_init(&p->caller_cpu, -1);
    return p;
no_done:
    word_release(&p->wake);
no_wake:
    pthread_mutex_destroy(&p->client);
no_mutex:
    free(p->workers);
    free(p);
    return NULL;
}

ox_pool *ox_pool_create(int n_threads)
{
    n_threads = OX_MAX(1, OX_MIN(n_threads, MAX_THREADS));
    ox_pool *p = pool_alloc(n_threads);
    for (int i = 1; p && i < n_threads; i++) {
        worker *w = &p->workers[i - 1];
        *w = (worker){ .pool = p, .index = i, .cpu = -1 };
        int rc = start_worker(w);
        if (rc) {
            ox_log("%d of %d threads: %s", i, n_threads, strerror(rc));
            break;
        }
        p->n_threads = i + 1;
    }
    return p;
}

void ox_pool_destroy(ox_pool *p)
{
    if (!p)
        return;
    int n_workers = p->n_threads - 1;
    atomic_store(&p->stop, true);
    word_signal(&p->wake, n_workers, n_workers);
    for (int i = 0; i < n_workers; i++)
        pthread_join(p->workers[i].thread, NULL);
    word_release(&p->done);
    word_release(&p->wake);
    pthread_mutex_destroy(&p->client);
    free(p->workers);
    free(p);
}

int ox_pool_threads(const ox_pool *p) { return p ? p->n_threads : 1; }
