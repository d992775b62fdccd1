/* RNN, GRU and LSTM share everything but the arithmetic of one time step: see rnn.c.
 *
 * Per direction: all X W' + bias in one product, then per step one product H R' and the cell: in sequence.c for
 * float32, in op_rnn.c for double. */
#ifndef OX_RNN_H
#define OX_RNN_H

#include "kernels/gemm/gemm.h"
#include "runtime/op.h"

typedef enum ox_rnn_act {
    OX_RNN_RELU, OX_RNN_TANH, OX_RNN_SIGMOID, OX_RNN_AFFINE, OX_RNN_LEAKY_RELU, OX_RNN_THRESHOLDED_RELU,
    OX_RNN_SCALED_TANH, OX_RNN_HARD_SIGMOID, OX_RNN_ELU, OX_RNN_SOFTSIGN, OX_RNN_SOFTPLUS,
} ox_rnn_act;

typedef struct ox_rnn_activation {
    ox_rnn_act kind;
    double     alpha, beta;
} ox_rnn_activation;

typedef struct ox_rnn {
    int     gates;            /* 1 RNN, 3 GRU (z r h), 4 LSTM (i o f c) */
    int     n_act;            /* activations of one direction */
    bool    cell;             /* has a cell state (LSTM) */
    int64_t seq, batch, in, hidden;
    int     dirs;
    bool    first_back;       /* direction 0 runs backwards */
    bool    batch_first;      /* layout 1 */
    bool    reset_after;      /* GRU linear_before_reset */
    bool    coupled;          /* LSTM input_forget */
    double  clip;             /* infinity: none */
    ox_rnn_activation act[2][3];
    ox_gemm_plan x_plan, h_plan, n_plan; /* X W', H R' (GRU reset before: z and r only), its h gate */
    const void  *x_packed[2], *h_packed[2], *n_packed[2];
    const void  *sequence_packed[2]; /* float32: R for sequence.c; NULL: it is no constant */
} ox_rnn;

/* Shapes, attributes, plans.  Records set gates, n_act and cell before. */
ox_code ox_rnn_infer(ox_run *r, int gates, int n_states) OX_MUST_CHECK;
ox_code ox_rnn_prepare(ox_run *r, ox_rnn *s) OX_MUST_CHECK;
int64_t ox_rnn_flops(const ox_run *r);

/* ---- all steps at once, in float32 (sequence.c) ---- */
typedef struct ox_rnn_sequence {
    const void    *weights;   /* R as ox_rnn_sequence_pack leaves it */
    int64_t        longest;
    const int64_t *len;       /* of each sequence */
    bool           back;
    const float   *xw;        /* [longest][batch][gates * hidden]: X W' + bias */
    const float   *bias_h;    /* GRU: the recurrent bias of the h gate, or NULL */
    const float   *peepholes; /* LSTM: of i, o and f; or NULL */
    float         *h, *c;     /* [batch][hidden]: initial state, then the last one */
    float         *y;         /* state of every step, y_step elements apart, y_row from sequence to sequence; or NULL */
    int64_t        y_step, y_row;
} ox_rnn_sequence;

size_t  ox_rnn_sequence_pack_bytes(const ox_rnn *s); /* SIZE_MAX: too many */
void    ox_rnn_sequence_pack(const ox_rnn *s, const float *rows, float *to); /* the layout depends on whether batch is 1 */
ox_code ox_rnn_sequence_run(ox_run *r, const ox_rnn *s, int d, const ox_rnn_sequence *q) OX_MUST_CHECK;

ox_oracle_fn ox_rnn_oracle;
double ox_rnn_activate(const ox_rnn_activation *a, double v);

#endif
