/* FMA, READ: names; N_ACC accumulators, enough to hide the latency of every multiply-add unit. */
void FMA(size_t n, float a, float b, float *to)
{
    vf acc[N_ACC], va = vf_set1(a), vb = vf_set1(b);
    OX_UNROLL for (int i = 0; i < N_ACC; i++)
        acc[i] = vf_load(to + i * VF_N);
    for (size_t k = 0; k < n; k++)
        OX_UNROLL for (int i = 0; i < N_ACC; i++)
            acc[i] = vf_fma(acc[i], va, vb);
    OX_UNROLL for (int i = 0; i < N_ACC; i++)
        vf_store(to + i * VF_N, acc[i]);
}

float READ(size_t n, const float *x)
{
    enum { N = 64 / VF_N };
    vf acc[N];
    float lanes[VF_N], sum = 0;
    OX_UNROLL for (int i = 0; i < N; i++)
        acc[i] = vf_zero();
    for (size_t k = 0; k < n; k += 64)
        OX_UNROLL for (int i = 0; i < N; i++)
            acc[i] = vf_add(acc[i], vf_load(x + k + i * VF_N));
    for (int i = 1; i < N; i++)
        acc[0] = vf_add(acc[0], acc[i]);
    vf_store(lanes, acc[0]);
    for (int i = 0; i < VF_N; i++)
        sum += lanes[i];
    return sum;
}
