/* A cell of a sweep: one row to be measured, described fully enough to be run in another process. */
#ifndef TN_SWEEP_CELL_H
#define TN_SWEEP_CELL_H

#include "decoding.h"
#include "execution.h"
#include "layer.h"
#include "bench_op.h"

typedef struct tn_sweep_cell {
    const tn_device_info *info; /* borrowed */
    char level[12];             /* "op", "layer", "model", "decode"; "test" in tests of the sweep itself */
    char op[48], pass[24];
    char shape[160]; /* of an op, as text */
    char mixer[24];  /* of a layer or model, and what follows too: */
    int64_t B, T, D, H, K;
    bool cold;              /* caches written over before each call */
    int cores;              /* of a CPU device; 0: the whole device */
    tn_execution execution; /* of a routed layer */
    double rho;             /* ⌈rho·T⌉/T exactly; NaN for other mixers than routed */
    int64_t context;        /* of decoding, which has no T; 0: another level */
    bool ragged;
} tn_sweep_cell;

/* The columns that say what the row is of; the rest is as tn_row_init leaves it. */
void tn_sweep_cell_identify(const tn_sweep_cell *cell, uint64_t seed, const char *cpu_model,
                            tn_cost_row *row);
void tn_sweep_cell_describe(const tn_sweep_cell *cell, char *text, size_t size); /* for progress */

/* Measures it in this process. Failures of the device and of kernels become the row's status. */
tn_status tn_sweep_cell_run(tn_device *dev, const tn_sweep_cell *cell, const tn_bench_options *options,
                            tn_cost_row *row);

/* Floating-point operations of one call, for guessing how long it takes. */
double tn_sweep_cell_flops(const tn_sweep_cell *cell);

/* Operations a second of attention at the first of its bench shapes, unverified: for such guesses only. 0
 * without one. */
tn_status tn_sweep_cell_attention_rate(tn_device *dev, double *rate);

#endif
