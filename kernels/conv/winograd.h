/* The matrices of Winograd's convolutions F(4x4,3x3) and F(2x2,3x3): with d a tile of the input and
 * g the 3x3 kernel, Y = A^T [(G g G^T) .* (B^T d B)] A.
 *
 * F(4x4) uses the points 0, 1, -1, 1/2, -2 and infinity: smaller powers than the usual 0, +-1, +-2,
 * hence half the error; all entries of B and A are dyadic, so only G's are rounded. */
#ifndef OX_CONV_WINOGRAD_H
#define OX_CONV_WINOGRAD_H

/* rows: points; columns: powers, lowest first */
static const double ox_wino4_bt[6][6] = {
    { 1, -1.5, -2, 1.5, 1, 0 },  { 0, -1, 0.5, 2.5, 1, 0 },  { 0, 1, -2.5, 0.5, 1, 0 },
    { 0, -2, -1, 2, 1, 0 },      { 0, 0.5, -1, -0.5, 1, 0 }, { 0, 1, -1.5, -2, 1.5, 1 },
};
static const double ox_wino4_at[4][6] = {
    { 1, 1, 1, 1, 1, 0 },
    { 0, 1, -1, 0.5, -2, 0 },
    { 0, 1, 1, 0.25, 4, 0 },
    { 0, 1, -1, 0.125, -8, 1 },
};
static const double ox_wino4_g[6][3] = {
    { 1, 0, 0 },
    { 1.0 / 3, 1.0 / 3, 1.0 / 3 },
    { -1.0 / 3, 1.0 / 3, -1.0 / 3 },
    { -16.0 / 15, -8.0 / 15, -4.0 / 15 },
    { 1.0 / 15, -2.0 / 15, 4.0 / 15 },
    { 0, 0, 1 },
};

static const double ox_wino2_bt[4][4] = {
    { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, -1, 0, 1 },
};
static const double ox_wino2_at[2][4] = { { 1, 1, 1, 0 }, { 0, 1, -1, 1 } };
static const double ox_wino2_g[4][3] = {
    { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 },
};

#endif
