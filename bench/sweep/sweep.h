/* A sweep: many cells in random order, each in a child process under a watchdog, so that a device that hangs,
 * crashes or goes away costs one row. A sweep that was stopped goes on where it was. */
#ifndef TN_SWEEP_H
#define TN_SWEEP_H

#include "cell_list.h"
#include "partial_file.h"

/* Rows in memory; caller frees `items`. */
typedef struct tn_row_list {
    tn_cost_row *items;
    size_t count, capacity;
} tn_row_list;

typedef struct tn_sweep_options {
    const char *program;  /* this program's own path: cells run as `program cell …` */
    const char *path;     /* as tn_output_path has it; no going on later with what is written through */
    tn_row_format format; /* of the whole; what grows beside `path` is CSV */
    tn_row_list *rows;    /* NULL, or where the rows go instead of `path`, also those of a sweep cut short */
    const char *samples;  /* of the raw samples, a JSON object a line; NULL: not kept */
    const char *preset;   /* "quick" or "full" */
    tn_sweep_axes axes;   /* what replaces the preset's */
    tn_shard shard;       /* the part of the grid that is measured */
    uint64_t seed;        /* of order and data */
    double timeout_s;     /* a cell; 0: 60 */
    double seconds;       /* of timing a cell; 0: the preset's */
    bool no_energy;       /* not asked for */
    const tn_device_info *const *devices;
    int device_count;
    const char *cpu_model;
} tn_sweep_options;

typedef struct tn_sweep_result {
    int cells, kept;    /* kept: rows of an earlier run */
    tn_row_tally tally; /* of all rows */
    bool whole;         /* all were kept: nothing was measured */
} tn_sweep_result;

/* The cells of all devices that fall to the shard, before they are put into their order. What cannot be is
 * told where `tell`. TN_ERR_ARG where the grid has no cell at all; a shard may have none. */
tn_status tn_sweep_cells(tn_context *ctx, const tn_sweep_options *options, bool tell, tn_cell_list *out);

/* Seconds that the cells take at least, about: a process, its kernels' build, a check and the timing of each.
 * Nothing is run for it, so a call that takes longer than its timing is not seen. */
double tn_sweep_estimate(const tn_sweep_options *options, const tn_cell_list *cells);

tn_status tn_sweep_run(tn_context *ctx, const tn_sweep_options *options, tn_sweep_result *out);

#endif
