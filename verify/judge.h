/* The verdict on a model's outputs, and the trace of its nodes.
 *
 * What rounding explains.  An element of a node's output may differ from its truth by
 *
 *     allowed = 16 (bound + u rms(truth)) + spread / doubt
 *     spread  = max(16 |ours - truth|, 16 rms(ours - truth), 4 max |ours - truth|)
 *
 * where bound is the node's own (its error model; of long sums, once the bound and 15 times that of a short
 * one), u the unit roundoff of the type, and spread is there only if inputs of the node came through other
 * nodes: our float32 run is one sample of how rounding spreads through the graph, and another
 * implementation's may be a few times as large, in other elements.  16 covers sums in another order, fast
 * elementary functions and Winograd.
 *
 * Where integers tipped over on the way (verify/steps.h), the sample's errors are steps of theirs, which no
 * implementation makes larger: then spread is a quarter of that.
 *
 * The sample is worth something because each of its nodes is held to its own bound, with the truth from the
 * node's actual inputs: what spreads is rounding and nothing else.  doubt is 1, or, where a node was outside
 * its bound, by how many times: what a faulty kernel does to the run then excuses nobody. */
#ifndef OX_VERIFY_JUDGE_H
#define OX_VERIFY_JUDGE_H

#include "verify/oracle.h"

typedef enum ox_finding {
    OX_EQUAL, OX_ROUNDING, OX_LOW_PRECISION, OX_ILL_CONDITIONED, OX_DIFFERENT, OX_OURS_WRONG,
} ox_finding;
const char *ox_finding_name(ox_finding f);

typedef struct ox_judgement {
    bool       judged;
    ox_finding finding;
    char       reason[700], node[200];
    double     actual_error, expected_error, actual_margin, expected_margin, bound, roundoff;
} ox_judgement;

typedef struct ox_judge_case {
    int                    n;
    const char *const     *names;
    const ox_value *const *actual, *const *expected;
    const bool            *equal;
    ox_spoil_fn           *spoil; /* for tests; NULL */
    void                  *spoil_ctx;
} ox_judge_case;

/* in: the graph's inputs, then options->override. */
ox_code ox_judge(ox_model *m, const ox_options *options, const ox_value *const *in,
                 const ox_judge_case *c, ox_judgement *out, ox_error *err) OX_MUST_CHECK;

/* What rounding explains in element i; own is true where all inputs of the node were exact. */
typedef struct ox_allowance {
    const double *truth, *bound, *ours;
    double        noise;  /* 16 u rms(truth) */
    double        spread; /* of rms and largest |ours - truth|; 0 where all inputs were exact */
    bool          own;
    double        trust;  /* safety / doubt of our own error in the element */
    double        safety; /* how many times the bound: 16, but only once what it is stretched by */
} ox_allowance;
ox_allowance ox_allowance_of(const ox_sighting *s);
double       ox_allowed(const ox_allowance *a, size_t i);
/* The largest |v[i] - truth[i]| / allowed, and where. */
double       ox_excess(const ox_allowance *a, const double *v, ox_dtype dtype, size_t n, size_t *at);

/* The same for an integer output that rounding decides (s->steps). */
double       ox_steps_excess(const ox_sighting *s, const double *v);

#endif
