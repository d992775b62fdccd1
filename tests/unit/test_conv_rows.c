/* Convolutions over rows of a few pixels that no kernel position crosses are taken as longer rows
 * (kernels/conv/op_conv.c): they give what the definition gives. */
#include "tests/unit/build.h"

typedef struct shape {
    int64_t n, c, m, h, w, k, step, dil, pad, group;
    bool    last_stride; /* the stride of the rows themselves, of one pixel */
} shape;

static const shape shapes[] = {
    { 2, 6, 5, 40, 1, 5, 1, 1, 2, 1, false }, { 1, 3, 8, 33, 1, 4, 2, 1, 1, 1, true },  { 1, 8, 8, 21, 1, 3, 1, 2, 0, 8, false },
    { 1, 4, 6, 17, 3, 5, 1, 2, 4, 2, false }, { 1, 2, 3, 19, 7, 3, 2, 1, 1, 1, false }, { 1, 3, 9, 20, 16, 3, 1, 1, 1, 1, false },
};

static double at(const shape *s, const float *w, int64_t n, int64_t o, int64_t y, int64_t x)
{
    int64_t c_group = s->c / s->group, first = o / (s->m / s->group) * c_group;
    double sum = 0;
    for (int64_t c = 0; c < c_group; c++)
        for (int64_t k = 0; k < s->k; k++) {
            int64_t row = y * s->step + k * s->dil - s->pad;
            if (row >= 0 && row < s->h)
                sum += (double)w[(o * c_group + c) * s->k + k] *
                       (double)wave((int)(((n * s->c + first + c) * s->h + row) * s->w + x));
        }
    return sum;
}

static void check(const shape *s)
{
    enum { SIZE = 1 << 14 };
    static float y[SIZE];
    start();
    int in[2] = { input("x", 4, (int64_t[]){ s->n, s->c, s->h, s->w }),
                  constant(0, 4, (int64_t[]){ s->m, s->c / s->group, s->k, 1 }) };
    ox_node *n = node("Conv", 17, 2, in);
    ints(n, "pads", 4, (int64_t[]){ s->pad, 0, s->pad, 0 });
    ints(n, "strides", 2, (int64_t[]){ s->step, s->last_stride ? 2 : 1 });
    ints(n, "dilations", 2, (int64_t[]){ s->dil, 1 });
    attribute(n, "group", OX_ATTR_INT)->i = s->group;
    output(n->out[0]);
    size_t count = run_model(&(ox_options){ .threads = 2, .optimize = 2 }, y, SIZE, NULL);
    const float *w = g->value[in[1]].constant->data;
    int64_t rows = (s->h + 2 * s->pad - s->dil * (s->k - 1) - 1) / s->step + 1, i = 0;
    ck_assert_uint_eq(count, (size_t)(s->n * s->m * rows * s->w));
    for (int64_t image = 0; image < s->n; image++)
        for (int64_t o = 0; o < s->m; o++)
            for (int64_t r = 0; r < rows; r++)
                for (int64_t x = 0; x < s->w; x++, i++)
                    ck_assert_double_le(fabs((double)y[i] - at(s, w, image, o, r, x)), 1e-4);
    ox_model_destroy(m);
}

START_TEST(by_definition)
{
    for (size_t i = 0; i < OX_COUNT(shapes); i++)
        check(&shapes[i]);
}
END_TEST

Suite *suite_conv_rows(void);
Suite *suite_conv_rows(void)
{
    Suite *s = suite_create("conv_rows");
    TCase *c = tcase_create("conv_rows");
    tcase_add_test(c, by_definition);
    suite_add_tcase(s, c);
    return s;
}
