/* The thread pool: every block once, by a legal worker, whoever calls. */
#include "runtime/base/log.h"
#include "runtime/base/pool.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX_BLOCKS = 5000 };

typedef struct job {
    ox_pool *pool;
    int      n_threads;
    int64_t  n_blocks;
    _Atomic int  count[MAX_BLOCKS];
    _Atomic int  busy[64]; /* by worker: two blocks of one worker never overlap */
    _Atomic int  bad;
    int64_t plain[MAX_BLOCKS]; /* not atomic: the pool orders it */
} job;

static void visit(void *ctx, int64_t block, int worker)
{
    job *j = ctx;
    if (block < 0 || block >= j->n_blocks || worker < 0 || worker >= j->n_threads) {
        atomic_fetch_add(&j->bad, 1);
        return;
    }
    if (atomic_fetch_add(&j->busy[worker], 1) != 0)
        atomic_fetch_add(&j->bad, 1);
    atomic_fetch_add(&j->count[block], 1);
    j->plain[block] += block + 1;
    atomic_fetch_sub(&j->busy[worker], 1);
}

static job *job_create(ox_pool *p)
{
    job *j = calloc(1, sizeof(*j));
    ck_assert_ptr_nonnull(j);
    j->pool = p;
    j->n_threads = ox_pool_threads(p);
    return j;
}

/* Runs n blocks; each must have been visited once, and what they wrote must be visible here. */
static void run_checked(job *j, int64_t n, ox_block_fn *fn)
{
    j->n_blocks = n;
    memset(j->plain, 0, sizeof(j->plain));
    for (int64_t i = 0; i < MAX_BLOCKS; i++)
        atomic_store(&j->count[i], 0);
    ox_pool_run(j->pool, n, fn, j);
    for (int64_t i = 0; i < MAX_BLOCKS; i++) {
        ck_assert_int_eq(atomic_load(&j->count[i]), i < n);
        ck_assert_int_eq(j->plain[i], i < n ? i + 1 : 0);
    }
    ck_assert_int_eq(atomic_load(&j->bad), 0);
}

static const int thread_counts[] = { 1, 2, 3, 4, 8, 33 };

START_TEST(every_block_once)
{
    ox_pool *p = ox_pool_create(thread_counts[_i]);
    ck_assert_int_eq(ox_pool_threads(p), thread_counts[_i]);
    job *j = job_create(p);
    for (int64_t n = 0; n < 300; n += 1 + n / 10)
        run_checked(j, n, visit);
    run_checked(j, MAX_BLOCKS, visit);
    free(j);
    ox_pool_destroy(p);
}
END_TEST

START_TEST(null_pool)
{
    job *j = job_create(NULL);
    ck_assert_int_eq(j->n_threads, 1);
    run_checked(j, 100, visit);
    free(j);
    ox_pool_destroy(NULL);
    ox_pool *p = ox_pool_create(-3);
    ck_assert_int_eq(ox_pool_threads(p), 1);
    ox_pool_destroy(p);
}
END_TEST

static void pause_ns(long ns) { nanosleep(&(struct timespec){ 0, ns }, NULL); }

/* Workers fall asleep, half asleep and stay awake between jobs. */
START_TEST(sleeping_workers_wake)
{
    ox_pool *p = ox_pool_create(thread_counts[_i]);
    job *j = job_create(p);
    static const long rest[] = { 0, 1000, 30000, 60000, 200000, 0 };
    for (int round = 0; round < 120; round++) {
        run_checked(j, 2 + round % 9, visit);
        if (rest[(size_t)round % OX_COUNT(rest)])
            pause_ns(rest[(size_t)round % OX_COUNT(rest)]);
    }
    free(j);
    ox_pool_destroy(p);
}
END_TEST

/* Many short jobs: a late worker must not run a block of a finished job. */
static void add_one(void *ctx, int64_t block, int worker)
{
    (void)worker;
    ((int64_t *)ctx)[block]++;
}
START_TEST(short_jobs)
{
    ox_pool *p = ox_pool_create(thread_counts[_i]);
    int64_t sum[2][7] = { { 0 } };
    for (int round = 0; round < 20000; round++)
        ox_pool_run(p, 2 + round % 6, add_one, sum[round & 1]);
    int64_t want[2][7] = { { 0 } };
    for (int round = 0; round < 20000; round++)
        for (int b = 0; b < 2 + round % 6; b++)
            want[round & 1][b]++;
    ck_assert_int_eq(memcmp(sum, want, sizeof(sum)), 0);
    ox_pool_destroy(p);
}
END_TEST

/* As many blocks as threads, each waiting until all are running: only real threads get through. */
typedef struct meeting {
    ox_pool    *pool;
    _Atomic int here, late;
    _Atomic int seen[64];
} meeting;
static void meet(void *ctx, int64_t block, int worker)
{
    meeting *m = ctx;
    (void)block;
    atomic_fetch_add(&m->seen[worker], 1);
    atomic_fetch_add(&m->here, 1);
    for (int ms = 0; atomic_load(&m->here) < ox_pool_threads(m->pool); ms++) {
        if (ms > 20000) {
            atomic_fetch_add(&m->late, 1);
            return;
        }
        pause_ns(1000000);
    }
}
static void check_met(meeting *m)
{
    ck_assert_int_eq(atomic_load(&m->late), 0);
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(atomic_load(&m->seen[i]), i < ox_pool_threads(m->pool));
}

START_TEST(all_threads_take_part)
{
    meeting m = { .pool = ox_pool_create(thread_counts[_i]) };
    pause_ns(5000000); /* asleep by now */
    ox_pool_run(m.pool, thread_counts[_i], meet, &m);
    check_met(&m);
    ox_pool_destroy(m.pool);
}
END_TEST

/* A block that runs blocks of its own: serially, as the same worker. */
struct inner {
    int worker;
    int64_t next;
    bool in_order;
};
static void inner_block(void *ctx, int64_t block, int worker)
{
    struct inner *i = ctx;
    i->in_order = i->in_order && block == i->next && worker == i->worker;
    i->next++;
}
static void outer_block(void *ctx, int64_t block, int worker)
{
    job *j = ctx;
    struct inner i = { worker, 0, true };
    ox_pool_run(j->pool, 5, inner_block, &i);
    if (!i.in_order || i.next != 5)
        atomic_fetch_add(&j->bad, 1);
    visit(ctx, block, worker);
}
START_TEST(nested_runs)
{
    ox_pool *p = ox_pool_create(thread_counts[_i]);
    job *j = job_create(p);
    for (int64_t n = 2; n < 40; n++)
        run_checked(j, n, outer_block);
    free(j);
    ox_pool_destroy(p);
}
END_TEST

/* The only block of a run is not "inside": what it calls may use all threads. */
static void only_block(void *ctx, int64_t block, int worker)
{
    (void)block, (void)worker;
    meeting *m = ctx;
    ox_pool_run(m->pool, ox_pool_threads(m->pool), meet, m);
}
START_TEST(single_block_passes_threads_on)
{
    meeting m = { .pool = ox_pool_create(3) };
    ox_pool_run(m.pool, 1, only_block, &m);
    check_met(&m);
    ox_pool_destroy(m.pool);
}
END_TEST

static void *client(void *arg)
{
    job *j = arg;
    int64_t sum[7] = { 0 }, want[7] = { 0 };
    for (int round = 0; round < 3000; round++) {
        ox_pool_run(j->pool, 2 + round % 6, add_one, sum);
        for (int b = 0; b < 2 + round % 6; b++)
            want[b]++;
    }
    if (memcmp(sum, want, sizeof(sum)) != 0)
        atomic_fetch_add(&j->bad, 1);
    return NULL;
}
START_TEST(several_clients)
{
    ox_pool *p = ox_pool_create(thread_counts[_i]);
    job *j = job_create(p);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, client, j), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&j->bad), 0);
    free(j);
    ox_pool_destroy(p);
}
END_TEST

START_TEST(create_and_destroy)
{
    for (int i = 0; i < 200; i++) {
        ox_pool *p = ox_pool_create(1 + i % 5);
        int64_t sum[3] = { 0 };
        if (i % 2)
            ox_pool_run(p, 3, add_one, sum);
        ox_pool_destroy(p);
        ck_assert_int_eq(sum[2], i % 2);
    }
}
END_TEST

/* Seconds of CPU time that the process spends while this thread sleeps. */
static double spent_in(long ns)
{
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    pause_ns(ns);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    return (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
}

/* An idle pool costs no CPU time: its workers sleep, even if a run is in progress that has no job for them. */
START_TEST(idle_workers_sleep)
{
    ox_pool *p = ox_pool_create(2);
    int64_t sum[8] = { 0 };
    if (_i)
        ox_pool_begin(p);
    ox_pool_run(p, 8, add_one, sum);
    pause_ns(20000000);
    ck_assert_double_lt(spent_in(200000000), 0.02); /* spinning would use 0.2 s or more */
    if (_i)
        ox_pool_end(p);
    ox_pool_destroy(p);
}
END_TEST

/* How often of 100 times the worker spins for most of the half millisecond behind a job. */
static int often_awake(ox_pool *p, bool during_run)
{
    int awake = 0;
    int64_t sum[8] = { 0 };
    for (int i = 0; i < 100; i++) {
        ox_pool_begin(p);
        ox_pool_run(p, 8, add_one, sum);
        if (!during_run)
            ox_pool_end(p);
        awake += spent_in(500000) > 0.0003;
        if (during_run)
            ox_pool_end(p);
    }
    return awake;
}
/* Counts the blocks that have a CPU for themselves for half a millisecond, though they offer it to others. */
static void keep_cpu(void *ctx, int64_t block, int worker)
{
    int64_t start = ox_clock_ns(), before = start, now = start, away = 0;
    (void)block, (void)worker;
    for (; now - start < 500000; before = now) {
        sched_yield();
        now = ox_clock_ns();
        away = OX_MAX(away, now - before);
    }
    if (away < 20000)
        atomic_fetch_add((_Atomic int *)ctx, 1);
}
START_TEST(workers_stay_awake_during_a_run)
{
    ox_pool *p = ox_pool_create(2);
    _Atomic int undisturbed = 0;
    int awake = 0;
    for (int tries = 0; tries < 10 && awake == 0; tries++) /* others' work comes and goes */
        awake = often_awake(p, true);
    for (int i = 0; i < 100; i++)
        ox_pool_run(p, 2, keep_cpu, &undisturbed);
    if (undisturbed > 150) /* else the machine is busy, and workers give way */
        ck_assert_int_gt(awake, 0);
    ck_assert_int_lt(often_awake(p, false), 50);
    ox_pool_begin(NULL);
    ox_pool_end(NULL);
    ox_pool_destroy(p);
}
END_TEST

/* Where no thread may be started, the pool is smaller and the results are the same. */
START_TEST(fewer_threads_than_asked)
{
    struct rlimit address_space = { 0, 0 };
    getrlimit(RLIMIT_AS, &address_space);
    const rlim_t few = (rlim_t)400 << 20; /* room for some stacks of 1,000 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return; /* sanitizers map terabytes */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return;
#endif
#endif
    address_space.rlim_cur = few;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &address_space), 0);
    void *volatile probe = malloc((size_t)few * 2);
    free(probe);
    if (probe) /* an emulator that does not enforce the limit */
        return;
    ox_pool *p = ox_pool_create(1000);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_lt(ox_pool_threads(p), 1000);
    ck_assert_int_ge(ox_pool_threads(p), 1);
    int64_t sum[100] = { 0 };
    ox_pool_run(p, 100, add_one, sum);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(sum[i], 1);
    ox_pool_destroy(p);
}
END_TEST

Suite *suite_pool(void);
Suite *suite_pool(void)
{
    Suite *s = suite_create("pool");
    TCase *t = tcase_create("pool");
    int n = (int)OX_COUNT(thread_counts);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, every_block_once, 0, n);
    tcase_add_test(t, null_pool);
    tcase_add_loop_test(t, sleeping_workers_wake, 0, n);
    tcase_add_loop_test(t, short_jobs, 0, n);
    tcase_add_loop_test(t, all_threads_take_part, 0, n);
    tcase_add_loop_test(t, nested_runs, 0, n);
    tcase_add_test(t, single_block_passes_threads_on);
    tcase_add_loop_test(t, several_clients, 0, n);
    tcase_add_test(t, create_and_destroy);
    tcase_add_loop_test(t, idle_workers_sleep, 0, 2);
    tcase_add_test(t, workers_stay_awake_during_a_run);
    tcase_add_test(t, fewer_threads_than_asked);
    suite_add_tcase(s, t);
    return s;
}
