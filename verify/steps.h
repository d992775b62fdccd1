/* Integers that rounding decides.
 *
 * An integer output has no float64 truth of its own, but what QuantizeLinear rounds has: x / scale + zero
 * point.  Where that lies at a tie within its own error, both neighbours are right, and what reads them
 * differs by a step's worth.  The chain therefore goes through integers, too: a quantiser's are rounded from
 * the chain's own numbers, other nodes compute theirs from the integers of the chain. */
#ifndef OX_VERIFY_STEPS_H
#define OX_VERIFY_STEPS_H

#include "verify/truth.h"

typedef struct ox_steps {
    double       **value;  /* [n_out] the chain's integers; NULL: our own serve, or no integers */
    const double  *before; /* of output 0: by the chain's inputs before rounding, in range; NULL: none */
    const double  *slack;  /* what the node's own arithmetic may move it by; 0: exact */
    double         error, most; /* rms and largest of the same by our inputs - before */
    bool           tipped; /* the chain's integers differ from ours where rounding decides */
} ox_steps;

/* in: the chain's inputs; NULL entries: our own.  tip: at a tie within rounding the chain takes the side that
 * ours did not, so that what a step makes of the rest is seen; held: no input came through other nodes. */
ox_code ox_steps_of(ox_arena *a, ox_run *r, const double *const *in, bool tip, bool held, ox_steps *out,
                    ox_error *err) OX_MUST_CHECK;

/* How far v, an integer of output 0, is from what rounding explains: 0 right, 1 at its limit, infinite where
 * nothing but rounding the same number is left.  drift: what the inputs may be off by, in steps. */
double  ox_steps_margin(const ox_steps *s, size_t i, double v, double drift);

#endif
