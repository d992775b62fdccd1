/* ONNX backend test cases: DIR/model.onnx, DIR/test_data_set_<i>/{input,output}_<j>.pb and
 * optionally DIR/data.json with the case's tolerances.  input_<j> belongs to the j-th graph input
 * that has no initializer. */
#ifndef OX_VERIFY_SUITE_H
#define OX_VERIFY_SUITE_H

#include "runtime/exec/session.h"

typedef enum ox_outcome { OX_PASSED, OX_WRONG, OX_NO_KERNEL, OX_REFUSED } ox_outcome;

/* Runs all data sets.  text gets the first difference or the error, "" when all passed. */
ox_outcome ox_suite_case(const char *dir, const ox_options *options, char *text, size_t n_text);

#endif
