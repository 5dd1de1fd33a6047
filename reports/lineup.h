/* Cost rows of any number of files by work: what several devices, or several versions, took for the same.
 * Rows are matched as `compare` matches them (comparison.h). */
#ifndef TN_LINEUP_H
#define TN_LINEUP_H

#include "cost_columns.h"
#include "inputs.h"
#include "ratio.h"

/* The runs of one work in one column. */
typedef struct tn_lineup_cell {
    size_t work, column;
    tn_times_list times;         /* of rows that are ok */
    size_t device;               /* one of `devices` */
    const char *status, *reason; /* of the first row that is not ok; NULL: none. Borrowed */
} tn_lineup_cell;

typedef struct tn_lineup_work {
    const char *key[TN_COLUMNS]; /* those of TN_COL_WORK, borrowed from the first table that has them */
    size_t device;               /* by versions: on which one; by devices: that of its first row */
    tn_lineup_cell *cells;       /* in the order of columns */
    size_t count;
} tn_lineup_work;

typedef struct tn_lineup_column {
    const char *name;  /* of a device its label, of a version its text */
    const char *since; /* utc of its first row */
} tn_lineup_column;

typedef struct tn_lineup {
    tn_context *ctx;
    tn_inputs in;
    tn_devices devices; /* builds not told apart */
    tn_lineup_column *columns;
    size_t column_count;
    tn_lineup_work *works;
    size_t work_count, work_capacity;
    tn_lineup_cell *cells; /* of all works */
    size_t cell_count, cell_capacity;
    size_t twice; /* rows that stand in two files, and count once */
} tn_lineup;

typedef enum tn_lineup_by {
    TN_LINEUP_DEVICES, /* a column a device, in the order of the files */
    TN_LINEUP_VERSIONS /* a column a version, by the date of its first row; works of two devices are two */
} tn_lineup_by;

/* `paths` as tn_inputs_read takes them, joined by commas or not. TN_ERR_INPUT, naming file and line, where a
 * row is damaged. */
tn_status tn_lineup_make(tn_context *ctx, const char *const *paths, size_t count, tn_lineup_by by,
                         bool any_host, tn_lineup *out);
void tn_lineup_free(tn_lineup *l); /* fine on a zeroed or failed one */
/* "18 in 2": batches and runs. */
void tn_lineup_count_text(const tn_times_list *list, char *text, size_t size);

typedef struct tn_lineup_options {
    double noise_pct;     /* from run to run of one program; below 0: from several runs, else ASSUMED */
    double threshold_pct; /* a smaller difference is none */
    bool relative;        /* of versions: judge after dividing by what all rows of a device have in common */
} tn_lineup_options;
/* Of a row's time from run to run where no column has several runs and nothing else tells: so much is
 * assumed. */
#define TN_LINEUP_ASSUMED 0.10

#endif
