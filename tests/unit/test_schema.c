/* proto/schema: rows parse, lookups pick the right version, defaults come out exactly. */
#include "proto/schema.h"

#include <check.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

Suite *suite_schema(void);

enum { F32 = 1, U8 = 2, I32 = 6, I64 = 7, STR = 8, BOOL = 9, F16 = 10, F64 = 11, BF16 = 16 };
#define BIT(t) (UINT64_C(1) << (t))
#define FLOAT3 (BIT(F32) | BIT(F64) | BIT(F16))

static const ox_schema *find(const char *name, int opset)
{
    const ox_schema *s = ox_schema_find("", name, opset);
    ck_assert_ptr_nonnull(s);
    ck_assert_str_eq(s->name, name);
    ck_assert_str_eq(s->domain, "ai.onnx");
    ck_assert_int_le(s->since, opset);
    ck_assert_int_ge(s->until, opset);
    return s;
}

static const ox_schema_attr *attr(const ox_schema *s, const char *name)
{
    const ox_schema_attr *a = ox_schema_attr_find(s, name);
    ck_assert_msg(a != NULL, "%s-%d has no attribute %s", s->name, s->since, name);
    return a;
}

static void check_params(const ox_schema *s, const ox_schema_param *p, int n)
{
    for (int k = 0; k < n; k++) {
        ck_assert_uint_gt(strlen(p[k].name), 0);
        ck_assert_ptr_nonnull(p[k].types);
        ck_assert_int_lt(p[k].var, s->n_var);
        if (p[k].var >= 0)
            ck_assert_ptr_eq(p[k].types, s->var[p[k].var].types);
        ck_assert(!p[k].variadic || k == n - 1);
        ck_assert(!(p[k].variadic && p[k].optional));
    }
}

START_TEST(every_row_parses)
{
    const ox_schema *last = NULL;
    size_t n_removed = 0;
    for (size_t i = 0; i < ox_schema_count(); i++) {
        const ox_schema *s = ox_schema_at(i);
        ck_assert_ptr_nonnull(s);
        ck_assert_ptr_eq(s, ox_schema_at(i));
        ck_assert_int_ge(s->since, 1);
        ck_assert_int_ge(s->until, s->since);
        ck_assert_ptr_eq(s, ox_schema_find(s->domain, s->name, s->since));
        ck_assert_ptr_eq(s, ox_schema_find(s->domain, s->name, s->until));
        ck_assert_int_le(s->min_in, s->max_in);
        ck_assert_int_le(s->min_out, s->max_out);
        check_params(s, s->in, s->n_in);
        check_params(s, s->out, s->n_out);
        for (int k = 0; k < s->n_var; k++) {
            const ox_typeset *t = s->var[k].types;
            ck_assert(t->tensor || t->seq || t->opt || t->map_i64 || t->seq_map_i64);
        }
        for (int k = 0; k < s->n_attr; k++) {
            ck_assert_ptr_eq(attr(s, s->attr[k].name), &s->attr[k]);
            ck_assert(k == 0 || strcmp(s->attr[k - 1].name, s->attr[k].name) < 0);
            ck_assert(!(s->attr[k].required && s->attr[k].has_default));
            ck_assert_int_ne((int)s->attr[k].kind, OX_ATTR_UNDEFINED);
        }
        bool removed = s->flags & OX_SCHEMA_REMOVED;
        n_removed += removed;
        ck_assert_msg(removed || !n_removed, "removed operators come last");
        if (last && removed == (n_removed > 1)) {
            int order = strcmp(last->domain, s->domain);
            order = order ? order : strcmp(last->name, s->name);
            ck_assert_msg(order < 0 || (order == 0 && last->since < s->since), "%s-%d not sorted",
                          s->name, s->since);
        }
        last = s;
    }
    ck_assert_uint_ge(ox_schema_count(), 670);
    ck_assert_uint_ge(n_removed, 15);
    ck_assert_ptr_null(ox_schema_at(ox_schema_count()));
}
END_TEST

START_TEST(softmax)
{
    const ox_schema *s1 = find("Softmax", 10), *s11 = find("Softmax", 12);
    const ox_schema *s13 = find("Softmax", 21);
    ck_assert_int_eq(s1->since, 1);
    ck_assert_int_eq(s1->until, 10);
    ck_assert_int_eq(s11->since, 11);
    ck_assert_int_eq(s11->until, 12);
    ck_assert_int_eq(s13->since, 13);
    ck_assert_int_eq(s13->until, INT_MAX);
    ck_assert_int_eq(attr(s1, "axis")->i, 1);
    ck_assert_int_eq(attr(s11, "axis")->i, 1);
    ck_assert_int_eq(attr(s13, "axis")->i, -1);
    ck_assert_int_eq((int)attr(s13, "axis")->kind, OX_ATTR_INT);
    ck_assert_uint_eq(s11->var[0].types->tensor, FLOAT3);
    ck_assert_uint_eq(s13->var[0].types->tensor, FLOAT3 | BIT(BF16));
    ck_assert_str_eq(s13->var[0].name, "T");
    ck_assert_str_eq(s13->in[0].name, "input");
    ck_assert_int_eq(s13->out[0].var, 0);
    ck_assert_uint_eq(s13->flags, OX_SCHEMA_FUNCTION);
    ck_assert_int_eq(s13->min_in, 1);
    ck_assert_int_eq(s13->max_out, 1);
}
END_TEST

START_TEST(lookup)
{
    ck_assert_ptr_eq(ox_schema_find(NULL, "Conv", 11), ox_schema_find("ai.onnx", "Conv", 11));
    ck_assert_ptr_eq(ox_schema_find("", "Conv", 11), ox_schema_find("ai.onnx", "Conv", 21));
    ck_assert_ptr_null(ox_schema_find("", "Conv", 0));
    ck_assert_ptr_null(ox_schema_find("", "Con", 11));
    ck_assert_ptr_null(ox_schema_find("", "Convolution", 11));
    ck_assert_ptr_null(ox_schema_find("", "", 11));
    ck_assert_ptr_null(ox_schema_find("ai.onnx.ml", "Conv", 11));
    ck_assert_ptr_null(ox_schema_find("com.example", "Conv", 11));

    /* known, but not yet in opset 12 */
    ck_assert_ptr_null(ox_schema_find("", "Trilu", 12));
    ck_assert_int_eq(ox_schema_first("", "Trilu")->since, 14);
    ck_assert_ptr_null(ox_schema_first("", "Nonsense"));
    ck_assert_int_eq(ox_schema_first("", "Softmax")->since, 1);

    ck_assert_int_ge(ox_schema_newest_opset(""), 28);
    ck_assert_int_ge(ox_schema_newest_opset("ai.onnx.ml"), 5);
    ck_assert_int_eq(ox_schema_newest_opset("ai.onnx.preview.training"), 1);
    ck_assert_int_eq(ox_schema_newest_opset("com.example"), 0);
}
END_TEST

START_TEST(conv)
{
    const ox_schema *s = find("Conv", 11);
    ck_assert_int_eq(s->n_in, 3);
    ck_assert_int_eq(s->min_in, 2);
    ck_assert_int_eq(s->max_in, 3);
    ck_assert(!s->in[1].optional && s->in[2].optional);
    const ox_schema_attr *pad = attr(s, "auto_pad");
    ck_assert_int_eq((int)pad->kind, OX_ATTR_STRING);
    ck_assert_str_eq(pad->s, "NOTSET");
    ck_assert_uint_eq(pad->n, 6);
    ck_assert_int_eq(attr(s, "group")->i, 1);
    ck_assert_int_eq((int)attr(s, "pads")->kind, OX_ATTR_INTS);
    ck_assert(!attr(s, "pads")->has_default && !attr(s, "pads")->required);
    ck_assert_ptr_null(ox_schema_attr_find(s, "pad"));
}
END_TEST

START_TEST(attention)
{
    const ox_schema *s = find("Attention", 24);
    ck_assert_int_eq(s->min_in, 3);
    ck_assert_int_eq(s->max_in, 7);
    ck_assert_int_eq(s->min_out, 1);
    ck_assert_int_eq(s->max_out, 4);
    ck_assert_int_eq(attr(s, "is_causal")->i, 0);
    ck_assert(attr(s, "softcap")->has_default && attr(s, "softcap")->f == 0.0f);
    ck_assert(!attr(s, "scale")->has_default);
    ck_assert_str_eq(s->in[6].name, "nonpad_kv_seqlen");
    ck_assert_int_eq(s->in[6].var, -1);
    ck_assert_uint_eq(s->in[6].types->tensor, BIT(I64));
    ck_assert(s->in[3].types->tensor & BIT(BOOL));
    ck_assert_str_eq(s->var[s->in[2].var].name, "T2");
}
END_TEST

START_TEST(clip)
{
    const ox_schema *s6 = find("Clip", 6), *s13 = find("Clip", 13);
    ck_assert(attr(s6, "max")->f == FLT_MAX && attr(s6, "min")->f == -FLT_MAX);
    ck_assert_int_eq(s6->max_in, 1);
    ck_assert_int_eq(s13->n_attr, 0);
    ck_assert_int_eq(s13->min_in, 1);
    ck_assert_int_eq(s13->max_in, 3);
    ck_assert(s13->in[1].optional && s13->in[2].optional);
    ck_assert_str_eq(s13->in[1].name, "min");
}
END_TEST

START_TEST(constant)
{
    const ox_schema *s = find("Constant", 13);
    ck_assert_int_eq(s->n_in, 0);
    ck_assert_int_eq(s->max_in, 0);
    ck_assert_int_eq(s->n_attr, 8);
    ck_assert_int_eq((int)attr(s, "sparse_value")->kind, OX_ATTR_SPARSE_TENSOR);
    ck_assert_int_eq((int)attr(s, "value_strings")->kind, OX_ATTR_STRINGS);
    ck_assert(attr(find("Constant", 9), "value")->required);
}
END_TEST

START_TEST(variadic)
{
    const ox_schema *loop = find("Loop", 13), *concat = find("Concat", 13);
    ck_assert_int_eq(loop->min_in, 2);
    ck_assert_int_eq(loop->max_in, INT_MAX);
    ck_assert_int_eq(loop->min_out, 1);
    ck_assert(loop->in[2].variadic && !loop->in[2].homogeneous);
    ck_assert_int_eq(loop->in[2].min_arity, 0);
    ck_assert(attr(loop, "body")->required);
    ck_assert_int_eq((int)attr(loop, "body")->kind, OX_ATTR_GRAPH);
    ck_assert_ptr_eq(ox_schema_in(loop, 9), &loop->in[2]);
    ck_assert_ptr_eq(ox_schema_in(loop, 1), &loop->in[1]);
    ck_assert_ptr_null(ox_schema_in(loop, -1));
    ck_assert_ptr_null(ox_schema_in(find("Conv", 11), 3));
    ck_assert_ptr_null(ox_schema_out(concat, 1));
    ck_assert(concat->in[0].variadic && concat->in[0].homogeneous);
    ck_assert_int_eq(concat->min_in, 1);
    ck_assert(attr(concat, "axis")->required);
}
END_TEST

START_TEST(type_sets)
{
    const ox_typeset *v = find("Loop", 16)->var[0].types;
    ck_assert(v->tensor & BIT(BF16));
    ck_assert_uint_eq(v->tensor, v->seq);
    ck_assert_uint_eq(v->tensor, v->opt);
    ck_assert_uint_eq(v->tensor, v->opt_seq);
    ck_assert_uint_eq(v->map_i64 | v->map_str, 0);

    const ox_typeset *o = find("Optional", 15)->var[1].types;
    ck_assert_uint_eq(o->tensor | o->seq, 0);
    ck_assert(o->opt && o->opt_seq);

    const ox_typeset *zip = ox_schema_find("ai.onnx.ml", "ZipMap", 1)->var[0].types;
    ck_assert_uint_eq(zip->seq_map_i64, BIT(F32));
    ck_assert_uint_eq(zip->seq_map_str, BIT(F32));
    ck_assert_uint_eq(zip->seq | zip->map_i64 | zip->tensor, 0);

    const ox_typeset *dict = ox_schema_find("ai.onnx.ml", "DictVectorizer", 1)->var[0].types;
    ck_assert_uint_eq(dict->map_str, BIT(I64) | BIT(F32) | BIT(F64));
    ck_assert_uint_eq(dict->map_i64, BIT(STR) | BIT(F32) | BIT(F64));
}
END_TEST

START_TEST(lists_and_floats)
{
    const ox_schema_attr *a = attr(find("RNN", 14), "activations");
    ck_assert_int_eq((int)a->kind, OX_ATTR_STRINGS);
    ck_assert_uint_eq(a->n, 2);
    ck_assert_str_eq(a->strings[0], "Tanh");
    ck_assert_str_eq(a->strings[1], "Tanh");
    ck_assert(attr(find("Selu", 6), "alpha")->f == 1.67326319217681884765625f);
    ck_assert(attr(find("InstanceNormalization", 6), "epsilon")->f == 1e-5f);
    ck_assert(attr(find("LeakyRelu", 16), "alpha")->f == 0.01f);
    const ox_schema *label = ox_schema_find("ai.onnx.ml", "LabelEncoder", 4);
    ck_assert(attr(label, "default_float")->f == 0.0f && signbit(attr(label, "default_float")->f));
    ck_assert_int_eq(attr(label, "default_int64")->i, -1);
    ck_assert_str_eq(attr(label, "default_string")->s, "_Unused");
}
END_TEST

START_TEST(tree_ensemble)
{
    const ox_schema *s = ox_schema_find("ai.onnx.ml", "TreeEnsemble", 5);
    ck_assert_ptr_nonnull(s);
    ck_assert_uint_eq(s->var[0].types->tensor, FLOAT3);
    ck_assert(attr(s, "nodes_splits")->required);
    ck_assert_int_eq((int)attr(s, "nodes_splits")->kind, OX_ATTR_TENSOR);
    ck_assert_int_eq(attr(s, "aggregate_function")->i, 1);
    ck_assert_ptr_null(ox_schema_find("ai.onnx.ml", "TreeEnsemble", 4));
    ck_assert(ox_schema_find("ai.onnx.ml", "TreeEnsembleClassifier", 5)->flags &
              OX_SCHEMA_DEPRECATED);
}
END_TEST

START_TEST(removed_operators)
{
    const ox_schema *s = find("ThresholdedRelu", 9);
    ck_assert_int_eq(s->since, 1);
    ck_assert_int_eq(s->until, 9);
    ck_assert(s->flags & OX_SCHEMA_REMOVED);
    ck_assert_int_eq(find("ThresholdedRelu", 10)->since, 10);
    ck_assert_ptr_eq(ox_schema_first("", "ThresholdedRelu"), s);
    ck_assert_int_eq(find("MeanVarianceNormalization", 8)->until, 8);
    ck_assert_int_eq(find("Crop", 7)->until, INT_MAX);
    ck_assert(attr(find("ImageScaler", 7), "scale")->f == 1.0f);
    ck_assert(find("Dropout", 13)->flags & OX_SCHEMA_RANDOM);
}
END_TEST

START_TEST(dtypes_agree_with_the_runtime)
{
    static const char *const onnx[64] = {
#define DTYPE(name, onnx, number) [number] = #name,
#include "proto/dtypes.def"
#undef DTYPE
    };
#define DTYPE(id, number, name, memory, file_bits, class, numpy)                                   \
    ck_assert_str_eq(onnx[number], name);
#include "runtime/tensor/dtype.def"
#undef DTYPE
}
END_TEST

static void *find_everything(void *unused)
{
    for (size_t i = ox_schema_count(); i-- > 0;)
        if (!ox_schema_at(i)->domain)
            abort();
    return unused;
}

START_TEST(threads)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, find_everything, NULL), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    ck_assert_int_eq(find("Softmax", 13)->n_in, 1);
}
END_TEST

Suite *suite_schema(void)
{
    Suite *s = suite_create("schema");
    TCase *c = tcase_create("schema");
    tcase_add_test(c, threads); /* first: in a process that does not fork it then races to parse */
    tcase_add_test(c, every_row_parses);
    tcase_add_test(c, softmax);
    tcase_add_test(c, lookup);
    tcase_add_test(c, conv);
    tcase_add_test(c, attention);
    tcase_add_test(c, clip);
    tcase_add_test(c, constant);
    tcase_add_test(c, variadic);
    tcase_add_test(c, type_sets);
    tcase_add_test(c, lists_and_floats);
    tcase_add_test(c, tree_ensemble);
    tcase_add_test(c, removed_operators);
    tcase_add_test(c, dtypes_agree_with_the_runtime);
    suite_add_tcase(s, c);
    return s;
}
