/* kernels/move: transposes element by element, conversions against runtime/tensor/half.h. */
#include "kernels/move/move.h"
#include "runtime/tensor/half.h"
#include "tests/kerncheck/floats.h"
#include "tests/kerncheck/rows.h"

static size_t element_size(const char *member)
{
    return strstr(member, "16") ? 2 : strstr(member, "32") ? 4 : strstr(member, "64") ? 8 : 1;
}

static void transpose(kc *k, ox_uk_transpose *fn, size_t e, size_t rows, size_t cols)
{
    size_t ld_x = cols + kc_below(k, 3), ld_y = rows + kc_below(k, 3);
    size_t n_x = (rows - 1) * ld_x + cols, n_y = (cols - 1) * ld_y + rows;
    unsigned char *x = kc_alloc(k, n_x * e, e, kc_below(k, 2));
    unsigned char *y = kc_alloc(k, n_y * e, e, kc_below(k, 2));
    unsigned char *want = kc_alloc(k, n_y * e, e, false);
    for (size_t i = 0; i < n_x * e; i++)
        x[i] = (unsigned char)kc_random(k);
    memset(y, 0x5a, n_y * e);
    memset(want, 0x5a, n_y * e);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            memcpy(want + (j * ld_y + i) * e, x + (i * ld_x + j) * e, e);
    fn(rows, cols, x, ld_x, y, ld_y);
    if (memcmp(y, want, n_y * e) != 0)
        kc_fail(k, "%zu x %zu, ld %zu %zu", rows, cols, ld_x, ld_y);
    kc_release(k);
}
static void check_ox_uk_transpose(kc *k, kc_any_fn *fn, const char *member)
{
    size_t e = element_size(member);
    for (size_t i = 1; i < KC_N_LENGTHS - 2 && !kc_failed(k); i++)
        for (size_t j = 1; j < KC_N_LENGTHS - 2 && !kc_failed(k); j++)
            transpose(k, (ox_uk_transpose *)fn, e, kc_lengths[i], kc_lengths[j]);
}

/* member: "weave[3 - 2][1]" */
static void check_ox_uk_weave(kc *k, kc_any_fn *fn, const char *member)
{
    bool un = member[0] == 'u';
    const char *index = strchr(member, '[');
    size_t tuple = (size_t)(index[1] - '0'), e = (size_t)1 << (strchr(index + 1, '[')[1] - '0');
    for (size_t round = 0; round < 2; round++)
        for (size_t l = 0; l < KC_N_LENGTHS && !kc_failed(k); l++) {
            size_t n = kc_lengths[l], ld = n + kc_below(k, 3), n_planes = (tuple - 1) * ld + n;
            size_t n_x = un ? n * tuple : n_planes, n_y = un ? n_planes : n * tuple;
            unsigned char *x = kc_alloc(k, n_x * e, e, kc_below(k, 2));
            unsigned char *y = kc_alloc(k, n_y * e, e, kc_below(k, 2));
            unsigned char *want = kc_alloc(k, n_y * e, e, false);
            for (size_t i = 0; i < n_x * e; i++)
                x[i] = (unsigned char)kc_random(k);
            memset(y, 0x5a, n_y * e);
            memset(want, 0x5a, n_y * e);
            for (size_t i = 0; i < n; i++)
                for (size_t c = 0; c < tuple; c++) {
                    size_t plane = c * ld + i, woven = i * tuple + c;
                    memcpy(want + (un ? plane : woven) * e, x + (un ? woven : plane) * e, e);
                }
            ((ox_uk_weave *)fn)(n, x, y, ld);
            if (memcmp(y, want, n_y * e) != 0)
                kc_fail(k, "n %zu ld %zu", n, ld);
            kc_release(k);
        }
}

static void same(kc *k, float got, float want, unsigned from)
{
    if (isnan(want) ? !isnan(got) : memcmp(&got, &want, sizeof got) != 0)
        kc_fail(k, "%a where %a is right, from %#x", (double)got, (double)want, from);
}
static void check_ox_uk_widen(kc *k, kc_any_fn *fn, const char *member)
{
    bool bf16 = strstr(member, "bf16") != NULL;
    for (uint32_t at = 0, n; at < 65536 && !kc_failed(k); at += n) { /* all of them, in pieces */
        n = (uint32_t)kc_lengths[1 + kc_below(k, KC_N_LENGTHS - 1)];
        n = n < 65536 - at ? n : 65536 - at;
        uint16_t *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
        float *y = kc_alloc(k, n * sizeof *y, sizeof *y, kc_below(k, 2));
        for (uint32_t i = 0; i < n; i++)
            x[i] = (uint16_t)(at + i);
        ((ox_uk_widen *)fn)(n, x, y);
        for (uint32_t i = 0; i < n; i++)
            same(k, y[i], bf16 ? ox_bf16_to_f32((ox_bf16){ x[i] }) : ox_f16_to_f32((ox_f16){ x[i] }),
                 x[i]);
        kc_release(k);
    }
}

/* One block of arguments: its results against the scalar conversion's. */
static void narrow(kc *k, ox_uk_narrow *fn, bool bf16, size_t n, const uint32_t *bits)
{
    float *x = kc_alloc(k, n * sizeof *x, sizeof *x, kc_below(k, 2));
    uint16_t *y = kc_alloc(k, n * sizeof *y, sizeof *y, kc_below(k, 2));
    memcpy(x, bits, n * sizeof *x);
    fn(n, x, y);
    for (size_t i = 0; i < n; i++) {
        uint16_t want = bf16 ? ox_f32_to_bf16(x[i]).bits : ox_f32_to_f16(x[i]).bits;
        unsigned infinity = bf16 ? 0x7f80 : 0x7c00;
        if (isnan(x[i]) ? (y[i] & 0x7fffu) <= infinity : y[i] != want)
            kc_fail(k, "%#x where %#x is right, from %a", y[i], want, (double)x[i]);
    }
    kc_release(k);
}
static void check_ox_uk_narrow(kc *k, kc_any_fn *fn, const char *member)
{
    bool bf16 = strstr(member, "bf16") != NULL;
    enum { N = 1021 };
    static uint32_t bits[N];
    for (uint64_t at = 0; at >> 32 == 0 && !kc_failed(k);) { /* all over the floats */
        for (size_t i = 0; i < N; i++, at += 4093)
            bits[i] = (uint32_t)at;
        narrow(k, (ox_uk_narrow *)fn, bf16, kc_lengths[kc_below(k, KC_N_LENGTHS)], bits);
        narrow(k, (ox_uk_narrow *)fn, bf16, N, bits);
    }
    for (uint32_t h = 0; h < 65536 && !kc_failed(k); h += 200) { /* around each midpoint */
        size_t n = 0;
        for (uint32_t i = h; i < h + 200 && i < 65535; i++) {
            float low = bf16 ? ox_bf16_to_f32((ox_bf16){ (uint16_t)i })
                             : ox_f16_to_f32((ox_f16){ (uint16_t)i });
            float high = bf16 ? ox_bf16_to_f32((ox_bf16){ (uint16_t)(i + 1) })
                              : ox_f16_to_f32((ox_f16){ (uint16_t)(i + 1) });
            float middle = (float)(0.5 * ((double)low + high));
            uint32_t u;
            memcpy(&u, &middle, sizeof u);
            for (uint32_t d = 0; d < 5; d++)
                bits[n++] = u + d - 2;
        }
        narrow(k, (ox_uk_narrow *)fn, bf16, n, bits);
    }
}

static const kc_member members[] = {
#define UK(type, member, fn, isa) KC_MEMBER(type, member, fn, isa)
#include "kernels/move/ukernels.def"
};
static size_t n_rows(void) { return sizeof members / sizeof *members; }
static kc_row row(size_t i) { return (kc_row){ members[i].name, members[i].isa }; }
static void check(kc *k, size_t i) { members[i].check(k, members[i].fn, members[i].member); }

/* ---- bench ---- */

typedef struct call {
    const kc_member *m;
    size_t           rows, cols; /* rows 0: a conversion or weaving of cols elements */
    void            *x, *y;
} call;
static void run(void *ctx)
{
    const call *c = ctx;
    if (c->rows)
        ((ox_uk_transpose *)c->m->fn)(c->rows, c->cols, c->x, c->cols, c->y, c->rows);
    else if (strstr(c->m->member, "weave"))
        ((ox_uk_weave *)c->m->fn)(c->cols, c->x, c->y, c->cols);
    else if (strstr(c->m->member, "to_f32"))
        ((ox_uk_widen *)c->m->fn)(c->cols, c->x, c->y);
    else
        ((ox_uk_narrow *)c->m->fn)(c->cols, c->x, c->y);
}
static void bench_one(kc *k, const char *member, size_t rows, size_t cols)
{
    call calls[8];
    size_t used = 0, n = (rows ? rows : 1) * cols;
    float *x = kc_alloc(k, n * 32, 8, false), *y = kc_alloc(k, n * 32, 8, false);
    kc_fill_f32(k, x, n, KC_NORMAL);
    if (kc_problem(k, (double)n, "move/%s/%zux%zu", member, rows ? rows : 1, cols)) {
        for (size_t i = 0; i < n_rows() && used < 8; i++) {
            if (strcmp(members[i].member, member) != 0 || (members[i].isa & ~ox_cpu()) != 0)
                continue;
            bool last = true;
            for (size_t j = i + 1; j < n_rows(); j++)
                last &= strcmp(members[j].member, member) != 0 || (members[j].isa & ~ox_cpu()) != 0;
            calls[used] = (call){ &members[i], rows, cols, x, y };
            kc_candidate(k, members[i].name, last, run, &calls[used++]);
        }
        kc_race(k);
    }
    kc_release(k);
}
static void bench(kc *k)
{
    static const char *const transposes[] = { "transpose8", "transpose16", "transpose32",
                                              "transpose64" };
    static const char *const conversions[] = { "f16_to_f32", "bf16_to_f32", "f32_to_f16",
                                               "f32_to_bf16" };
    static const char *const weaves[] = { "weave[3 - 2][2]", "unweave[3 - 2][2]",
                                          "unweave[3 - 2][0]", "unweave[4 - 2][2]" };
    for (size_t i = 0; i < 4; i++) {
        bench_one(k, transposes[i], 64, 64);
        bench_one(k, transposes[i], 64, 3136);
        bench_one(k, transposes[i], 128, 768);
        bench_one(k, conversions[i], 0, 16384);
        bench_one(k, weaves[i], 0, 50176);
    }
}

const kc_family kc_family_move = { "move", n_rows, row, check, bench };
