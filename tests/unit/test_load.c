/* Graphs: what a file may say, and what it may not. */
#include "runtime/load/load.h"
#include "runtime/load/build.h"
#include "tests/unit/pb.h"

#include <stdio.h>

static ox_error err;
static ox_model *model;

static void set_up(void)
{
    err = (ox_error){0};
    model = NULL;
}
static void tear_down(void)
{
    ox_model_destroy(model);
}

/* Loads and empties m. */
static ox_code load(pb *m)
{
    ox_model_destroy(model);
    err = (ox_error){0};
    ox_code code = ox_load_bytes(m->b, m->n, NULL, &model, &err);
    pb_free(m);
    ck_assert((code == OX_OK) == (model != NULL));
    ck_assert(code == OX_OK || *err.message);
    return code;
}
static ox_code load_graph(pb *graph, int opset)
{
    pb m = pb_model(graph, opset);
    return load(&m);
}
static void fails(pb *graph, int opset, ox_code code, const char *node, const char *message)
{
    ck_assert_int_eq(load_graph(graph, opset), code);
    ck_assert_msg(strstr(err.message, message), "'%s' is not in '%s'", message, err.message);
    ck_assert_str_eq(err.node, node);
}

static const ox_info *value(const ox_graph *g, const char *name)
{
    int v = ox_graph_find_value(g, name);
    ck_assert_msg(v >= 0, "no value '%s'", name);
    return &g->value[v];
}
static void order(const ox_graph *g, const char *expected)
{
    char text[500] = "";
    for (size_t k = 0; k < g->n_node; k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", k ? " " : "",
                 g->node[k].name);
    ck_assert_str_eq(text, expected);
}

START_TEST(small_graph)
{
    pb g = pb_graph_xy(), attr = {0};
    float w = 3;
    pb t = pb_tensor("w", 1, -1, &w, 4);
    pb_put(&g, GRAPH_INIT, &t);
    pb_value(&g, GRAPH_IN, "w", 1, "");
    pb_value(&g, GRAPH_INFO, "s", 1, "2,?");
    pb_add_node(&g, "b", "Add", "s,w", "y", NULL); /* before what it needs */
    pb_attr_int(&attr, "axis", 1);
    pb_add_node(&g, "a", "Softmax", "x", "s", &attr);
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    const ox_graph *m = model->graph;
    order(m, "a b");
    ck_assert_int_eq(m->n_in, 1);
    ck_assert_int_eq(m->n_overridable, 1);
    ck_assert_int_eq(m->n_out, 1);
    ck_assert_str_eq(m->value[m->in[0]].name, "x");
    ck_assert_int_eq(value(m, "x")->type.dim[0], 2);
    ck_assert_str_eq(ox_model_symbol_name(model, value(m, "x")->type.dim[1]), "N");
    ck_assert_int_eq(value(m, "x")->type.dim[1], value(m, "y")->type.dim[1]);
    ck_assert_int_eq(value(m, "s")->type.dim[1], OX_DIM_UNKNOWN);
    ck_assert_ptr_nonnull(value(m, "w")->constant);
    ck_assert(*(float *)value(m, "w")->constant->data == 3);
    ck_assert(value(m, "w")->is_input && value(m, "w")->from_initializer);
    ck_assert_int_eq(value(m, "s")->producer, 0);
    ck_assert_int_eq(value(m, "y")->n_uses, 1);
    ck_assert_int_eq(m->node[0].opset, 13);
    ck_assert_int_eq(m->node[0].schema->since, 13);
    ck_assert_int_eq(m->node[0].attr[0].kind, OX_ATTR_INT);
    ck_assert_int_eq(m->node[0].index, 1);
    ox_graph_check(m);
}
END_TEST

START_TEST(every_prefix_of_a_model_is_handled)
{
    pb g = pb_graph_xy();
    pb t = pb_tensor("w", 1, 2, "12345678", 8);
    pb_put(&g, GRAPH_INIT, &t);
    pb_add_node(&g, "a", "Add", "x,w", "y", NULL);
    pb m = pb_model(&g, 13);
    for (size_t n = 0; n < m.n; n++) {
        pb part = {0};
        pb_bytes(&part, m.b, n);
        ck_assert_int_eq(load(&part), OX_E_PARSE);
        ck_assert_ptr_nonnull(strstr(err.message, "not an ONNX model"));
    }
    pb_free(&m);
}
END_TEST

START_TEST(files_that_are_no_models)
{
    static const struct {
        const char *bytes, *message;
    } cases[] = {
        {"", "empty"},
        {"Dear reader, this is a letter and not a network.", "text"},
        {"version https://git-lfs.github.com/spec/v1\n", "Git LFS"},
        {"PK\3\4....", "zip"},
        {"\x08\x08", "no graph"},
    };
    for (size_t i = 0; i < OX_COUNT(cases); i++) {
        pb m = {0};
        pb_bytes(&m, cases[i].bytes, strlen(cases[i].bytes));
        ck_assert_int_eq(load(&m), OX_E_PARSE);
        ck_assert_msg(strstr(err.message, cases[i].message), "%s", err.message);
    }
}
END_TEST

START_TEST(names)
{
    pb g = pb_graph_xy();
    pb_add_node(&g, "a", "Relu", "x", "t", NULL);
    pb_add_node(&g, "b", "Relu", "u", "t", NULL);
    fails(&g, 13, OX_E_GRAPH, "", "node output 't': that name is defined already");
    g = pb_graph_xy();
    pb_value(&g, GRAPH_IN, "x", 1, "");
    fails(&g, 13, OX_E_GRAPH, "", "input 'x': that name is defined already");
    g = pb_graph_xy();
    pb_add_node(&g, "a", "Relu", "x", "x", NULL);
    fails(&g, 13, OX_E_GRAPH, "", "node output 'x': that name is defined already");
    g = pb_graph_xy();
    for (int i = 0; i < 2; i++) {
        pb t = pb_tensor("w", 1, 2, "12345678", 8);
        pb_put(&g, GRAPH_INIT, &t);
    }
    fails(&g, 13, OX_E_GRAPH, "", "initializer 'w': that name is defined already");
    g = pb_graph_xy();
    pb_add_node(&g, "a", "Relu", "nowhere", "y", NULL);
    fails(&g, 13, OX_E_GRAPH, "a", "'nowhere' is no input");
    ck_assert_str_eq(err.op, "Relu-13");
    g = pb_graph_xy();
    pb_add_node(&g, "a", "Relu", "x", "z", NULL);
    fails(&g, 13, OX_E_GRAPH, "", "output 'y' is no input");
    g = pb_graph_xy(); /* no names: made up */
    pb_add_node(&g, "", "Relu", "x", "t", NULL);
    pb_add_node(&g, "", "Relu", "t", "y", NULL);
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    order(model->graph, "Relu_0 Relu_1");
}
END_TEST

START_TEST(cycles)
{
    pb g = pb_graph_xy();
    pb_add_node(&g, "a", "Add", "x,v", "u", NULL);
    pb_add_node(&g, "b", "Relu", "u", "v", NULL);
    pb_add_node(&g, "c", "Relu", "x", "y", NULL);
    fails(&g, 13, OX_E_GRAPH, "", "cycle of 2 nodes: \"a\" (Add) <- \"b\" (Relu)");
    g = pb_graph_xy();
    pb_add_node(&g, "self", "Add", "x,y", "y", NULL);
    fails(&g, 13, OX_E_GRAPH, "", "cycle of 1 node: \"self\" (Add)");
    g = pb_graph_xy();
    char in[20], out[20];
    for (int i = 0; i < 5000; i++) { /* no recursion, and a message of finite length */
        snprintf(in, sizeof in, "v%d", (i + 1) % 5000);
        snprintf(out, sizeof out, "v%d", i);
        pb_add_node(&g, out, "Relu", in, out, NULL);
    }
    pb_add_node(&g, "end", "Relu", "v7", "y", NULL);
    fails(&g, 13, OX_E_GRAPH, "", "cycle of 5000 nodes");
    ck_assert_ptr_nonnull(strstr(err.message, " more"));
}
END_TEST

START_TEST(arity_and_attributes)
{
    pb g = pb_graph_xy(), a = {0};
    pb_add_node(&g, "n", "Relu", "x,x", "y", NULL);
    fails(&g, 13, OX_E_GRAPH, "n", "2 inputs, Relu-13 takes at most 1");
    g = pb_graph_xy();
    pb_add_node(&g, "n", "Add", "x", "y", NULL);
    fails(&g, 13, OX_E_GRAPH, "n", "1 inputs, Add-13 needs at least 2");
    g = pb_graph_xy();
    pb_add_node(&g, "n", "Add", ",x", "y", NULL);
    fails(&g, 13, OX_E_GRAPH, "n", "input 0 ('A' of Add-13) must not be left out");
    g = pb_graph_xy();
    pb_add_node(&g, "n", "Relu", "x", "y,z", NULL);
    fails(&g, 13, OX_E_GRAPH, "n", "2 outputs, Relu-13 takes at most 1");
    g = pb_graph_xy();
    pb_attr_int(&a, "slope", 1);
    pb_add_node(&g, "n", "Relu", "x", "y", &a);
    fails(&g, 13, OX_E_GRAPH, "n", "attribute 'slope' is unknown to Relu-13");
    g = pb_graph_xy();
    pb_attr_int(&a, "alpha", 1);
    pb_add_node(&g, "n", "LeakyRelu", "x", "y", &a);
    fails(&g, 13, OX_E_GRAPH, "n", "attribute 'alpha' is of kind int, LeakyRelu-6 wants float");
    g = pb_graph_xy();
    pb_add_node(&g, "n", "Cast", "x", "y", NULL);
    fails(&g, 13, OX_E_GRAPH, "n", "attribute 'to' is missing");
    g = pb_graph_xy();
    pb_attr_int(&a, "to", 1);
    pb_attr_int(&a, "to", 1);
    pb_add_node(&g, "n", "Cast", "x", "y", &a);
    fails(&g, 13, OX_E_GRAPH, "n", "attribute 'to' is given twice");
    g = pb_graph_xy();
    pb_add_node(&g, "n", "Clip", "x,,", "y", NULL); /* left out at the end, but named */
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    ck_assert_int_eq(model->graph->node[0].n_in, 1);
    g = pb_graph_xy();
    pb_add_node(&g, "n", "Clip", "x,,x", "y", NULL);
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    ck_assert_int_eq(model->graph->node[0].in[1], OX_ABSENT);
}
END_TEST

START_TEST(attribute_kinds)
{
    pb g = pb_graph_xy(), attrs = {0}, a = {0};
    pb_str(&a, ATTR_NAME, "alpha"); /* no type: files of IR 1 */
    pb_float(&a, ATTR_F, 0.5f);
    pb_put(&attrs, NODE_ATTR, &a);
    pb_add_node(&g, "n", "LeakyRelu", "x", "t", &attrs);
    pb_str(&a, ATTR_NAME, "axes"); /* an empty list has no field at all */
    pb_put(&attrs, NODE_ATTR, &a);
    pb_str(&a, ATTR_NAME, "keepdims"); /* zero left out by the writer */
    pb_int(&a, ATTR_TYPE, 2);
    pb_put(&attrs, NODE_ATTR, &a);
    pb_add_node(&g, "r", "ReduceSum", "t", "y", &attrs);
    ck_assert_int_eq(load_graph(&g, 11), OX_OK);
    ck_assert(ox_node_attr(&model->graph->node[0], "alpha")->f == 0.5f);
    ck_assert_int_eq(ox_node_attr(&model->graph->node[1], "axes")->kind, OX_ATTR_INTS);
    ck_assert_int_eq(ox_node_attr(&model->graph->node[1], "axes")->n, 0);
    ck_assert_int_eq(ox_node_attr(&model->graph->node[1], "keepdims")->i, 0);

    g = pb_graph_xy();
    pb_str(&a, ATTR_NAME, "axis");
    pb_int(&a, ATTR_TYPE, 2);
    pb_float(&a, ATTR_F, 1);
    pb_put(&attrs, NODE_ATTR, &a);
    pb_add_node(&g, "n", "Softmax", "x", "y", &attrs);
    fails(&g, 13, OX_E_GRAPH, "n", "says it is of kind int and holds another");

    g = pb_graph_xy();
    pb_str(&a, ATTR_NAME, "to");
    pb_str(&a, ATTR_S, "FLOAT16");
    pb_int(&a, ATTR_TYPE, 3);
    pb_put(&attrs, NODE_ATTR, &a);
    pb_add_node(&g, "n", "Cast", "x", "y", &attrs);
    ck_assert_int_eq(load_graph(&g, 6), OX_OK);
    ck_assert_int_eq(model->graph->node[0].attr[0].i, OX_F16);
}
END_TEST

/* ---- subgraphs ---- */

/* cond and branches; the inner graph adds x of two levels up to its own constant. */
START_TEST(captures_go_through_every_level)
{
    pb g = pb_graph_xy(), inner = {0}, outer = {0}, other = {0}, attrs = {0};
    pb_str(&inner, GRAPH_NAME, "inner");
    pb_value(&inner, GRAPH_OUT, "r", 1, "2,N");
    pb_add_node(&inner, "deep", "Add", "x,x", "r", NULL);
    pb_str(&outer, GRAPH_NAME, "outer");
    pb_value(&outer, GRAPH_OUT, "q", 1, "2,N");
    pb_value(&other, GRAPH_OUT, "late", 1, "2,N"); /* an outer value, made by a node further down */
    pb other_too = {0};
    pb_value(&other_too, GRAPH_OUT, "late", 1, "2,N");
    pb_attr_graph(&attrs, "then_branch", &inner);
    pb_attr_graph(&attrs, "else_branch", &other);
    pb_add_node(&outer, "if2", "If", "c", "q", &attrs);
    pb_attr_graph(&attrs, "then_branch", &outer);
    pb_attr_graph(&attrs, "else_branch", &other_too);
    pb_value(&g, GRAPH_IN, "c", 9, "");
    pb_add_node(&g, "if1", "If", "c", "y", &attrs);
    pb_add_node(&g, "last", "Relu", "x", "late", NULL);
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    order(model->graph, "last if1");
    const ox_graph *o = ox_node_attr(&model->graph->node[1], "then_branch")->graph;
    const ox_graph *i = ox_node_attr(&o->node[0], "then_branch")->graph;
    ck_assert_uint_eq(o->n_capture, 3); /* c, x, late */
    ck_assert_uint_eq(i->n_capture, 1);
    ck_assert_ptr_eq(i->parent, o);
    ck_assert_str_eq(o->value[i->capture[0].outer].name, "x");
    ck_assert_int_eq(i->node[0].in[0], i->capture[0].inner);
    ck_assert_int_eq(value(model->graph, "x")->n_uses, 2); /* Relu, and the capture */
}
END_TEST

START_TEST(subgraph_errors_name_the_inner_node)
{
    pb g = pb_graph_xy(), inner = {0}, inner2 = {0}, attrs = {0};
    pb_value(&inner, GRAPH_OUT, "r", 1, "2");
    pb_add_node(&inner, "deep", "Relu", "missing", "r", NULL);
    pb_value(&inner2, GRAPH_OUT, "x", 1, "2");
    pb_attr_graph(&attrs, "then_branch", &inner);
    pb_attr_graph(&attrs, "else_branch", &inner2);
    pb_value(&g, GRAPH_IN, "c", 9, "");
    pb_add_node(&g, "if", "If", "c", "y", &attrs);
    fails(&g, 13, OX_E_GRAPH, "deep", "'missing'");
}
END_TEST

/* ---- functions ---- */

static pb function(const char *name, const char *in, const char *out)
{
    pb f = {0}, o = {0};
    pb_str(&f, FUNCTION_NAME, name);
    pb_str(&f, FUNCTION_DOMAIN, "local");
    pb_list(&f, FUNCTION_IN, in);
    pb_list(&f, FUNCTION_OUT, out);
    pb_int(&o, 2, 11);
    pb_put(&f, FUNCTION_OPSET, &o);
    return f;
}
static void body(pb *f, const char *name, const char *op, const char *domain, const char *in,
                 const char *out, pb *attrs)
{
    pb n = pb_node(name, op, in, out, attrs);
    pb_str(&n, NODE_DOMAIN, domain);
    pb_put(f, FUNCTION_NODE, &n);
}
static void call(pb *g, const char *name, const char *op, const char *in, const char *out,
                 pb *attrs)
{
    pb n = pb_node(name, op, in, out, attrs);
    pb_str(&n, NODE_DOMAIN, "local");
    pb_put(g, GRAPH_NODE, &n);
}
static void attr_ref(pb *attrs, const char *name, const char *ref, int type)
{
    pb a = {0};
    pb_str(&a, ATTR_NAME, name);
    pb_str(&a, ATTR_REF, ref);
    pb_int(&a, ATTR_TYPE, type);
    pb_put(attrs, NODE_ATTR, &a);
}

START_TEST(functions_are_expanded)
{
    pb g = pb_graph_xy(), attrs = {0}, a = {0};
    /* leaf(x; axis, keep=1) = ReduceSum(x): axes is left out where the caller gives none */
    pb leaf = function("leaf", "x", "y"), mid = function("mid", "p,q", "s,p,t");
    attr_ref(&attrs, "axes", "axis", 7);
    attr_ref(&attrs, "keepdims", "keep", 2);
    body(&leaf, "sum", "ReduceSum", "", "x", "tmp", &attrs);
    body(&leaf, "relu", "Relu", "", "tmp", "y", NULL);
    pb_str(&leaf, FUNCTION_ATTR, "axis");
    pb_str(&a, ATTR_NAME, "keep");
    pb_int(&a, ATTR_I, 1);
    pb_int(&a, ATTR_TYPE, 2);
    pb_put(&leaf, FUNCTION_DEFAULT, &a);
    /* mid(p, q?; way) = leaf(p; axis = way), hands p through, clips with an input that may be
     * absent */
    attr_ref(&attrs, "axis", "way", 7);
    body(&mid, "one", "leaf", "local", "p", "s", &attrs);
    body(&mid, "clip", "Clip", "ai.onnx", "p,q", "t", NULL);

    pb_str(&a, ATTR_NAME, "way");
    pb_int(&a, ATTR_INTS, 1);
    pb_int(&a, ATTR_TYPE, 7);
    pb_put(&attrs, NODE_ATTR, &a);
    call(&g, "c1", "mid", "x", "u,v,w", &attrs);
    call(&g, "c2", "mid", "u,v", ",,z", NULL);
    pb_add_node(&g, "end", "Sum", "v,w,z", "y", NULL);
    pb m = pb_model(&g, 13);
    pb_put(&m, MODEL_FUNCTION, &leaf);
    pb_put(&m, MODEL_FUNCTION, &mid);
    ck_assert_int_eq(load(&m), OX_OK);
    const ox_graph *r = model->graph;
    order(r, "c1/Identity c1/one/sum c1/one/relu c1/clip c2/one/sum c2/one/relu c2/clip end");
    ck_assert_int_eq(model->n_function, 4);
    ck_assert_int_eq(r->node[1].opset, 11); /* the function's own */
    ck_assert_int_eq(r->node[7].opset, 13);
    ck_assert_int_eq(ox_node_attr(&r->node[1], "axes")->ints[0], 1);
    ck_assert_int_eq(ox_node_attr(&r->node[1], "keepdims")->i, 1);
    ck_assert_ptr_null(ox_node_attr(&r->node[4], "axes"));
    ck_assert_int_eq(r->node[3].n_in, 2);
    ck_assert_int_eq(r->node[3].in[1], OX_ABSENT); /* q was not given */
    ck_assert_int_eq(r->node[6].in[1], ox_graph_find_value(r, "v"));
    ck_assert_int_eq(r->node[2].out[0], ox_graph_find_value(r, "u"));
    ck_assert_ptr_nonnull(value(r, "c1/one/tmp"));
    ck_assert_int_eq(r->node[1].index, 0);
    ox_graph_check(r);
}
END_TEST

/* A graph handed to a function as an attribute still sees the caller's names. */
START_TEST(graphs_as_function_attributes)
{
    pb g = pb_graph_xy(), f = function("choose", "c", "r"), attrs = {0};
    attr_ref(&attrs, "then_branch", "a", 5);
    attr_ref(&attrs, "else_branch", "b", 5);
    body(&f, "if", "If", "", "c", "r", &attrs);
    pb then_branch = {0}, else_branch = {0};
    pb_value(&then_branch, GRAPH_OUT, "t", 1, "2");
    pb_add_node(&then_branch, "neg", "Neg", "x", "t", NULL);
    pb_value(&else_branch, GRAPH_OUT, "x", 1, "2");
    pb_attr_graph(&attrs, "a", &then_branch);
    pb_attr_graph(&attrs, "b", &else_branch);
    pb_value(&g, GRAPH_IN, "flag", 9, "");
    call(&g, "call", "choose", "flag", "y", &attrs);
    pb m = pb_model(&g, 13);
    pb_put(&m, MODEL_FUNCTION, &f);
    ck_assert_int_eq(load(&m), OX_OK);
    const ox_node *n = &model->graph->node[0];
    ck_assert_str_eq(n->name, "call/if");
    const ox_graph *t = ox_node_attr(n, "then_branch")->graph;
    ck_assert_uint_eq(t->n_capture, 1);
    ck_assert_int_eq(t->capture[0].outer, ox_graph_find_value(model->graph, "x"));
}
END_TEST

START_TEST(function_faults)
{
    pb g = pb_graph_xy(), f = function("f", "x", "y"), h = function("h", "x", "y");
    body(&f, "n", "h", "local", "x", "y", NULL);
    body(&h, "n", "f", "local", "x", "y", NULL);
    call(&g, "c", "f", "x", "y", NULL);
    pb m = pb_model(&g, 13);
    pb_put(&m, MODEL_FUNCTION, &f);
    pb_put(&m, MODEL_FUNCTION, &h);
    ck_assert_int_eq(load(&m), OX_E_GRAPH);
    ck_assert_ptr_nonnull(strstr(err.message, "function 'f' calls itself"));

    g = pb_graph_xy();
    f = function("f", "x", "y");
    body(&f, "n", "Relu", "", "outside", "y", NULL); /* a body sees its own names only */
    pb_add_node(&g, "n", "Relu", "x", "outside", NULL);
    call(&g, "c", "f", "x", "y", NULL);
    m = pb_model(&g, 13);
    pb_put(&m, MODEL_FUNCTION, &f);
    ck_assert_int_eq(load(&m), OX_E_GRAPH);
    ck_assert_str_eq(err.node, "c/n");

    g = pb_graph_xy();
    f = function("f", "x", "y");
    call(&g, "c", "f", "x,x", "y", NULL);
    m = pb_model(&g, 13);
    pb_put(&m, MODEL_FUNCTION, &f);
    ck_assert_int_eq(load(&m), OX_E_GRAPH);
    ck_assert_ptr_nonnull(strstr(err.message, "2 inputs, the function takes 1"));

    g = pb_graph_xy();
    f = function("f", "x", "y");
    call(&g, "c", "f", "x", "y", NULL);
    m = pb_model(&g, 13);
    pb_put(&m, MODEL_FUNCTION, &f);
    ck_assert_int_eq(load(&m), OX_E_GRAPH);
    ck_assert_ptr_nonnull(strstr(err.message, "no node of the function makes its output 'y'"));
}
END_TEST

/* f0 calls f1 ten times, which calls f2 ten times, ...: 10^20 nodes in a kilobyte. */
START_TEST(explosion_is_limited)
{
    pb g = pb_graph_xy(), m;
    call(&g, "c", "f0", "x", "y", NULL);
    m = pb_model(&g, 13);
    for (int i = 0; i < 20; i++) {
        char name[16], next[16], in[16] = "x", out[16];
        snprintf(name, sizeof name, "f%d", i);
        snprintf(next, sizeof next, "f%d", i + 1);
        pb f = function(name, "x", "y");
        for (int k = 0; k < 10; k++) {
            snprintf(out, sizeof out, k == 9 ? "y" : "t%d", k);
            body(&f, "n", i == 19 ? "Relu" : next, i == 19 ? "" : "local", in, out, NULL);
            memcpy(in, out, sizeof in);
        }
        pb_put(&m, MODEL_FUNCTION, &f);
    }
    ck_assert_int_eq(load(&m), OX_E_LIMIT);
}
END_TEST

/* ---- binding ---- */

START_TEST(missing_operators_are_listed_together)
{
    pb g = pb_graph_xy();
    pb_add_node(&g, "first", "NoSuchThing", "x", "a", NULL);
    pb_add_node(&g, "again", "NoSuchThing", "a", "b", NULL);
    pb n = pb_node("mine", "Custom", "b", "y", NULL);
    pb_str(&n, NODE_DOMAIN, "com.example");
    pb_put(&g, GRAPH_NODE, &n);
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    ck_assert_int_eq(ox_graph_bind(model->graph, &err), OX_E_UNSUPPORTED);
    ck_assert_str_eq(
        err.message,
        "2 unsupported operators at 3 nodes: ai.onnx NoSuchThing-13 (nodes \"first\", \"again\", "
        "not an ONNX operator); com.example Custom-1 (node \"mine\", not an ONNX operator)");
    g = pb_graph_xy();
    char name[30], in[30] = "x", out[30];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "Unknown%d", i);
        snprintf(out, sizeof out, i == 49 ? "y" : "v%d", i);
        pb_add_node(&g, name, name, in, out, NULL);
        memcpy(in, out, sizeof in);
    }
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    ck_assert_int_eq(ox_graph_bind(model->graph, &err), OX_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "50 unsupported operators at 50 nodes"));
    ck_assert_ptr_nonnull(strstr(err.message, " more"));
}
END_TEST

START_TEST(operators_by_version)
{
    for (size_t i = 0; i < ox_n_ops; i++) {
        const ox_op *op = ox_ops[i];
        ck_assert_ptr_eq(ox_op_find(op->domain, op->name, op->since), op);
        ck_assert_ptr_ne(ox_op_find(op->domain, op->name, op->since - 1), op);
    }
    ck_assert_ptr_eq(ox_op_find("ai.onnx", "Add", 13), ox_op_find("", "Add", 13));
    ck_assert_ptr_nonnull(ox_op_find(NULL, "Add", 13));
    ck_assert_ptr_null(ox_op_find("ai.onnx.ml", "Add", 13));
    ck_assert_ptr_null(ox_op_find("", "Aaa", 13));
    ck_assert_ptr_null(ox_op_find("", "Zzz", 13));
}
END_TEST

START_TEST(pruning)
{
    pb g = pb_graph_xy();
    pb_add_node(&g, "a", "Relu", "x", "t", NULL);
    pb_add_node(&g, "b", "Relu", "t", "unused", NULL);
    pb_add_node(&g, "c", "Relu", "x", "y", NULL);
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    ox_graph_prune(model->graph);
    order(model->graph, "c");
    ck_assert_int_eq(value(model->graph, "x")->n_uses, 1);
    ox_graph_check(model->graph);
}
END_TEST

START_TEST(opset_imports)
{
    pb g = pb_graph_xy(), m = {0}, o = {0};
    pb_add_node(&g, "a", "Relu", "x", "y", NULL);
    pb_int(&m, MODEL_IR, 2); /* before imports existed */
    pb_put(&m, MODEL_GRAPH, &g);
    ck_assert_int_eq(load(&m), OX_OK);
    ck_assert_int_eq(model->graph->node[0].opset, 1);
    g = pb_graph_xy();
    pb_add_node(&g, "a", "Relu", "x", "y", NULL);
    pb_int(&m, MODEL_IR, 8);
    pb_put(&m, MODEL_GRAPH, &g);
    ck_assert_int_eq(load(&m), OX_OK);
    ck_assert_int_eq(model->graph->node[0].opset, ox_schema_newest_opset(""));
    g = pb_graph_xy();
    pb n = pb_node("a", "Relu", "x", "y", NULL);
    pb_str(&n, NODE_DOMAIN, "ai.onnx");
    pb_put(&g, GRAPH_NODE, &n);
    pb_str(&o, 1, "ai.onnx");
    pb_int(&o, 2, 9);
    pb_put(&m, MODEL_OPSET, &o);
    pb_put(&m, MODEL_GRAPH, &g);
    ck_assert_int_eq(load(&m), OX_OK);
    ck_assert_int_eq(model->graph->node[0].opset, 9);
    ck_assert_str_eq(model->graph->node[0].domain, "");
    g = pb_graph_xy();
    fails(&g, 0, OX_E_GRAPH, "", "opset import of 'ai.onnx': version 0");
}
END_TEST

START_TEST(a_hundred_thousand_nodes)
{
    pb g = pb_graph_xy();
    char in[30] = "x", out[30];
    enum { N = 100000 };
    for (int i = 0; i < N; i++) {
        snprintf(out, sizeof out, i == N - 1 ? "y" : "value/%d", i);
        pb_add_node(&g, out, "Relu", in, out, NULL);
        memcpy(in, out, sizeof in);
    }
    ck_assert_int_eq(load_graph(&g, 13), OX_OK);
    ck_assert_uint_eq(model->graph->n_node, N);
}
END_TEST

Suite *suite_load(void);
Suite *suite_load(void)
{
    Suite *s = suite_create("load");
    TCase *c = tcase_create("load");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, small_graph);
    tcase_add_test(c, every_prefix_of_a_model_is_handled);
    tcase_add_test(c, files_that_are_no_models);
    tcase_add_test(c, names);
    tcase_add_test(c, cycles);
    tcase_add_test(c, arity_and_attributes);
    tcase_add_test(c, attribute_kinds);
    tcase_add_test(c, captures_go_through_every_level);
    tcase_add_test(c, subgraph_errors_name_the_inner_node);
    tcase_add_test(c, functions_are_expanded);
    tcase_add_test(c, graphs_as_function_attributes);
    tcase_add_test(c, function_faults);
    tcase_add_test(c, explosion_is_limited);
    tcase_add_test(c, missing_operators_are_listed_together);
    tcase_add_test(c, operators_by_version);
    tcase_add_test(c, pruning);
    tcase_add_test(c, opset_imports);
    tcase_add_test(c, a_hundred_thousand_nodes);
    suite_add_tcase(s, c);
    return s;
}
