/* A JSON writer: compact, streaming into a file or a growing string.
 *
 *     ox_json j = ox_json_to_file(stdout);
 *     ox_json_object(&j);
 *         ox_json_key(&j, "schema"); ox_json_i64(&j, 1);
 *         ox_json_key(&j, "nodes");  ox_json_array(&j); ... ox_json_end(&j);
 *     ox_json_end(&j);
 *     if (!ox_json_finish(&j)) ...
 */
#ifndef OX_BASE_JSON_H
#define OX_BASE_JSON_H

#include "runtime/base/text.h"

#include <stdio.h>

enum { OX_JSON_DEPTH = 64 };

typedef struct ox_json {
    FILE    *file; /* one of the two */
    ox_text *text;
    int      depth;
    uint64_t has_items, is_object; /* a bit for each open level */
    bool     after_key, failed;
} ox_json;

ox_json ox_json_to_file(FILE *f);
ox_json ox_json_to_text(ox_text *t);
/* Ends the line of a file and flushes it; false if anything could not be written, or if the calls
 * did not make one complete value. */
bool ox_json_finish(ox_json *j) OX_MUST_CHECK;

void ox_json_object(ox_json *j);
void ox_json_array(ox_json *j);
void ox_json_end(ox_json *j); /* the innermost of those */
void ox_json_key(ox_json *j, const char *key);

/* Bytes that are not UTF-8 become U+FFFD. */
void ox_json_str(ox_json *j, const char *s); /* NULL: null */
void ox_json_strn(ox_json *j, const char *s, size_t n);
void ox_json_i64(ox_json *j, int64_t v);
void ox_json_u64(ox_json *j, uint64_t v);
void ox_json_f64(ox_json *j, double v); /* fewest digits that read back; NaN, infinities: null */
void ox_json_f32(ox_json *j, float v);
void ox_json_bool(ox_json *j, bool v);
void ox_json_null(ox_json *j);

/* key and value in one call. */
void ox_json_key_str(ox_json *j, const char *key, const char *s);
void ox_json_key_i64(ox_json *j, const char *key, int64_t v);
void ox_json_key_f64(ox_json *j, const char *key, double v);
void ox_json_key_bool(ox_json *j, const char *key, bool v);

#endif
