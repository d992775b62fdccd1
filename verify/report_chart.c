/* The drawings of the report: error along the graph, errors in ULP, tensors as pictures. */
#include "verify/report.h"

#include "verify/png.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- error along the graph ---- */

enum { WIDTH = 1072, HEIGHT = 280, LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 30 };

typedef struct scale {
    double low, high; /* powers of ten at the edges */
    size_t n;
} scale;

static double allowed_of(const ox_trace_node *n)
{
    if (n->margin > 0 && n->local > 0 && isfinite(n->margin) && isfinite(n->local))
        return n->local / n->margin;
    return n->detail && n->detail->allowed > 0 ? n->detail->allowed : 0;
}

static void widen(scale *s, double v)
{
    if (!(v > 0) || !isfinite(v))
        return;
    s->low = fmin(s->low, floor(log10(v)));
    s->high = fmax(s->high, ceil(log10(v)));
}

static scale scale_of(const ox_trace *t)
{
    scale s = { INFINITY, -INFINITY, t->n_node };
    for (size_t i = 0; i < t->n_node; i++) {
        const ox_trace_node *n = &t->node[i];
        if (!n->judged)
            continue;
        widen(&s, n->local);
        widen(&s, n->propagated);
        widen(&s, allowed_of(n));
    }
    if (!(s.low < s.high))
        s.low = -8, s.high = 0;
    s.low = fmax(s.low, s.high - 24); /* subnormal bounds would flatten all else */
    return s;
}

static double x_at(const scale *s, double i)
{
    return LEFT + (i + 0.5) * (WIDTH - LEFT - RIGHT) / (double)(s->n ? s->n : 1);
}

/* 0 lies on the lower edge, what is not finite on the upper one. */
static double y_at(const scale *s, double v)
{
    double p = v > 0 ? isfinite(v) ? log10(v) : s->high : s->low;
    p = fmin(fmax(p, s->low), s->high);
    return TOP + (s->high - p) / (s->high - s->low) * (HEIGHT - TOP - BOTTOM);
}

static void put_axes(FILE *f, const scale *s)
{
    int step = (int)ceil((s->high - s->low) / 8);
    for (int p = (int)s->low; p <= (int)s->high; p += step < 1 ? 1 : step) {
        double y = y_at(s, pow(10, p));
        fprintf(f, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">1e%d</text>\n",
                LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, p);
    }
    fprintf(f, "<text x=\"%d\" y=\"%d\">first node</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">"
            "last node</text>\n", LEFT, HEIGHT - 8, WIDTH - RIGHT, HEIGHT - 8);
}

static void put_bound(FILE *f, const ox_trace *t, const scale *s)
{
    double half = 0.5 * (WIDTH - LEFT - RIGHT) / (double)(s->n ? s->n : 1);
    fputs("<path class=\"bound\" d=\"", f);
    for (size_t i = 0; i < t->n_node; i++) {
        double a = t->node[i].judged ? allowed_of(&t->node[i]) : 0, x = x_at(s, (double)i);
        if (a > 0)
            fprintf(f, "M%.1f %dV%.1fH%.1fV%dZ", x - half, HEIGHT - BOTTOM, y_at(s, a), x + half,
                    HEIGHT - BOTTOM);
    }
    fputs("\"/>\n", f);
}

static void put_propagated(FILE *f, const ox_trace *t, const scale *s)
{
    bool first = true;
    fputs("<polyline class=\"prop\" points=\"", f);
    for (size_t i = 0; i < t->n_node; i++)
        if (t->node[i].judged) {
            fprintf(f, "%s%.1f,%.1f", first ? "" : " ", x_at(s, (double)i), y_at(s, t->node[i].propagated));
            first = false;
        }
    fputs("\"/>\n", f);
}

void ox_report_chart(FILE *f, const ox_trace *t)
{
    scale s = scale_of(t);
    double r = t->n_node > 200 ? 2 : t->n_node > 60 ? 3 : 4;
    fputs("<h2>Error along the graph</h2>\n<p class=\"mute\">Dots: local error (red: more than rounding "
          "explains). Shaded: what rounding explains. Dashed: propagated error. Absolute, logarithmic; an error "
          "of 0 lies on the lower edge.</p>\n<div class=\"box\">", f);
    fprintf(f, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"Error of each "
            "node\">\n", WIDTH, HEIGHT, WIDTH, HEIGHT);
    put_axes(f, &s);
    put_bound(f, t, &s);
    put_propagated(f, t, &s);
    for (size_t i = 0; i < t->n_node; i++) {
        const ox_trace_node *n = &t->node[i];
        if (!n->judged)
            continue;
        fprintf(f, "<a href=\"#n%zu\"><circle class=\"dot%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%g\"><title>", i,
                n->departs ? " bad" : "", x_at(&s, (double)i), y_at(&s, n->local), n->departs ? r + 1 : r);
        ox_report_text(f, n->node);
        fprintf(f, ": local %.3g, margin %.3g</title></circle></a>\n", n->local, n->margin);
    }
    fputs("</svg></div>\n", f);
}

/* ---- errors in ULP ---- */

static void bin_name(char *buf, size_t n, int i)
{
    if (i < 2)
        snprintf(buf, n, "%s", i ? "\xc2\xbd" : "0");
    else if (i == OX_ULP_BINS - 1)
        snprintf(buf, n, "more");
    else
        snprintf(buf, n, i < 12 ? "%ld" : "2^%ld", i < 12 ? 1L << (i - 2) : (long)i - 2);
}

void ox_report_histogram(FILE *f, const ox_detail *d)
{
    enum { W = 480, PAD = 14, H = 180, BASE = 150, TALL = 128 };
    int64_t most = 1;
    char name[24];
    double wide = (double)W / OX_ULP_BINS;
    for (int i = 0; i < OX_ULP_BINS; i++)
        most = OX_MAX(most, d->bin[i]);
    fprintf(f, "<figure><svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" "
            "aria-label=\"Elements by error in ULP\">\n", W + PAD, H, W + PAD, H);
    for (int i = 0; i < OX_ULP_BINS; i++) {
        double h = (double)d->bin[i] / (double)most * TALL, x = i * wide;
        bin_name(name, sizeof name, i);
        if (d->bin[i] > 0) {
            h = fmax(h, 2); /* a single element shows */
            fprintf(f, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>up to "
                    "%s ULP: %lld elements</title></rect>\n", x + 1, BASE - h, wide - 2, h, name,
                    (long long)d->bin[i]);
        }
        if (i < 3 || i % 3 == 0 || i == OX_ULP_BINS - 1)
            fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x + wide / 2,
                    BASE + 16, name);
    }
    fprintf(f, "<line class=\"grid\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/></svg><figcaption>Elements by "
            "error, in ULP (up to); the tallest bar is %lld elements</figcaption></figure>\n",
            W, BASE, BASE, (long long)most);
}

/* ---- pictures ---- */

/* Grey from black to white, or blue over white to red; the last index is what is not finite. */
static void make_palette(uint8_t p[256][3], bool diverging)
{
    for (int i = 0; i < 255; i++) {
        double x = i / 127.0 - 1, far = fabs(x);
        uint8_t fade = (uint8_t)lrint(255 * (1 - far)), less = (uint8_t)lrint(255 - 90 * far);
        for (int c = 0; c < 3; c++)
            p[i][c] = (uint8_t)i;
        if (diverging) {
            p[i][0] = x < 0 ? fade : less;
            p[i][1] = fade;
            p[i][2] = x > 0 ? fade : less;
        }
    }
    p[255][0] = 255;
    p[255][1] = 0;
    p[255][2] = 220;
}

static ox_code put_picture(FILE *f, const ox_picture *p, const float *v, bool diverging,
                           const char *title, ox_error *err)
{
    size_t n = (size_t)p->width * (size_t)p->height;
    double low = INFINITY, high = -INFINITY;
    uint8_t palette[256][3], *index = malloc(n);
    ox_text url = { 0 };
    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i])) {
            low = fmin(low, (double)v[i]);
            high = fmax(high, (double)v[i]);
        }
    if (diverging) {
        high = fmax(fabs(low), fabs(high));
        low = -high;
    }
    for (size_t i = 0; i < n && index; i++) {
        double x = high > low ? ((double)v[i] - low) / (high - low) : 0.5;
        index[i] = isfinite(v[i]) ? (uint8_t)lrint(254 * fmin(fmax(x, 0), 1)) : 255;
    }
    make_palette(palette, diverging);
    bool good = index && ox_png_url(&url, p->width, p->height, index, palette);
    int zoom = OX_MAX(1, 320 / OX_MAX(p->width, p->height));
    if (good)
        fprintf(f, "<figure><img width=\"%d\" height=\"%d\" alt=\"%s\" src=\"%s\"><figcaption>%s, from %.4g to "
                "%.4g</figcaption></figure>\n", p->width * zoom, p->height * zoom, title, ox_text_str(&url),
                title, low, high);
    ox_text_release(&url);
    free(index);
    return good ? OX_OK : OX_FAIL(err, OX_E_NOMEM, "out of memory");
}

ox_code ox_report_pictures(FILE *f, const ox_picture *p, bool oracle, ox_error *err)
{
    fprintf(f, "<p class=\"mute\">Plane %d of %lld (the one with the worst element), %lld x %lld elements%s. "
            "Values: black to white. Difference: blue is too small, red too large, magenta not finite.</p>\n"
            "<div class=\"flow\">\n", p->plane, (long long)p->n_plane, (long long)p->full_width,
            (long long)p->full_height,
            p->width < p->full_width || p->height < p->full_height
                ? ", reduced: the mean of the values, the largest of the differences" : "");
    OX_TRY(put_picture(f, p, p->got, false, oracle ? "onnxrun" : "reference", err));
    OX_TRY(put_picture(f, p, p->truth, false, "truth", err));
    OX_TRY(put_picture(f, p, p->error, true, "difference", err));
    fputs("</div>\n", f);
    return OX_OK;
}
