/* `bench --level decode`: the rows of a device. */
#ifndef TN_CLI_BENCH_DECODE_H
#define TN_CLI_BENCH_DECODE_H

#include "decoding.h"

typedef struct tn_bench_decode_plan {
    const char *shape; /* as tn_decoding_parse takes it; NULL: the usual contexts */
    const tn_bench_options *options;
    tn_status (*write)(void *data, tn_context *ctx, const tn_cost_row *row);
    void *data;
} tn_bench_decode_plan;

/* Convolution, attention, routed at some fractions and masked at each context, and what they come to on
 * stderr.
 */
tn_status tn_bench_decode(tn_device *dev, const tn_bench_decode_plan *plan);

#endif
