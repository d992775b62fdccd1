/* Broadcasting as it was before opset 7: only with the attribute broadcast, B aligned at `axis`. */
#ifndef OX_ELEMENTWISE_LEGACY_H
#define OX_ELEMENTWISE_LEGACY_H

#include "runtime/op.h"

/* b as a view that numpy's rule broadcasts to in[0]; fails where the old rule does not hold. */
ox_code ox_legacy_view(const ox_run *r, ox_tensor *view) OX_MUST_CHECK;
/* Output 0 has the shape of input 0; checks b against it. */
ox_run_fn ox_infer_legacy;
/* ox_map2 and ox_map2_oracle for old and new versions alike. */
ox_code ox_map2_versioned(ox_run *r, ox_loop2 *loop, const void *params, int numpy_since) OX_MUST_CHECK;
ox_code ox_map2_oracle_versioned(ox_oracle *o, ox_exact2 *fn, const void *params, int numpy_since)
    OX_MUST_CHECK;

#endif
