/* The stage "load": a file or bytes in, a model out. */
#include "runtime/load/load.h"

#include "runtime/base/log.h"
#include "runtime/load/build.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { NEWEST_IR = 14 };

/* What loading may take besides weights.  Fields of two bytes become structs of two hundred, so a
 * hostile file could ask for a hundred times its size; real ones need less than their own. */
static size_t budget_for(size_t n)
{
    size_t budget;
    if (!ox_mul_size(&budget, n, 16) || !ox_add_size(&budget, budget, (size_t)256 << 20))
        budget = SIZE_MAX;
    return OX_MIN(budget, OX_MAX(ox_buf_capacity_left(), (size_t)1));
}

/* Files that people take for models.  NULL: none of these. */
static const char *other_format(const uint8_t *p, size_t n)
{
    static const struct {
        size_t at;
        const char *magic, *what;
    } known[] = {
        {0, "version https://git-lfs", "a Git LFS pointer: the model itself has not been fetched"},
        {0, "PK\3\4", "a zip archive (PyTorch checkpoints are such)"},
        {0, "\x1f\x8b", "compressed with gzip"},
        {0, "\x89HDF", "an HDF5 file"},
        {4, "TFL3", "a TensorFlow Lite model"},
        {4, "ORTM", "a model in ONNX Runtime's own format"},
        {0, "\x93NUMPY", "a NumPy array"},
        {0, "<!DOCTYPE", "a web page"},
        {0, "<html", "a web page"},
        {0, "{", "text"},
    };
    for (size_t i = 0; i < OX_COUNT(known); i++) {
        size_t len = strlen(known[i].magic);
        if (n >= known[i].at + len && memcmp(p + known[i].at, known[i].magic, len) == 0)
            return known[i].what;
    }
    for (size_t i = 0; i < n && i < 64; i++)
        if ((p[i] < 0x20 && !strchr("\t\n\r\f", p[i])) || p[i] == 0 || p[i] >= 0x7f)
            return NULL;
    return n ? "text" : NULL;
}

static ox_code not_a_model(const uint8_t *p, size_t n, const char *why, ox_error *err)
{
    const char *other = other_format(p, n);
    if (other)
        return OX_FAIL(err, OX_E_PARSE, "not an ONNX model: this is %s", other);
    return OX_FAIL(err, OX_E_PARSE, "not an ONNX model: %s", why);
}

static const char *keep_text(ox_builder *b, const char *s)
{
    return ox_build_text(b, s ? s : "");
}

static ox_code model_fields(ox_builder *b)
{
    const OxPb__ModelProto *p = b->proto;
    ox_model *m = b->m;
    int64_t ir = p->has_ir_version ? p->ir_version : NEWEST_IR;
    m->ir_version = ir < 0 || ir > INT_MAX ? INT_MAX : (int)ir;
    if (m->ir_version > NEWEST_IR)
        ox_log("IR version %d is newer than the newest known, %d", m->ir_version, NEWEST_IR);
    if (p->n_training_info)
        ox_log("training information is ignored");
    m->model_version = p->model_version;
    m->producer = keep_text(b, p->producer_name);
    m->producer_version = keep_text(b, p->producer_version);
    m->model_domain = keep_text(b, p->domain);
    m->doc = keep_text(b, p->doc_string);
    m->meta = ox_arena_array(m->arena, p->n_metadata_props, sizeof *m->meta);
    m->opset = ox_arena_array(m->arena, p->n_opset_import, sizeof *m->opset);
    if (!m->producer || !m->producer_version || !m->model_domain || !m->doc || !m->meta ||
        !m->opset || p->n_metadata_props > INT_MAX || p->n_opset_import > INT_MAX)
        return ox_build_no_memory(b);
    for (size_t i = 0; i < p->n_metadata_props; i++) {
        ox_meta *meta = &m->meta[m->n_meta++];
        meta->key = keep_text(b, p->metadata_props[i]->key);
        meta->value = keep_text(b, p->metadata_props[i]->value);
        if (!meta->key || !meta->value)
            return ox_build_no_memory(b);
    }
    OX_TRY(ox_build_opsets(b, p->opset_import, p->n_opset_import, &b->opset));
    for (size_t i = 0; i < p->n_opset_import; i++) {
        ox_opset *o = &m->opset[m->n_opset++];
        o->domain = keep_text(b, ox_build_domain(p->opset_import[i]->domain));
        o->version = (int)p->opset_import[i]->version;
        if (!o->domain)
            return ox_build_no_memory(b);
    }
    return OX_OK;
}

static ox_code build(ox_builder *b, const uint8_t *bytes, size_t n)
{
    ProtobufCMessage *message;
    ox_error why = {0};
    ox_code code =
        ox_wire_read(&ox_pb__model_proto__descriptor, bytes, n, b->a, b->m->arena, &message, &why);
    if (code == OX_E_PARSE)
        return not_a_model(bytes, n, why.message, b->err);
    if (code != OX_OK)
        return OX_FAIL(b->err, code, "%s", why.message);
    b->proto = (const OxPb__ModelProto *)message;
    if (!b->proto->graph)
        return not_a_model(bytes, n, n ? "it has no graph" : "the file is empty", b->err);
    ox_names_init(&b->text, b->a);
    OX_TRY(model_fields(b));
    OX_TRY(ox_build_functions(b));
    OX_TRY(ox_build_graph(b, b->proto->graph, NULL, NULL, &b->m->graph));
    ox_graph_check(b->m->graph);
    return OX_OK;
}

/* b has place.reference, place.mapped and err set; folder may be NULL. */
static ox_code load(ox_builder *b, const uint8_t *bytes, size_t n, const char *path,
                    const char *folder)
{
    b->m = ox_model_create(budget_for(n));
    b->a = ox_arena_create(budget_for(n));
    ox_code code = OX_E_NOMEM;
    if (b->m && b->a && (!b->place.mapped || ox_weights_mapped(b->m, bytes, n))) {
        b->m->n_bytes = n;
        b->m->path = ox_arena_strndup(b->m->arena, path, strlen(path));
        b->place.model = b->m;
        if (folder)
            b->place.external = ox_external_create(b->m, b->a, folder);
        if (b->m->path && (!folder || b->place.external))
            code = build(b, bytes, n);
    }
    if (code == OX_E_NOMEM)
        (void)OX_FAIL(b->err, code, "out of memory");
    ox_external_release(b->place.external);
    ox_arena_destroy(b->a);
    return code;
}

/* Gives the model what it needs to live, or destroys it. */
static ox_code finish(ox_builder *b, ox_code code, ox_model **out)
{
    if (code == OX_OK) {
        *out = b->m;
    } else {
        ox_model_destroy(b->m);
        *out = NULL;
    }
    return code;
}

ox_code ox_load_bytes(const void *bytes, size_t n, const ox_load_options *options, ox_model **out,
                      ox_error *err)
{
    ox_builder b = {.err = err, .place = {.reference = options && options->keep}};
    ox_code code = load(&b, bytes, n, "", options ? options->folder : NULL);
    return finish(&b, code, out);
}

/* The folder part of a path, in fresh memory. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    const char *from = !slash ? "." : n == 0 ? "/" : path;
    n = OX_MAX(n, (size_t)1);
    char *folder = malloc(n + 1);
    if (folder) {
        memcpy(folder, from, n);
        folder[n] = 0;
    }
    return folder;
}

ox_code ox_load_file(const char *path, const ox_load_options *options, ox_model **out,
                     ox_error *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    ox_builder b = {.err = err, .place = {.reference = true}};
    *out = NULL;
    OX_TRY(ox_file_open(path, &bytes, &n, &b.place.mapped, err));
    b.defer = options && options->defer && b.place.mapped;
    void (*release)(void *, size_t) = b.place.mapped ? ox_file_close : ox_file_free;
    char *own_folder = options && options->folder ? NULL : folder_of(path);
    const char *folder = options && options->folder ? options->folder : own_folder;
    ox_code code =
        folder ? load(&b, bytes, n, path, folder) : OX_FAIL(err, OX_E_NOMEM, "out of memory");
    free(own_folder);
    if (code == OX_OK && b.place.referenced) {
        if (!ox_model_defer(b.m, release, bytes, n)) {
            release(bytes, n);
            code = OX_FAIL(err, OX_E_NOMEM, "out of memory");
        }
    } else {
        release(bytes, n);
    }
    return finish(&b, code, out);
}
