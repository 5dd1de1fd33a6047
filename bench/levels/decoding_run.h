/* Inside bench/levels: the state of some sequences, and what takes tokens through it. */
#ifndef TN_DECODING_RUN_H
#define TN_DECODING_RUN_H

#include "decode_step.h"
#include "decoding.h"

enum {
    DECODING_INPUTS = 8
}; /* rows of x that follow one another at most: a step is not like the one before */

/* A span of steps of one kind of layer. */
typedef struct decoding_side {
    tn_decode_step_shape step;
    int64_t period;    /* steps of a span */
    int32_t *steps;    /* [period,3,B], as decode_step has them */
    uint8_t *given;    /* [period,B] */
    int64_t *contexts; /* [period] as tn_decode_step_args.context */
    tn_buffer *d_steps, *d_given, *out /* [period,B,D] */, *routes /* [period,B] */, *projected /* [B] */;
} decoding_side;

typedef struct decoding_run {
    tn_context *ctx;
    tn_device *dev;
    const tn_decoding_shape *shape;
    uint64_t seed;
    int64_t *contexts; /* [B] */
    int64_t capacity, ring_rows;
    decoding_side
        sides[3]; /* what is timed: of a masked layer two; behind them attention beside a routed one */
    int mine, count;
    float *noise;              /* what keys and values are made of */
    float *weights, *ring, *x; /* [floats], [B,ring_rows,D], [2,inputs,B,D]: what is timed, and another */
    int32_t table[TN_DECODE_STEP_COLUMNS + TN_DECODE_STEP_BESIDE];
    int64_t floats, inputs;
    tn_buffer *d_weights, *d_table, *d_ring, *k, *v, *d_x[DECODING_INPUTS];
    int watched;  /* launches that were watched so far */
    bool sampled; /* not every sequence was held against the reference */
} decoding_run;

/* The contexts of the sequences, [B]: the same for one seed. */
void tn_decoding_run_contexts(const tn_decoding_shape *shape, uint64_t seed, int64_t *contexts);
/* ctx, dev, shape and seed are set. To be freed also where it fails. */
tn_status tn_decoding_run_make(decoding_run *r);
void tn_decoding_run_free(decoding_run *r);
double tn_decoding_run_bytes(const decoding_run *r); /* of the state, on the device */

/* Keys (what = 0) or values (1) of positions from to end − 1 of sequence b, as the state begins: [end −
 * from,D]. */
void tn_decoding_run_cache(const decoding_run *r, int what, int64_t b, int64_t from, int64_t end, float *out);
tn_status tn_decoding_run_input(decoding_run *r, bool other); /* x as it is timed, or another */
/* The state as it begins, wherever a span of any side writes to it, for a span of this one. */
tn_status tn_decoding_run_reset(decoding_run *r, const decoding_side *side);
tn_status tn_decoding_run_span(decoding_run *r, const decoding_side *side);

/* A span of every side on the state as it begins, on buffers that hold what another input left, against the
 * reference: decisions of all tokens, outputs of all sequences, or of some where that takes too long. */
tn_status tn_decoding_run_check(decoding_run *r);

#endif
