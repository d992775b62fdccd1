/* The header is a Python dict literal.  Numpy writes one shape of it; we read any order of the
 * three keys, either quote and any blanks, and nothing else. */
#include "runtime/io/npy.h"

#include <string.h>

enum { MAX_HEADER = 1 << 20 };

typedef struct cursor {
    const char *p, *end;
    ox_error   *err;
} cursor;

static ox_code bad(cursor *c, const char *what)
{
    return OX_FAIL(c->err, OX_E_PARSE, "not a valid .npy header: %s", what);
}

static void blanks(cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

static bool take(cursor *c, char wanted)
{
    blanks(c);
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    size_t n = strlen(word);
    blanks(c);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

static ox_code string(cursor *c, char *to, size_t n_to)
{
    blanks(c);
    if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
        return bad(c, "a quoted word is missing");
    char quote = *c->p++;
    const char *start = c->p;
    while (c->p < c->end && *c->p != quote)
        c->p++;
    size_t n = (size_t)(c->p - start);
    if (c->p == c->end || memchr(start, '\\', n) || memchr(start, 0, n))
        return bad(c, "a quoted word does not end");
    if (n >= n_to)
        return bad(c, "a quoted word is too long");
    c->p++;
    memcpy(to, start, n);
    to[n] = 0;
    return OX_OK;
}

static ox_code number(cursor *c, int64_t *to)
{
    blanks(c);
    if (c->p == c->end || *c->p < '0' || *c->p > '9')
        return bad(c, "a dimension is no number");
    int64_t v = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
        if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
            __builtin_add_overflow(v, *c->p - '0', &v))
            return bad(c, "a dimension is too large");
    if (c->p < c->end && *c->p == 'L') /* written by Python 2 */
        c->p++;
    *to = v;
    return OX_OK;
}

static ox_code shape(cursor *c, ox_npy *h)
{
    if (!take(c, '('))
        return bad(c, "the shape is no tuple");
    h->rank = 0;
    while (!take(c, ')')) {
        if (h->rank == OX_MAX_RANK)
            return OX_FAIL(c->err, OX_E_LIMIT, "the array has more than %d dimensions",
                           OX_MAX_RANK);
        OX_TRY(number(c, &h->dim[h->rank++]));
        if (take(c, ','))
            continue;
        if (h->rank == 1 || !take(c, ')')) /* (3) is no tuple */
            return bad(c, "the shape is no tuple");
        break;
    }
    return OX_OK;
}

static bool size_known(char kind, size_t item)
{
    switch (kind) {
    case 'b': return item == 1;
    case 'i':
    case 'u': return item == 1 || item == 2 || item == 4 || item == 8;
    case 'f': return item == 1 || item == 2 || item == 4 || item == 8;
    case 'c': return item == 8 || item == 16;
    case 'V': return item == 1 || item == 2;
    default: return kind == 'U' || kind == 'S';
    }
}

/* "<f4": byte order, kind, bytes (of U: characters of 4 bytes). */
static ox_code descr(cursor *c, const char *s, ox_npy *h)
{
    const uint16_t one = 1;
    bool little = *(const uint8_t *)&one == 1;
    char order = '=';
    if (*s == '<' || *s == '>' || *s == '|' || *s == '=')
        order = *s++;
    h->kind = *s ? *s++ : '?';
    if (h->kind == 'O')
        return OX_FAIL(c->err, OX_E_TYPE,
                       "the array holds Python objects (dtype object), which are not read: save it "
                       "with a numeric or string dtype");
    if (h->kind == 'M' || h->kind == 'm')
        return OX_FAIL(c->err, OX_E_TYPE,
                       "the array holds dates or times, which ONNX has no type for");
    h->item = 0;
    size_t digits = strspn(s, "0123456789");
    if (digits == 0 || digits > 9 || s[digits])
        return OX_FAIL(c->err, OX_E_TYPE, "numpy dtype of kind '%c' is not one of ONNX's",
                       h->kind > ' ' && h->kind < 127 ? h->kind : '?');
    for (; *s; s++)
        h->item = h->item * 10 + (size_t)(*s - '0');
    if (!size_known(h->kind, h->item))
        return OX_FAIL(c->err, OX_E_TYPE, "numpy dtype '%c%zu' is not one of ONNX's", h->kind,
                       h->item);
    if (h->kind == 'U')
        h->item *= 4;
    h->swap = (order == '<' && !little) || (order == '>' && little);
    if (h->swap && h->kind == 'V')
        return OX_FAIL(c->err, OX_E_TYPE,
                       "numpy dtype '>V%zu' has a byte order that numpy does not define", h->item);
    return OX_OK;
}

static ox_code dtype(cursor *c, ox_npy *h)
{
    char text[64];
    blanks(c);
    if (c->p < c->end && *c->p == '[')
        return OX_FAIL(
            c->err, OX_E_TYPE,
            "the array has a structured dtype (named fields), which ONNX has no type for");
    if (c->p < c->end && *c->p == '(')
        return OX_FAIL(c->err, OX_E_TYPE,
                       "the array has a sub-array dtype, which ONNX has no type for");
    OX_TRY(string(c, text, sizeof text));
    return descr(c, text, h);
}

static ox_code entry(cursor *c, ox_npy *h, unsigned *seen)
{
    char key[32];
    unsigned bit;
    OX_TRY(string(c, key, sizeof key));
    if (!take(c, ':'))
        return bad(c, "':' is missing");
    if (strcmp(key, "descr") == 0) {
        bit = 1;
        OX_TRY(dtype(c, h));
    } else if (strcmp(key, "fortran_order") == 0) {
        bit = 2;
        h->fortran = take_word(c, "True");
        if (!h->fortran && !take_word(c, "False"))
            return bad(c, "fortran_order is neither True nor False");
    } else if (strcmp(key, "shape") == 0) {
        bit = 4;
        OX_TRY(shape(c, h));
    } else {
        return bad(c, "it has a key other than descr, fortran_order, shape");
    }
    if (*seen & bit)
        return bad(c, "a key occurs twice");
    *seen |= bit;
    return OX_OK;
}

static ox_code dict(cursor *c, ox_npy *h)
{
    unsigned seen = 0;
    if (!take(c, '{'))
        return bad(c, "no dict");
    while (!take(c, '}')) {
        OX_TRY(entry(c, h, &seen));
        if (take(c, ','))
            continue;
        if (!take(c, '}'))
            return bad(c, "the dict does not end");
        break;
    }
    blanks(c);
    if (c->p != c->end)
        return bad(c, "something follows the dict");
    if (seen != 7)
        return bad(c, "descr, fortran_order or shape is missing");
    return OX_OK;
}

ox_code ox_npy_header(const uint8_t *p, size_t n, ox_npy *h, ox_error *err)
{
    memset(h, 0, sizeof *h);
    if (n < 10 || memcmp(p, "\x93NUMPY", 6) != 0)
        return OX_FAIL(err, OX_E_PARSE, "not a .npy file: its first bytes are not \\x93NUMPY");
    if (p[6] < 1 || p[6] > 3 || p[7] != 0)
        return OX_FAIL(err, OX_E_PARSE, ".npy version %d.%d is unknown (1.0 to 3.0 are read)", p[6],
                       p[7]);
    size_t at = p[6] == 1 ? 10 : 12, length = p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) {
        if (n < 12)
            return OX_FAIL(err, OX_E_PARSE, "the .npy file is cut off in its header");
        length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    }
    if (length > MAX_HEADER)
        return OX_FAIL(err, OX_E_LIMIT, "the .npy header claims %zu bytes (%d are allowed)", length,
                       MAX_HEADER);
    if (length > n - at)
        return OX_FAIL(err, OX_E_PARSE, "the .npy file is cut off in its header");
    h->offset = at + length;
    cursor c = { (const char *)p + at, (const char *)p + h->offset, err };
    return dict(&c, h);
}
