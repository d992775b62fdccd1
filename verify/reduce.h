/* The smallest reproducer of a difference: the first wrong node as an ONNX test case.
 *
 * The case is a folder of model.onnx, test_data_set_0/input_<i>.pb and output_<j>.pb, and data.json.  Its
 * inputs are what the reference held (where it holds them, else what our run gives), its outputs the
 * float64 truth of those inputs, rounded once to the type of the output.  If the reference holds some
 * input of the node not, the nodes that make it come along, back to what it holds or the model's inputs.
 * What the reference had for the outputs is in test_data_set_0/reference_<j>.pb. */
#ifndef OX_VERIFY_REDUCE_H
#define OX_VERIFY_REDUCE_H

#include "verify/trace.h"

typedef struct ox_reduction {
    bool   written;      /* false: nothing departs */
    char   node[200], op[64], value[200];
    bool   no_truth;     /* some expected output is our own result: the operator has no float64 truth */
    size_t n_node, n_input, n_weight, n_output, n_bytes;
    double tolerance;    /* of data.json: absolute */
    ox_finding verdict;
    char   reason[700];
} ox_reduction;

/* As ox_trace_run; node NULL: the first that departs, else the one of this name (or that makes the value of
 * this name), whether it departs or not.  folder is made if its parent is there; it must not hold a case
 * already.  All files appear or none. */
ox_code ox_reduce(ox_model *m, const ox_options *options, const ox_value *const *in,
                  const ox_known *ref, size_t n_ref, const char *node, const char *folder,
                  ox_reduction *out, ox_error *err) OX_MUST_CHECK;

#endif
