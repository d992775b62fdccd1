/* The graph as a list in its order, with lines that lead values from the node that makes them to those that
 * read them: as wide as values are alive at once, so it stays readable for hundreds of nodes. */
#include "verify/report.h"

#include "runtime/graph/names.h"

#include <string.h>

enum { LANES = 20, STEP = 14, ROW = 26 };

typedef struct lanes {
    const ox_graph *g;
    ox_arena *arena;
    bool     *fixed;       /* [n_value] made of constants alone */
    size_t   *last;        /* [n_value] index of the node that reads it last */
    int       value[LANES]; /* what a lane carries; -1: nothing */
    int       wide;         /* lanes in use at once, at most */
} lanes;

static double middle(int lane) { return STEP * (lane + 0.5); }

static int lane_of(const lanes *l, int v)
{
    for (int i = 0; i < LANES; i++)
        if (l->value[i] == v)
            return i;
    return -1;
}

static int free_lane(const lanes *l) { return lane_of(l, -1); }

/* f NULL: only counted. */
static void bend(FILE *f, double x0, double y0, double x1, double y1)
{
    if (f)
        fprintf(f, "<path class=\"edge\" d=\"M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f\"/>", x0, y0, x0,
                (y0 + y1) / 2, x1, (y0 + y1) / 2, x1, y1);
}

/* Draws the row of node i (f NULL: does not) and moves the lanes on. */
static void put_lanes(FILE *f, lanes *l, size_t i, bool departs)
{
    const ox_node *n = &l->g->node[i];
    int at = -1, before[LANES];
    memcpy(before, l->value, sizeof before);
    for (int k = 0, v; (v = ox_node_read(n, k)) != OX_NO_MORE; k++) {
        int lane = v < 0 ? -1 : lane_of(l, v);
        if (lane >= 0 && l->last[v] <= i) {
            at = at < 0 ? lane : at;
            l->value[lane] = -1;
        }
    }
    at = at < 0 ? free_lane(l) : at;
    at = at < 0 ? LANES - 1 : at; /* more than are drawn */
    if (f)
        fprintf(f, "<svg width=\"%d\" height=\"%d\" aria-hidden=\"true\">", l->wide * STEP, ROW);
    for (int k = 0; k < LANES && f; k++)
        if (before[k] >= 0 && l->value[k] == before[k] && k != at)
            fprintf(f, "<path class=\"edge\" d=\"M%.0f 0V%d\"/>", middle(k), ROW);
    for (int k = 0, v; (v = ox_node_read(n, k)) != OX_NO_MORE; k++)
        for (int lane = 0; v >= 0 && lane < LANES; lane++)
            if (before[lane] == v)
                bend(f, middle(lane), 0, middle(at), ROW / 2.0);
    for (int k = 0; k < n->n_out; k++) {
        int v = n->out[k], lane = k == 0 && l->value[at] < 0 ? at : free_lane(l);
        if (v < 0 || l->g->value[v].n_uses == 0 || lane < 0 || (l->last[v] <= i && !l->g->value[v].is_output))
            continue;
        l->value[lane] = l->last[v] > i ? v : -1;
        bend(f, middle(at), ROW / 2.0, middle(lane), ROW);
    }
    l->wide = OX_MAX(l->wide, at + 1);
    for (int k = 0; k < LANES; k++)
        l->wide = l->value[k] >= 0 ? OX_MAX(l->wide, k + 1) : l->wide;
    if (f)
        fprintf(f, "<circle class=\"dot%s\" cx=\"%.0f\" cy=\"%d\" r=\"%d\"/></svg>", departs ? " bad" : "",
            middle(at), ROW / 2, departs ? 5 : 4);
}

static void put_cells(FILE *f, const ox_node *n, const ox_trace_node *r)
{
    const char *state = !r ? "" : r->departs ? "departs" : r->judged ? "ok" : r->held ? "no truth" : "not held";
    fprintf(f, "</td><td class=\"%s\">%s</td><td class=\"name\" title=\"", r && r->departs ? "departs"
            : r && r->judged ? "ok" : "mute", state);
    ox_report_text(f, n->name);
    fputs("\">", f);
    ox_report_text(f, n->name);
    fputs("</td><td>", f);
    ox_report_text(f, n->op_type);
    fputs("</td><td>", f);
    if (r && r->detail) {
        fprintf(f, "%s[", ox_dtype_name(r->detail->dtype));
        for (int k = 0; k < r->detail->rank; k++)
            fprintf(f, "%s%lld", k ? "," : "", (long long)r->detail->dim[k]);
        fputs("]", f);
    }
    if (r && r->judged)
        fprintf(f, "</td><td class=\"n\">%.3g</td><td class=\"n\">%.3g</td><td class=\"n\">%.3g</td></tr>\n",
                r->local, r->propagated, r->margin);
    else
        fputs("</td><td></td><td></td><td></td></tr>\n", f);
}

static const char head[] =
    "<h2>The graph</h2>\n<p id=\"find\" hidden><label>Find <input id=\"q\" type=\"search\"></label>"
    "<label><input id=\"d\" type=\"checkbox\" style=\"width:auto\"> only what departs</label></p>\n"
    "<div class=\"box\"><table id=\"graph\"><thead><tr><th>flow</th><th></th><th>node</th><th>operator</th>"
    "<th>type</th><th class=\"n\">local</th><th class=\"n\">propagated</th><th class=\"n\">margin</th></tr>"
    "</thead><tbody>\n";

/* The row of the trace with the largest margin among the node's outputs; -1. */
static int row_of(const ox_trace *t, const ox_graph *g, const ox_node *n, const ox_names *rows)
{
    int best = -1;
    for (int k = 0; k < n->n_out; k++) {
        int r = n->out[k] < 0 ? -1 : ox_names_get(rows, g->value[n->out[k]].name, -1);
        if (r >= 0 && (best < 0 || t->node[r].margin > t->node[best].margin))
            best = r;
    }
    return best;
}

static void begin(lanes *l)
{
    const ox_graph *g = l->g;
    for (int k = 0; k < LANES; k++)
        l->value[k] = k < g->n_in && g->value[g->in[k]].n_uses > 0 ? g->in[k] : -1;
}

static void put_row(FILE *f, const ox_trace *t, lanes *l, size_t i, const ox_names *rows)
{
    const ox_node *n = &l->g->node[i];
    int r = row_of(t, l->g, n, rows);
    bool departs = r >= 0 && t->node[r].departs;
    if (f) {
        fputs("<tr", f);
        if (r >= 0)
            fprintf(f, " id=\"n%d\"", r);
        fprintf(f, "%s><td class=\"lane\">", departs ? " data-d=\"1\"" : "");
    }
    put_lanes(f, l, i, departs);
    if (f)
        put_cells(f, n, r >= 0 ? &t->node[r] : NULL);
}

/* What is computed once and for all is no part of the flow. */
static bool is_fixed(lanes *l, const ox_node *n)
{
    for (int k = 0, v; (v = ox_node_read(n, k)) != OX_NO_MORE; k++)
        if (v >= 0 && !l->g->value[v].constant && !l->fixed[v])
            return false;
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] >= 0)
            l->fixed[n->out[k]] = true;
    return true;
}

/* Once for the width, once to draw. */
static void put_rows(FILE *f, const ox_trace *t, lanes *l, const ox_names *rows)
{
    const ox_graph *g = l->g;
    for (size_t i = 0; i < g->n_node; i++)
        for (int k = 0, v; (v = ox_node_read(&g->node[i], k)) != OX_NO_MORE; k++)
            if (v >= 0)
                l->last[v] = i;
    for (int pass = 0; pass < 2; pass++) {
        begin(l);
        for (size_t i = 0; i < g->n_node; i++)
            if (!is_fixed(l, &g->node[i]) || row_of(t, g, &g->node[i], rows) >= 0)
                put_row(pass ? f : NULL, t, l, i, rows);
    }
}

ox_code ox_report_graph(FILE *f, const ox_trace *t, const ox_graph *g, ox_error *err)
{
    ox_arena *a = ox_arena_create(0);
    lanes l = { .g = g, .arena = a };
    ox_names rows;
    l.fixed = a ? ox_arena_array(a, g->n_value + 1, sizeof(*l.fixed)) : NULL;
    bool good = l.fixed && (l.last = ox_arena_array(a, g->n_value + 1, sizeof(*l.last)));
    ox_names_init(&rows, a);
    for (size_t i = 0; i < t->n_node && good; i++)
        if (!t->node[i].inner)
            good = ox_names_put(&rows, t->node[i].value, (int)i);
    ox_code code = good ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
    fputs(head, f);
    if (code == OX_OK)
        put_rows(f, t, &l, &rows);
    fputs("</tbody></table></div>\n", f);
    ox_arena_destroy(a);
    return code;
}
