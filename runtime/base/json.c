/* A JSON writer. */
#include "runtime/base/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

ox_json ox_json_to_file(FILE *f) { return (ox_json){ .file = f }; }
ox_json ox_json_to_text(ox_text *t) { return (ox_json){ .text = t }; }

static void put(ox_json *j, const char *s, size_t n)
{
    if (j->failed || n == 0)
        return;
    if (j->file) {
        j->failed = fwrite(s, 1, n, j->file) != n;
    } else {
        ox_text_add(j->text, s, n);
        j->failed = j->text->failed;
    }
}

static void puts_(ox_json *j, const char *s) { put(j, s, strlen(s)); }

static uint64_t level(const ox_json *j) { return j->depth ? (uint64_t)1 << (j->depth - 1) : 0; }

/* The comma before a value or key, and the rules of where one may stand. */
static void begin(ox_json *j, bool is_key)
{
    bool in_object = j->is_object & level(j);
    if (j->after_key ? is_key : is_key != in_object)
        j->failed = true; /* a value without key, or a key outside an object */
    if (j->depth == 0 && j->has_items)
        j->failed = true; /* a second top-level value */
    if (!j->after_key && j->depth && j->has_items & level(j))
        put(j, ",", 1);
    j->has_items |= j->depth ? level(j) : 1;
    j->after_key = is_key;
}

static void open_level(ox_json *j, bool object)
{
    begin(j, false);
    if (j->depth == OX_JSON_DEPTH) {
        j->failed = true;
        return;
    }
    put(j, object ? "{" : "[", 1);
    j->depth++;
    j->has_items &= ~level(j);
    j->is_object = object ? j->is_object | level(j) : j->is_object & ~level(j);
}

void ox_json_object(ox_json *j) { open_level(j, true); }
void ox_json_array(ox_json *j) { open_level(j, false); }

void ox_json_end(ox_json *j)
{
    if (j->depth == 0 || j->after_key) {
        j->failed = true;
        return;
    }
    put(j, j->is_object & level(j) ? "}" : "]", 1);
    j->depth--;
    j->has_items |= j->depth ? level(j) : 1;
}

/* Length of the UTF-8 sequence at s; 0 if it is none: overlong, surrogate, cut off, too large. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
        return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

/* What stands for character c inside quotes; NULL: itself. */
static const char *escape(unsigned char c, char buf[8])
{
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    }
    if (c >= 0x20 && c != 0x7f)
        return NULL;
    snprintf(buf, 8, "\\u%04x", c);
    return buf;
}

static void quote(ox_json *j, const char *str, size_t n)
{
    const unsigned char *s = (const unsigned char *)str;
    char buf[8];
    size_t done = 0, i = 0; /* [done, i) waits to be written as it is */
    put(j, "\"", 1);
    while (i < n) {
        size_t len = utf8_length(s + i, n - i);
        const char *other = len == 0 ? "\xef\xbf\xbd" : len == 1 ? escape(s[i], buf) : NULL;
        if (other) {
            put(j, str + done, i - done);
            puts_(j, other);
            done = i + 1;
        }
        i += len ? len : 1;
    }
    put(j, str + done, n - done);
    put(j, "\"", 1);
}

void ox_json_key(ox_json *j, const char *key)
{
    begin(j, true);
    quote(j, key, strlen(key));
    put(j, ":", 1);
}

static void literal(ox_json *j, const char *s)
{
    begin(j, false);
    puts_(j, s);
}

void ox_json_strn(ox_json *j, const char *s, size_t n)
{
    begin(j, false);
    quote(j, n ? s : "", n);
}
void ox_json_str(ox_json *j, const char *s)
{
    if (s)
        ox_json_strn(j, s, strlen(s));
    else
        ox_json_null(j);
}
void ox_json_null(ox_json *j) { literal(j, "null"); }
void ox_json_bool(ox_json *j, bool v) { literal(j, v ? "true" : "false"); }

void ox_json_i64(ox_json *j, int64_t v)
{
    char buf[OX_NUMBER_TEXT];
    snprintf(buf, sizeof(buf), "%" PRId64, v);
    literal(j, buf);
}
void ox_json_u64(ox_json *j, uint64_t v)
{
    char buf[OX_NUMBER_TEXT];
    snprintf(buf, sizeof(buf), "%" PRIu64, v);
    literal(j, buf);
}
void ox_json_f64(ox_json *j, double v)
{
    char buf[OX_NUMBER_TEXT];
    literal(j, isfinite(v) ? ox_format_f64(buf, v) : "null");
}
void ox_json_f32(ox_json *j, float v)
{
    char buf[OX_NUMBER_TEXT];
    literal(j, isfinite(v) ? ox_format_f32(buf, v) : "null");
}

void ox_json_key_str(ox_json *j, const char *key, const char *s)
{
    ox_json_key(j, key);
    ox_json_str(j, s);
}
void ox_json_key_i64(ox_json *j, const char *key, int64_t v)
{
    ox_json_key(j, key);
    ox_json_i64(j, v);
}
void ox_json_key_f64(ox_json *j, const char *key, double v)
{
    ox_json_key(j, key);
    ox_json_f64(j, v);
}
void ox_json_key_bool(ox_json *j, const char *key, bool v)
{
    ox_json_key(j, key);
    ox_json_bool(j, v);
}

bool ox_json_finish(ox_json *j)
{
    if (j->depth || j->after_key || !j->has_items)
        j->failed = true;
    if (j->file) {
        put(j, "\n", 1);
        if (fflush(j->file) || ferror(j->file))
            j->failed = true;
    }
    return !j->failed;
}
