/* RegexFullMatch.  PCRE2 stands in for RE2, whose syntax is (but for details) a part of its own; its
 * automaton follows all alternatives at once, so that like RE2's no pattern takes exponential time. */
#include "runtime/op.h"

#include <string.h>

#ifdef OX_HAVE_LIBPCRE2_8
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { FIRST_SPACE = 1024, MOST_SPACE = 1 << 22, DEPTH_LIMIT = 200, HEAP_LIMIT = 1 << 16 };
static const uint32_t match_limit = 10000000;

typedef struct regex {
    pcre2_code *code;
} regex;

/* The pattern lives in the state, what matching needs in the scratch: neither is freed singly. */
static void *take_state(size_t n, void *r) { return ox_state_alloc(r, n, 1); }
static void *take_scratch(size_t n, void *r) { return ox_scratch(r, n); }
static void  forget(void *p, void *r)
{
    (void)p;
    (void)r;
}

static ox_code prepare(ox_run *r)
{
    regex *s = r->state;
    const char *pattern = ox_attr_str(r, "pattern");
    int error;
    PCRE2_SIZE at;
    pcre2_general_context *memory = pcre2_general_context_create(take_state, forget, r);
    if (!memory)
        return OX_NO_MEMORY(r);
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    if (!context)
        return OX_NO_MEMORY(r);
    uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                       PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_START_OPTIMIZE;
    s->code = pcre2_compile((PCRE2_SPTR)(pattern ? pattern : ""), PCRE2_ZERO_TERMINATED, options, &error,
                            &at, context);
    if (!s->code) {
        PCRE2_UCHAR text[128] = "";
        pcre2_get_error_message(error, text, sizeof(text));
        return OX_FAIL(r->err, OX_E_VALUE, "pattern, at %zu: %s", (size_t)at, (const char *)text);
    }
    return OX_OK;
}

typedef struct matcher {
    const pcre2_code    *code;
    pcre2_match_data    *data;
    pcre2_match_context *context;
    int                 *space;
    size_t               n_space;
} matcher;

static ox_code matches(ox_run *r, matcher *m, ox_str s, uint8_t *yes)
{
    for (;;) {
        int got = pcre2_dfa_match(m->code, (PCRE2_SPTR)(s.s ? s.s : ""), s.n, 0, 0, m->data, m->context,
                                  m->space, m->n_space);
        *yes = got >= 0;
        /* Not UTF-8 either way: what is no text matches no pattern. */
        if (got >= PCRE2_ERROR_NOMATCH || (got <= PCRE2_ERROR_UTF8_ERR1 && got >= PCRE2_ERROR_UTF8_ERR21))
            return OX_OK;
        if (got == PCRE2_ERROR_DFA_UITEM)
            return OX_FAIL(r->err, OX_E_UNSUPPORTED, "the pattern has something that RE2 lacks");
        if (got != PCRE2_ERROR_DFA_WSSIZE || m->n_space >= MOST_SPACE)
            return OX_FAIL(r->err, OX_E_LIMIT, "matching takes too much (PCRE2 error %d)", got);
        m->n_space *= 4;
        if (!(m->space = ox_scratch_array(r, m->n_space, sizeof(*m->space))))
            return OX_NO_MEMORY(r);
    }
}

static ox_code run(ox_run *r)
{
    const regex *s = r->state;
    const ox_tensor *x = r->in[0];
    matcher m = { .code = s->code, .n_space = FIRST_SPACE };
    pcre2_general_context *memory = pcre2_general_context_create(take_scratch, forget, r);
    m.space = ox_scratch_array(r, m.n_space, sizeof(*m.space));
    if (!memory || !m.space || !(m.data = pcre2_match_data_create(8, memory)) ||
        !(m.context = pcre2_match_context_create(memory)))
        return OX_NO_MEMORY(r);
    pcre2_set_match_limit(m.context, match_limit);
    pcre2_set_depth_limit(m.context, DEPTH_LIMIT);
    pcre2_set_heap_limit(m.context, HEAP_LIMIT);
    for (int64_t i = 0; i < ox_count(x); i++)
        OX_TRY(matches(r, &m, ((const ox_str *)x->data)[i], (uint8_t *)r->out[0]->data + i));
    return OX_OK;
}

#define STATE sizeof(regex)
#else
static ox_code prepare(ox_run *r)
{
    return OX_FAIL(r->err, OX_E_UNSUPPORTED, "this build lacks the library PCRE2");
}
static ox_code run(ox_run *r) { return prepare(r); }
#define STATE 0
#endif

OX_OP(RegexFullMatch, 20) .infer = ox_infer_like, .prepare = prepare, .run_any = run,
    .key = OX_KEY_NONE, .state_size = STATE, .error = { ERR_EXACT, 0 }, .flags = OX_SYMBOLIC OX_END;
