/* A trace as one HTML page that needs nothing else: no network, no fonts, no scripts but its own few lines.
 * Whatever a model's file names is escaped. */
#ifndef OX_VERIFY_REPORT_H
#define OX_VERIFY_REPORT_H

#include "verify/trace.h"

#include <stdio.h>

/* t was made with OX_TRACE_REPORT; reference: what it was compared with, NULL: the float64 truth. */
ox_code ox_report(const ox_trace *t, const ox_model *m, const char *reference, FILE *to, ox_error *err)
    OX_MUST_CHECK;

/* ---- for its parts ---- */

/* Text of a file, safe between tags and in attributes; what is not UTF-8 becomes U+FFFD. */
void    ox_report_text(FILE *f, const char *s);
void    ox_report_chart(FILE *f, const ox_trace *t);                     /* error along the graph */
void    ox_report_histogram(FILE *f, const ox_detail *d);
ox_code ox_report_pictures(FILE *f, const ox_picture *p, bool oracle, ox_error *err) OX_MUST_CHECK;
ox_code ox_report_graph(FILE *f, const ox_trace *t, const ox_graph *g, ox_error *err) OX_MUST_CHECK;

#endif
