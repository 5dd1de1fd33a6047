/* One op, one pass, one shape: verified in this very run, then timed, as a row. */
#ifndef TN_BENCH_OP_H
#define TN_BENCH_OP_H

#include "rows.h"

typedef struct tn_bench_options {
    double seconds;        /* of timing a row; 0: measure's default */
    uint64_t seed;         /* of the data */
    tn_roofline *roofline; /* may be NULL; asked again where a row passes it */
    tn_energy *energy;     /* may be NULL */
    const char *cpu_model;
    tn_evict *evict; /* cold caches; NULL: warm */
    tn_raw *raw; /* gets the batches of the row, and nothing of a row that fails before it is timed; may be
                    NULL */
} tn_bench_options;

/* Fills the whole row. A kernel that is wrong, refused or broken is a row whose status and reason say so, and
 * TN_OK; what cannot be a row (Ctrl-C, a shape that makes no sense) is a failure. What is verified is the
 * very problem that is timed, whole or, where the naive reference is too slow, on a sample: column
 * `verified`. */
tn_status tn_bench_op(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape,
                      const tn_bench_options *options, tn_cost_row *row);

/* A row with everything but results. */
void tn_bench_identify(tn_device *dev, const tn_case *c, const char *pass, const tn_shape *shape,
                       const tn_bench_options *options, tn_cost_row *row);
/* The verification alone, on the problem that will be timed; adds what was checked to `verified`. */
tn_status tn_bench_verify(tn_device *dev, tn_problem *problem, double patience_s, tn_cost_row *row);

/* Times alone, without verifying and without a row: operations a second. */
tn_status tn_bench_rate(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape, double seconds,
                        double *rate);

#endif
