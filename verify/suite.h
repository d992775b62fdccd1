/* ONNX backend test cases: DIR/model.onnx, DIR/test_data_set_<i>/{input,output}_<j>.pb and
 * optionally DIR/data.json with the case's tolerances.  input_<j> belongs to the j-th graph input
 * that has no initializer. */
#ifndef OX_VERIFY_SUITE_H
#define OX_VERIFY_SUITE_H

#include "runtime/exec/session.h"

typedef enum ox_outcome { OX_PASSED, OX_WRONG, OX_NO_KERNEL, OX_REFUSED } ox_outcome;

/* Runs all data sets.  text gets the first difference or the error, "" when all passed. */
ox_outcome ox_suite_case(const char *dir, const ox_options *options, char *text, size_t n_text);

/* How far our results used their bounds: a value counts by its largest margin (|y - truth| / bound), if
 * that is not 0, in the bin of its power of two. */
enum { OX_MARGIN_BINS = 64, OX_MARGIN_ONE = 48 }; /* bin OX_MARGIN_ONE + k: [2^k, 2^(k+1)) */
typedef struct ox_margins {
    int64_t bin[OX_MARGIN_BINS];
    double  worst;
} ox_margins;
double ox_margins_median(const ox_margins *m); /* 0: there are none */

/* Traces all data sets against the oracle; OX_WRONG: a node left its bound, text says which. */
ox_outcome ox_suite_bounds(const char *dir, const ox_options *options, ox_margins *m, char *text,
                           size_t n_text);

#endif
