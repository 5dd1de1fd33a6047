/* A sweep: many cells in random order, each in a child process under a watchdog, so that a device that hangs,
 * crashes or goes away costs one row. A sweep that was stopped goes on where it was. */
#ifndef TN_SWEEP_H
#define TN_SWEEP_H

#include "cell_list.h"

typedef struct tn_sweep_options {
    const char *program;  /* this program's own path: cells run as `program cell …` */
    const char *path;     /* NULL: stdout, and no going on later */
    tn_row_format format; /* of the whole; what grows beside `path` is CSV */
    const char *samples;  /* of the raw samples, a JSON object a line; NULL: not kept */
    const char *preset;   /* "quick" or "full" */
    tn_sweep_axes axes;   /* what replaces the preset's */
    uint64_t seed;        /* of order and data */
    double timeout_s;     /* a cell; 0: 60 */
    double seconds;       /* of timing a cell; 0: 0.4 */
    const tn_device_info *const *devices;
    int device_count;
    const char *cpu_model;
} tn_sweep_options;

typedef struct tn_sweep_result {
    int cells, kept, ok, unsupported, errors, timeouts; /* kept: rows of an earlier, stopped run */
} tn_sweep_result;

tn_status tn_sweep_run(tn_context *ctx, const tn_sweep_options *options, tn_sweep_result *out);

#endif
