/* The public header alone: what a program that links the library may rely on. */
#include "include/onnxrun.h"

#include <check.h>
#include <pthread.h>
#include <string.h>

#define MODEL "models/super_resolution/dynamo_opset18.onnx"
enum { SESSIONS = 3, SIDE = 13 };

typedef struct job {
    const onnxrun_model *model;
    onnxrun_error        err;
    onnxrun_code         code;
    int64_t              count;
    float                y[9 * 16 * 16];
} job;

static void *infer(void *arg)
{
    job *j = arg;
    int64_t dim[4] = { 1, 1, SIDE, SIDE };
    onnxrun_value *x = NULL;
    onnxrun_session *s = NULL;
    const onnxrun_value *y = NULL;
    j->code = onnxrun_session_create(j->model, NULL, &s, &j->err);
    if (j->code == ONNXRUN_OK)
        j->code = onnxrun_value_random(onnxrun_session_input(s, 0), dim, 1, &x, &j->err);
    if (j->code == ONNXRUN_OK)
        j->code = onnxrun_session_run(s, (const onnxrun_value *const[]){ x }, &y, &j->err);
    if (j->code == ONNXRUN_OK) {
        j->count = onnxrun_value_count(y);
        memcpy(j->y, onnxrun_value_data(y), (size_t)j->count * sizeof(float));
    }
    onnxrun_session_destroy(s);
    onnxrun_value_destroy(x);
    return NULL;
}

/* Sessions of one model in several threads, symbolic dimensions inferred in each: the same bits. */
START_TEST(sessions_in_threads)
{
    static job j[SESSIONS];
    pthread_t thread[SESSIONS];
    onnxrun_model *m;
    onnxrun_error err;
    ck_assert_msg(onnxrun_model_load(MODEL, &m, &err) == ONNXRUN_OK, "%s", err.text);
    for (int i = 0; i < SESSIONS; i++) {
        j[i].model = m;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, infer, &j[i]), 0);
    }
    for (int i = 0; i < SESSIONS; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_msg(j[i].code == ONNXRUN_OK, "%s", j[i].err.text);
        ck_assert_int_eq(j[i].count, 9 * SIDE * SIDE);
        ck_assert_mem_eq(j[i].y, j[0].y, (size_t)j[i].count * sizeof(float));
    }
    onnxrun_model_destroy(m);
}
END_TEST

Suite *suite_api(void)
{
    Suite *s = suite_create("api");
    TCase *t = tcase_create("threads");
    tcase_add_test(t, sessions_in_threads);
    suite_add_tcase(s, t);
    return s;
}
