/* A cell in a process of its own under a watchdog: one that hangs, crashes or is refused becomes a row that
 * says so, and this process never opens a device. */
#ifndef TN_CELL_CHILD_H
#define TN_CELL_CHILD_H

#include "sweep_cell.h"

/* What all cells of a run have in common. */
typedef struct tn_cell_child {
    const char *program; /* this program's own path: cells run as `program cell …` */
    uint64_t seed;
    double seconds;   /* of timing a cell at most */
    double timeout_s; /* after which it is killed */
    bool no_energy, samples;
    const char *cpu_model;
} tn_cell_child;

/* Of a device, or so many of its cores. */
typedef struct tn_cell_ceilings {
    bool known;
    tn_roofline roofline;
    double attention_rate; /* operations a second that attention reaches on a small shape */
    double idle_w;         /* power of the idle device; 0 or NaN where it was not measured */
    double update_s;       /* between two moves of its counter */
} tn_cell_ceilings;

typedef enum tn_cell_end {
    TN_CELL_ROW,         /* the row it measured, whatever its status */
    TN_CELL_NO_ROW,      /* none: the row's status and reason say what became of the process */
    TN_CELL_INTERRUPTED, /* Ctrl-C: there is no row */
    TN_CELL_OTHER_BUILD  /* the program is another build by now, `reason` has its version */
} tn_cell_end;

/* `cores` 0: the whole device. Not known: `reason` says why, "" after Ctrl-C. */
enum { TN_CELL_REASON = 1300 };
tn_status tn_cell_child_ceilings(tn_context *ctx, const tn_cell_child *how, const tn_device_info *info,
                                 int cores, tn_cell_ceilings *out, char reason[TN_CELL_REASON]);

/* `row`: its columns as tn_sweep_cell_identify has them and timing_s are set whatever happens. `samples`:
 * NULL, or the line of samples behind the row where it is that row's; caller frees with tn_free. Fails only
 * where there is no process to be had. */
tn_status tn_cell_child_run(tn_context *ctx, const tn_cell_child *how, const tn_sweep_cell *cell,
                            const tn_cell_ceilings *ceilings, tn_cost_row *row, char **samples,
                            tn_cell_end *end, char reason[TN_CELL_REASON]);

#endif
