#include "verify/report.h"

#include <math.h>
#include <string.h>

enum { CARDS = 8 };

static const char style[] =
#include "verify/report_style.def"
    ;

static const char script[] =
    "<script>\n"
    "const q=document.getElementById('q'),d=document.getElementById('d');\n"
    "function show(){const s=q.value.toLowerCase();for(const r of document.querySelectorAll('#graph tbody tr'))"
    "r.hidden=(d.checked&&!r.dataset.d)||!r.textContent.toLowerCase().includes(s)}\n"
    "q.oninput=d.onchange=show;document.getElementById('find').hidden=false;\n"
    "</script>\n";

/* Length of the valid UTF-8 sequence at s; 0: there is none. */
static int sequence(const unsigned char *s)
{
    int n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3
          : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))) ||
        (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))))
        return 0;
    return n;
}

void ox_report_text(FILE *f, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        int n = sequence(s);
        if (n == 0 || *s < 0x20 || *s == 0x7f) {
            fputs("\xef\xbf\xbd", f);
            s++;
            continue;
        }
        switch (*s) {
        case '<': fputs("&lt;", f); break;
        case '>': fputs("&gt;", f); break;
        case '&': fputs("&amp;", f); break;
        case '"': fputs("&quot;", f); break;
        case '\'': fputs("&#39;", f); break;
        default: fwrite(s, 1, (size_t)n, f);
        }
        s += n;
    }
}

static void titled(FILE *f, const char *before, const char *text, const char *after)
{
    fputs(before, f);
    ox_report_text(f, text);
    fputs(after, f);
}

/* ---- the top ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static void put_head(FILE *f, const ox_trace *t, const ox_model *m, const char *reference)
{
    size_t departs = 0;
    for (size_t i = 0; i < t->n_node; i++)
        departs += t->node[i].departs;
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n", f);
    titled(f, "<title>", base_name(m->path), ": trace</title>\n");
    fprintf(f, "%s</head>\n<body>\n<header>\n", style);
    titled(f, "<h1>", base_name(m->path), "</h1>\n");
    titled(f, "<p class=\"mute\">compared with ",
           reference ? base_name(reference) : "its own float64 truth, node by node", "</p>\n");
    fprintf(f, "<div class=\"verdict%s\" role=\"status\"><b>%s</b><p>", departs ? " bad" : "",
            ox_finding_name(t->verdict));
    ox_report_text(f, t->reason);
    fputs("</p></div>\n", f);
    fprintf(f, "<ul class=\"facts\"><li>%zu values</li><li>%zu compared</li>"
            "<li>%zu without a truth</li><li class=\"%s\">%zu depart%s</li></ul>\n</header>\n<main>\n",
            t->n_node, t->n_held, t->n_unjudged, departs ? "departs" : "ok", departs, departs == 1 ? "s" : "");
}

static void put_explanations(FILE *f, const ox_trace *t)
{
    if (t->n_explanation == 0)
        return;
    fputs("<h2>What it looks like</h2>\n<ol>\n", f);
    for (int i = 0; i < t->n_explanation; i++) {
        const ox_explanation *e = &t->explanation[i];
        titled(f, "<li><code>", e->cause, "</code>: ");
        ox_report_text(f, e->text);
        fprintf(f, " <span class=\"mute\">(%.3g of the difference remains)</span>", e->residual);
        if (*e->fix)
            titled(f, "<br>Fix: ", e->fix, "");
        fputs("</li>\n", f);
    }
    fputs("</ol>\n", f);
}

/* ---- one value ---- */

static void put_type(FILE *f, const ox_detail *d)
{
    fprintf(f, "%s[", ox_dtype_name(d->dtype));
    for (int i = 0; i < d->rank; i++)
        fprintf(f, "%s%lld", i ? "," : "", (long long)d->dim[i]);
    fputs("]", f);
}

static void put_worst(FILE *f, const ox_trace *t, const ox_detail *d)
{
    fprintf(f, "<div class=\"box\"><table><caption>Worst elements</caption><thead><tr><th>index</th>"
            "<th class=\"n\">%s</th><th class=\"n\">truth</th><th class=\"n\">difference</th>"
            "<th class=\"n\">allowed</th><th class=\"n\">margin</th></tr></thead><tbody>\n",
            t->oracle ? "onnxrun" : "reference");
    for (int i = 0; i < d->n_worst; i++) {
        const ox_worst *w = &d->worst[i];
        fputs("<tr><td>[", f);
        for (int k = 0; k < d->rank; k++)
            fprintf(f, "%s%lld", k ? "," : "", (long long)w->index[k]);
        fprintf(f, "]</td><td class=\"n\">%.9g</td><td class=\"n\">%.9g</td><td class=\"n\">%.3g</td>"
                "<td class=\"n\">%.3g</td><td class=\"n\">%.3g</td></tr>\n",
                w->got, w->truth, w->got - w->truth, w->allowed, w->excess);
    }
    fputs("</tbody></table></div>\n", f);
}

static ox_code put_card(FILE *f, const ox_trace *t, size_t i, bool open, ox_error *err)
{
    const ox_trace_node *n = &t->node[i];
    const ox_detail *d = n->detail;
    fprintf(f, "<details id=\"v%zu\"%s><summary><span class=\"%s\">%s</span> ", i, open ? " open" : "",
            n->departs ? "departs" : "ok", n->departs ? "departs" : "ok");
    titled(f, "<b>", n->node, "</b> (");
    titled(f, "", n->op, ") &rarr; ");
    titled(f, "<code>", n->value, "</code> ");
    if (d)
        put_type(f, d);
    fprintf(f, "</summary>\n<p>local error %.3g, propagated %.3g, margin <b>%.3g</b>; %lld elements",
            n->local, n->propagated, n->margin, (long long)n->elements);
    if (!d) {
        fputs("; the reference has another shape or no number here</p></details>\n", f);
        return OX_OK;
    }
    fprintf(f, ", rms of the truth %.3g</p>\n<div class=\"flow\">\n", d->size);
    ox_report_histogram(f, d);
    if (d->n_worst > 0)
        put_worst(f, t, d);
    fputs("</div>\n", f);
    if (d->picture.width > 0)
        OX_TRY(ox_report_pictures(f, &d->picture, t->oracle, err));
    fputs("</details>\n", f);
    return OX_OK;
}

/* What departs, in the order of the graph; then pictures of the outputs that do not. */
static ox_code put_cards(FILE *f, const ox_trace *t, ox_error *err)
{
    int n = 0;
    fputs("<h2>Values in detail</h2>\n", f);
    for (size_t i = 0; i < t->n_node && n < CARDS; i++)
        if (t->node[i].departs)
            OX_TRY(put_card(f, t, i, n++ == 0, err));
    for (size_t i = t->n_node; i-- > 0 && n < CARDS + 2;) {
        const ox_trace_node *v = &t->node[i];
        if (!v->departs && v->detail && (v->detail->picture.width > 0 || n == 0))
            OX_TRY(put_card(f, t, i, n++ == 0, err));
    }
    if (n == 0)
        fputs("<p>No value could be judged.</p>\n", f);
    return OX_OK;
}

static const char legend[] =
    "<h2>How to read this page</h2>\n"
    "<p><b>Local</b> is the error that a node makes itself: its definition in float64, fed with the "
    "reference's own inputs where the reference holds them, against what the reference has. "
    "<b>Propagated</b> is the difference that has arrived there from the whole graph. <b>Margin</b> is the "
    "local error over what rounding explains: below 1 is rounding, far above is another computation. "
    "<b>ULP</b> are steps of the element type.</p>\n";

ox_code ox_report(const ox_trace *t, const ox_model *m, const char *reference, FILE *f, ox_error *err)
{
    put_head(f, t, m, reference);
    put_explanations(f, t);
    ox_report_chart(f, t);
    OX_TRY(put_cards(f, t, err));
    OX_TRY(ox_report_graph(f, t, m->graph, err));
    fprintf(f, "%s<footer class=\"mute\">Made by onnxrun trace --report</footer>\n</main>\n%s</body>\n</html>\n",
            legend, script);
    return ferror(f) ? OX_FAIL(err, OX_E_IO, "the report cannot be written") : OX_OK;
}
