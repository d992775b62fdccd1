/* libFuzzer target: any bytes, as a model and as each kind of value.  A model that loads is also
 * bound, dumped and cloned; a value that reads is written and read again.  `make fuzz` builds it;
 * the unit tests replay the corpus through it. */
#include "runtime/load/load.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void fuzz_model(const uint8_t *bytes, size_t n, FILE *nowhere)
{
    ox_load_options options = {.keep = n & 1};
    ox_model *m;
    ox_error e = {0};
    if (ox_load_bytes(bytes, n, &options, &m, &e) != OX_OK)
        return;
    ox_graph_dump(m->graph, nowhere);
    if (ox_graph_bind(m->graph, &e) == OX_OK)
        ox_graph_dump(m->graph, nowhere);
    ox_graph_prune(m->graph);
    ox_graph_check(m->graph);
    ox_arena *a = ox_arena_create(0);
    ox_graph *copy = a ? ox_graph_clone(a, m->graph, NULL) : NULL;
    if (copy)
        ox_graph_check(copy);
    ox_arena_destroy(a);
    ox_model_destroy(m);
}

static void fuzz_value(const uint8_t *bytes, size_t n, const ox_type *type)
{
    ox_value v, again;
    ox_buf *written;
    if (ox_pb_read_value(bytes, n, type, &v, NULL) != OX_OK)
        return;
    if (ox_pb_write_value(&v, type, "v", &written, NULL) == OX_OK) {
        if (ox_pb_read_value(ox_buf_data(written), ox_buf_size(written), type, &again, NULL) !=
            OX_OK)
            abort(); /* what we write, we can read */
        ox_value_release(&again);
        ox_buf_unref(written);
    }
    ox_value_release(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const ox_type types[] = {
        {.kind = OX_TENSOR},
        {.kind = OX_SEQUENCE},
        {.kind = OX_MAP},
        {.kind = OX_SPARSE},
        {.kind = OX_TENSOR, .optional = true},
    };
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere)
        return 0;
    ox_buf_cap((size_t)64 << 20);
    fuzz_model(bytes, n, nowhere);
    for (size_t i = 0; i < OX_COUNT(types); i++)
        fuzz_value(bytes, n, &types[i]);
    ox_buf_cap(0);
    fclose(nowhere);
    return 0;
}
