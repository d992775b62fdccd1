/* The vector micro-kernels, once per level and type.  The includer defines
 *   T, VT, V(op), VN        element, vector, its operations (vec.h), its lanes
 *   MR, NV                  the largest tile: MR rows of NV vectors
 *   EACH_TILE(X)            X(rows, vectors) for every tile size up to that
 *   EXACT                   the type of a mask, where masked loads are free (else not defined)
 *   NAME(stem)              the public name of a kernel; FN(stem) a private one
 * and this file undefines them.  A tile size is a constant of its instance, so that the
 * accumulators of `FN(body)` live in registers; the generic rest (partial tiles, unusual epilogues)
 * goes through a buffer in `FN(finish)`. */

/* c = act(alpha * acc + beta * d + bias + e), acc being m x n values in rows of NV * VN. */
static void __attribute__((noinline)) FN(finish)(const ox_tile *t, const T *acc, const T *d, size_t ldd)
{
    const VT alpha = V(set1)((T)t->alpha), beta = V(set1)((T)t->beta), slope = V(set1)((T)t->slope);
    const VT lo = V(set1)((T)t->lo), hi = V(set1)((T)t->hi);
    for (size_t i = 0; i < t->m; i++) {
        for (size_t j = 0; j < t->n; j += VN) {
            size_t n = t->n - j < VN ? t->n - j : VN;
            VT add = t->bias_row ? V(set1)(((const T *)t->bias_row)[i]) : V(zero)();
            if (t->bias_col)
                add = V(add)(add, V(load_n)((const T *)t->bias_col + j, n));
            add = V(fma)(beta, V(load_n)(d + i * ldd + j, n), add);
            VT v = V(fma)(alpha, V(load)(acc + i * NV * VN + j), add);
            if (t->e)
                v = V(add)(v, V(load_n)((const T *)t->e + i * t->lde + j, n));
            if (t->slope != 1)
                v = V(leak)(v, slope);
            V(store_n)((T *)t->c + i * t->ldc + j, V(min)(hi, V(max)(lo, v)), n);
        }
    }
}

/* Vector v of a row; the last may be partial, of `last` lanes or under that mask.  B is readable to whole
 * vectors where masked loads are not for free. */
#ifdef EXACT
#define LOAD_B(p, v)   ((v) + 1 < nv ? V(load)(p) : V(load_m)(p, last))
#define LOAD(p, v)     LOAD_B(p, v)
#define STORE(p, x, v) ((v) + 1 < nv ? V(store)(p, x) : V(store_m)(p, x, last))
#else
#define LOAD_B(p, v)   V(load)(p)
#define LOAD(p, v)     ((v) + 1 < nv || last == VN ? V(load)(p) : V(load_n)(p, last))
#define STORE(p, x, v)                                                                             \
    ((v) + 1 < nv || last == VN ? V(store)(p, x) : V(store_n)(p, x, last))
#endif

/* The usual end of a tile, straight from the registers: alpha = beta = slope = 1, ... */
OX_INLINE bool FN(usual)(const ox_tile *t)
{
    return t->alpha == 1 && t->beta == 1 && t->slope == 1;
}
/* ... and the plainest, of all K blocks but the last. */
OX_INLINE bool FN(plain)(const ox_tile *t)
{
    return FN(usual)(t) && !t->bias_row && !t->bias_col && !t->e && t->lo == -__builtin_inf() && t->hi == __builtin_inf();
}

OX_INLINE void FN(body)(const ox_tile *t, const int mr, const int nv, const bool gather)
{
    static const T none[OX_MAX(MR, NV * VN)] = { 0 };
    const size_t rs = gather ? 1 : t->rs_a, ldc = t->ldc, k = t->k;
    const size_t cs = t->cs_a * sizeof(T), ldb = t->ldb * sizeof(T); /* bytes */
    const T *a[(MR + 2) / 3]; /* every third row: the two between are one index register away */
    const T *b = t->b, *d = t->d ? t->d : none;
    T *c = t->c;
    size_t ldd = t->d ? t->ldd : 0, p = 0;
    const char *ahead = t->ahead ? t->ahead : t->a;
    const size_t ahead_step = t->ahead ? t->ahead_step : 0;
    VT acc[MR][NV];
#ifdef EXACT
    const EXACT last = V(mask)(t->n - (size_t)(nv - 1) * VN);
#else
    const size_t last = t->n - (size_t)(nv - 1) * VN;
#endif

    OX_UNROLL for (int i = 0; i < mr; i += 3)
        a[i / 3] = (const T *)t->a + (size_t)i * rs;
    for (;;) {
        size_t end = t->run && t->run < k - p ? p + t->run : k;
        OX_UNROLL for (int i = 0; i < mr; i++)
            OX_UNROLL for (int v = 0; v < nv; v++)
                acc[i][v] = V(zero)();
        for (; p < end; p++) {
            const T *bp = gather ? b + t->off[p] : b;
            VT bv[NV];
            __builtin_prefetch(ahead, 0, 3);
            if (mr <= 7 && nv * VN * sizeof(T) > 64) /* few tiles a panel: its rows are two cache lines */
                __builtin_prefetch(ahead + 64, 0, 3);
            ahead += ahead_step;
            OX_UNROLL for (int v = 0; v < nv; v++)
                bv[v] = LOAD_B(bp + v * VN, v);
            OX_UNROLL for (int i = 0; i < mr; i++) {
                VT ai = V(set1)(a[i / 3][(size_t)(i % 3) * rs]);
                OX_UNROLL for (int v = 0; v < nv; v++)
                    acc[i][v] = V(fma)(ai, bv[v], acc[i][v]);
            }
            OX_UNROLL for (int i = 0; i < mr; i += 3)
                a[i / 3] = (const T *)((const char *)a[i / 3] + cs);
            b = (const T *)((const char *)b + (gather ? 0 : ldb));
        }
        if (p == k && !FN(plain)(t))
            break;
        OX_UNROLL for (int i = 0; i < mr; i++) {
            T *ci = c + (size_t)i * ldc;
            const T *di = d + (size_t)i * ldd;
            OX_UNROLL for (int v = 0; v < nv; v++)
                STORE(ci + v * VN, V(add)(acc[i][v], LOAD(di + v * VN, v)), v);
        }
        if (p == k)
            return;
        d = c;
        ldd = ldc;
    }
    if (!FN(usual)(t)) {
        T tmp[MR * NV * VN];
        OX_UNROLL for (int i = 0; i < mr; i++)
            OX_UNROLL for (int v = 0; v < nv; v++)
                V(store)(tmp + (i * NV + v) * VN, acc[i][v]);
        FN(finish)(t, tmp, d, ldd);
        return;
    }
    const VT lo = V(set1)((T)t->lo), hi = V(set1)((T)t->hi);
    const T *bias = t->bias_row ? t->bias_row : none, *columns = t->bias_col ? t->bias_col : none;
    VT col[NV];
    OX_UNROLL for (int v = 0; v < nv; v++)
        col[v] = LOAD(columns + v * VN, v);
    OX_UNROLL for (int i = 0; i < mr; i++, c += ldc, d += ldd) {
        VT add = V(set1)(bias[i]);
        OX_UNROLL for (int v = 0; v < nv; v++) {
            VT w = V(add)(acc[i][v], V(add)(V(add)(add, col[v]), LOAD(d + v * VN, v)));
            if (t->e)
                w = V(add)(w, LOAD((const T *)t->e + (size_t)i * t->lde + v * VN, v));
            STORE(c + v * VN, V(min)(hi, V(max)(lo, w)), v);
        }
    }
}

#define INSTANCE(mr, nv)                                                                           \
    static void FN(gemm_##mr##_##nv)(const ox_tile *t) { FN(body)(t, mr, nv, false); }             \
    static void FN(gather_##mr##_##nv)(const ox_tile *t) { FN(body)(t, mr, nv, true); }
EACH_TILE(INSTANCE)
#undef INSTANCE

#define INSTANCE(mr, nv) [mr - 1][nv - 1] = FN(gemm_##mr##_##nv),
static ox_tile_fn *const FN(gemms)[MR][NV] = { EACH_TILE(INSTANCE) };
#undef INSTANCE
#define INSTANCE(mr, nv) [mr - 1][nv - 1] = FN(gather_##mr##_##nv),
static ox_tile_fn *const FN(gathers)[MR][NV] = { EACH_TILE(INSTANCE) };
#undef INSTANCE

void GEMM(const ox_tile *t) { FN(gemms)[t->m - 1][(t->n - 1) / VN](t); }
void GATHER(const ox_tile *t) { FN(gathers)[t->m - 1][(t->n - 1) / VN](t); }

/* ---- matrix times vector: bound by memory, so what counts is few, long streams ---- */

#define GROUP 8
enum { FN(wide) = 8 }; /* vectors of one strip of y */
enum { FN(ahead) = 6144 / sizeof(T) }; /* elements that are fetched ahead, and at least four rows of B */

/* nv vectors of y, the last of n_last elements: side by side, since each sum waits for its own last step */
OX_INLINE void FN(strip)(const ox_tile *t, size_t j, const int nv, size_t n_last)
{
    const size_t nr = NV * VN;
    const T *a = t->a, *b[FN(wide)];
    VT acc[FN(wide)];

    OX_UNROLL for (int v = 0; v < nv; v++) {
        size_t col = j + (size_t)v * VN;
        b[v] = (const T *)t->b + col / nr * t->ldd + col % nr;
        acc[v] = V(zero)();
    }
    const size_t ahead = OX_MAX(4, FN(ahead) / (t->ldb + 1)) * t->ldb;
    for (size_t p = 0; p < t->k; p++) {
        VT ap = V(set1)(a[p * t->cs_a]);
        OX_UNROLL for (int v = 0; v < nv; v++) {
            __builtin_prefetch(b[v] + ahead, 0, 3);
            VT bv = v + 1 < nv || n_last == VN ? V(load)(b[v]) : V(load_n)(b[v], n_last);
            acc[v] = V(fma)(ap, bv, acc[v]);
            b[v] += t->ldb;
        }
    }
    OX_UNROLL for (int v = 0; v < nv; v++) {
        T *c = (T *)t->c + j + (size_t)v * VN;
        size_t n = v + 1 < nv ? VN : n_last;
        V(store_n)(c, t->beta != 0 ? V(add)(acc[v], V(load_n)(c, n)) : acc[v], n);
    }
}

/* Rows of B that lie far apart, GROUP at a time from one end to the other; sums wait in c.  The order of
 * a column's sum is the strips'. */
OX_INLINE void FN(rows)(const ox_tile *t, size_t p, const int n_rows)
{
    const T *b = (const T *)t->b + p * t->ldb;
    T *c = t->c;
    bool first = p == 0 && t->beta == 0;
    VT a[GROUP];
    OX_UNROLL for (int r = 0; r < n_rows; r++)
        a[r] = V(set1)(((const T *)t->a)[(p + (size_t)r) * t->cs_a]);
    for (size_t j = 0; j < t->n; j += VN) {
        size_t n = t->n - j < VN ? t->n - j : VN;
        VT sum = first ? V(zero)() : V(load_n)(c + j, n);
        OX_UNROLL for (int r = 0; r < n_rows; r++) {
            const T *br = b + (size_t)r * t->ldb + j;
            __builtin_prefetch(br + GROUP * t->ldb, 0, 3);
            sum = V(fma)(a[r], n == VN ? V(load)(br) : V(load_n)(br, n), sum);
        }
        V(store_n)(c + j, sum, n);
    }
}

void NAME(gemv_n)(const ox_tile *t)
{
    size_t j = 0, p = 0;
    if (t->ldd == NV * VN && t->n > FN(wide) * VN && t->k > 0) { /* no rows: the strips write the zeros */
        for (; p + GROUP <= t->k; p += GROUP)
            FN(rows)(t, p, GROUP);
        for (; p < t->k; p++)
            FN(rows)(t, p, 1);
        return;
    }
    for (; j + FN(wide) * VN <= t->n; j += FN(wide) * VN)
        FN(strip)(t, j, FN(wide), VN);
    size_t rest = (t->n - j + VN - 1) / VN;
    switch (rest) {
#define STRIP(nv)                                                                                  \
    case nv:                                                                                       \
        FN(strip)(t, j, nv, t->n - j - (nv - 1) * VN);                                             \
        break;
        STRIP(1) STRIP(2) STRIP(3) STRIP(4) STRIP(5) STRIP(6) STRIP(7) STRIP(8)
#undef STRIP
    }
}

/* rows rows at a time; a row's sum is formed the same way whatever rows is */
OX_INLINE void FN(dots)(const ox_tile *t, size_t i, const int rows)
{
    const T *a = (const T *)t->a + i * t->rs_a, *b = t->b;
    VT acc[4][2];
    size_t p = 0;

    OX_UNROLL for (int r = 0; r < rows; r++)
        acc[r][0] = acc[r][1] = V(zero)();
    for (; p + 2 * VN <= t->k; p += 2 * VN) {
        VT b0 = V(load)(b + p), b1 = V(load)(b + p + VN);
        OX_UNROLL for (int r = 0; r < rows; r++) {
            const T *ar = a + (size_t)r * t->rs_a + p;
            acc[r][0] = V(fma)(V(load)(ar), b0, acc[r][0]);
            acc[r][1] = V(fma)(V(load)(ar + VN), b1, acc[r][1]);
        }
    }
    for (; p < t->k; p += VN) {
        size_t n = t->k - p < VN ? t->k - p : VN;
        VT b0 = V(load_n)(b + p, n);
        OX_UNROLL for (int r = 0; r < rows; r++)
            acc[r][0] = V(fma)(V(load_n)(a + (size_t)r * t->rs_a + p, n), b0, acc[r][0]);
    }
    OX_UNROLL for (int r = 0; r < rows; r++) {
        T lane[VN];
        V(store)(lane, V(add)(acc[r][0], acc[r][1]));
        for (int w = VN / 2; w > 0; w /= 2)
            for (int l = 0; l < w; l++)
                lane[l] += lane[l + w];
        T *c = (T *)t->c + i + r;
        *c = t->beta != 0 ? *c + lane[0] : lane[0];
    }
}

void NAME(gemv_t)(const ox_tile *t)
{
    size_t i = 0;
    for (; i + 4 <= t->m; i += 4)
        FN(dots)(t, i, 4);
    for (; i < t->m; i++)
        FN(dots)(t, i, 1);
}

/* Transposition in register-sized squares. */
void NAME(pack_t)(const ox_tile *t)
{
    const T *b = t->b;
    T *c = t->c;
    for (size_t j = 0; j < t->ldc; j += VN) {
        size_t n_j = t->n <= j ? 0 : t->n - j < VN ? t->n - j : VN;
        size_t w = t->ldc - j < VN ? t->ldc - j : VN;
        for (size_t p = 0; p < t->k; p += VN) {
            size_t n_p = t->k - p < VN ? t->k - p : VN;
            VT r[VN];
            OX_UNROLL for (int l = 0; l < VN; l++)
                r[l] = (size_t)l >= n_j ? V(zero)()
                       : n_p == VN      ? V(load)(b + (j + (size_t)l) * t->ldb + p)
                                        : V(load_n)(b + (j + (size_t)l) * t->ldb + p, n_p);
            V(transpose)(r);
            if (n_p == VN && w == VN) {
                OX_UNROLL for (int l = 0; l < VN; l++)
                    V(store)(c + (p + (size_t)l) * t->ldc + j, r[l]);
            } else {
                T tmp[VN * VN];
                OX_UNROLL for (int l = 0; l < VN; l++)
                    V(store)(tmp + l * VN, r[l]);
                for (size_t l = 0; l < n_p; l++)
                    V(store_n)(c + (p + l) * t->ldc + j, V(load)(tmp + l * VN), w);
            }
        }
    }
}

#undef T
#undef VT
#undef V
#undef VN
#undef MR
#undef NV
#undef GROUP
#undef EACH_TILE
#undef EXACT
#undef LOAD_B
#undef LOAD
#undef STORE
#undef NAME
#undef FN
#undef GEMM
#undef GATHER
