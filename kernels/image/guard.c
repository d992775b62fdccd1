#include "kernels/image/image.h"

#include <pthread.h>

typedef struct call { ox_guarded_fn *decode; void *ctx; } call;

static void *enter(void *arg)
{
    const call *c = arg;
    return c->decode(c->ctx) ? arg : NULL;
}

bool ox_image_guard(ox_image *im, ox_guarded_fn *decode, void *ctx)
{
    call      c = { decode, ctx };
    pthread_t thread;
    void     *done = NULL;
    if (pthread_create(&thread, NULL, enter, &c) != 0) {
        im->code = OX_FAIL(im->r->err, OX_E_NOMEM, "cannot start a thread to decode in");
        return false;
    }
    pthread_join(thread, &done);
    return done != NULL;
}

void ox_image_quit(void) { pthread_exit(NULL); }
