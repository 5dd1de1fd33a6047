/* A token at a time through one mixer of the model, alone, at a context: what routing costs and saves where a
 * language model spends its time. */
#ifndef TN_DECODING_H
#define TN_DECODING_H

#include "bench_op.h"

typedef struct tn_decoding_shape {
    int64_t B, context; /* sequences; positions of each that stand in the cache before the token */
    int64_t D, H, K;
    double rho;        /* of a routed one: 1 / n, every n-th token of each sequence, or 0 (tn_decoding_rho) */
    bool ragged;       /* contexts drawn between context / 16 and `context`, which one sequence has */
    bool masked;       /* of a routed one: attention for every token, and convolution too */
    const char *mixer; /* "conv", "attention", "routed" */
} tn_decoding_shape;

enum { TN_DECODING_PERIOD = 10000 /* tokens of which one is routed, at most */ };

/* 1 over the whole number that is nearest to 1 / rho; 0 stays. */
double tn_decoding_rho(double rho);
/* TN_ERR_ARG where such a layer cannot be, and where its keys are more than kernels count. Asks no device. */
tn_status tn_decoding_check(tn_context *ctx, const tn_decoding_shape *shape);
/* "context=4096" with B, D, H, K, rho and ragged where they are not 1 (8 with ragged), 64, as the model has
 * heads, 4, NaN (the caller's) and 0. TN_ERR_ARG otherwise. The result's mixer is NULL. */
tn_status tn_decoding_parse(tn_context *ctx, const char *text, tn_decoding_shape *out);

/* Times spans of tokens that nothing waits for, as many as it takes for every sequence to be routed once;
 * times and work are those of a step, in which each sequence gets one token. A routed layer is timed in turn
 * with attention on the same state (columns dense_*). Verified first, on that state: outputs and decisions of
 * a span, against the reference. The context stays: a routed token is always the one at position `context`,
 * those before it stand before that, and then the sequence is cut back; a context shorter than a period
 * begins again at 0. Fills a row whose identity (device, shape, seed) is already set. */
tn_status tn_decoding_fill(tn_device *dev, const tn_decoding_shape *shape, const tn_bench_options *options,
                           tn_cost_row *row);
/* The whole row, of a failed one the reason. */
tn_status tn_decoding_measure(tn_device *dev, const tn_decoding_shape *shape, const tn_bench_options *options,
                              tn_cost_row *row);
/* The columns that say which cell it is, into a row that has the device's. */
void tn_decoding_identify(const tn_decoding_shape *shape, tn_cost_row *row);

#endif
