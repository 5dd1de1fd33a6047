/* Two sets of cost files held against each other, row by row: what became faster, what slower, what nobody
 * can tell. Rows are matched by device and work, never by driver, version or date. A device is matched by the
 * part of its name that drivers leave alone; where a side has several of one name, on one machine or on
 * several, by machine and PCI address. */
#ifndef TN_COMPARISON_H
#define TN_COMPARISON_H

#include "cost_columns.h"
#include "devices.h"
#include "name_index.h"
#include "ratio.h"
#include "shards.h"
#include "text_table.h"

typedef enum tn_verdict {
    TN_VERDICT_BROKEN, /* ok before, not any more */
    TN_VERDICT_SLOWER,
    TN_VERDICT_UNKNOWN, /* the interval reaches further than the threshold and holds 1 */
    TN_VERDICT_FASTER,
    TN_VERDICT_SAME,
    TN_VERDICT_FIXED,    /* not ok before, now it is */
    TN_VERDICT_FAILING,  /* ok on neither side */
    TN_VERDICT_ONLY_OLD, /* not measured on the other side */
    TN_VERDICT_ONLY_NEW,
    TN_VERDICTS
} tn_verdict;
const char *tn_verdict_name(tn_verdict verdict); /* "slower", "cannot tell" … */

/* Where the times of one run stand. */
typedef struct tn_compared_run {
    const tn_csv *table;
    size_t row;
} tn_compared_run;

typedef struct tn_compared_side {
    tn_times_list times;   /* of the rows that are ok */
    tn_compared_run *runs; /* [times.count] */
    size_t run_capacity;
    const char *status, *reason; /* of the first row that is not ok, else "ok"; NULL: no row. Borrowed */
} tn_compared_side;

typedef struct tn_compared_row {
    /* By column: those of TN_COL_DEVICE and TN_COL_WORK as text, borrowed from the first table that has them.
     */
    const char *key[TN_COLUMNS];
    const char *name;         /* the whole key: equal for equal work on one device; borrowed from `names` */
    tn_compared_side side[2]; /* old, new */
    tn_verdict verdict;
    tn_ratio ratio; /* of rows that are compared: new / old */
    size_t device;
} tn_compared_row;

typedef struct tn_compared_device {
    const tn_device_id *side[2]; /* old, new; NULL: not on that side */
    const char *label;           /* as the old side has it, else the new */
    size_t rows, up;             /* compared; of them with a ratio above 1 */
    double log_shift;            /* median over the rows of the log of new / old */
    double between; /* standard deviation of a row's log from run to run of one program, beyond what the
                       batches of a run tell; 0 where it is not known */
    bool repeated;  /* it is from several runs of a side, else from how the ratios of the rows scatter */
    bool common;    /* rows go one way together: the machine may be what changed */
    bool divided;   /* the shift was taken out of the ratios (--relative) */
} tn_compared_device;

typedef struct tn_compare_options {
    double noise_pct;        /* from run to run of one program; below 0: estimated */
    double threshold_pct;    /* a smaller difference is "same" */
    bool relative;           /* judge after dividing by the device's shift, where it has enough rows */
    bool quartiles;          /* leave samples alone */
    bool any_host;           /* machines are not told apart: hosts of containers have a name a run */
    const char *const *maps; /* "OLD=NEW": names, labels or hosts of devices that are one; borrowed */
    size_t map_count;
} tn_compare_options;

typedef struct tn_compared_table {
    tn_csv csv;
    int side;
} tn_compared_table;

typedef struct tn_comparison {
    tn_context *ctx;
    tn_compare_options options;
    tn_compared_row *rows;
    size_t count, capacity;
    tn_compared_device *devices;
    size_t device_count, device_capacity;
    tn_compared_table *tables; /* of all files, for what is borrowed */
    size_t table_count, table_capacity;
    tn_devices seen[2];  /* the devices of each side … */
    tn_shards shards[2]; /* of each side's rows that are of parts of a grid */
    size_t *place[2];    /* [seen.count] … and which of `devices` each is */
    tn_names names;      /* of `rows`, by number */
    size_t notes;        /* flaws of the files in rows that are used */
    bool same_files;     /* the sides share a file */
    size_t strays;       /* lines of samples that belong to no row of the files */
    size_t verdicts[TN_VERDICTS];
    double
        visible; /* log of the difference that half of the compared rows would show; NaN: none is compared */
} tn_comparison;

/* `before`, `after`: file names joined by commas, a CSV a run, or the parts of a grid, or a folder for the
 * cost*.csv in it. X.jsonl beside X.csv is taken for its samples;
 * a file ending in .jsonl may be named too. TN_ERR_INPUT, naming file and line, where one is damaged, a
 * number of a row that is ok is none, a side has one measurement twice (a file, a row by its date and
 * numbers, or a cell of a grid in parts) or parts of two builds, or the two sides have no row in common. */
tn_status tn_comparison_make(tn_context *ctx, const char *before, const char *after,
                             const tn_compare_options *options, tn_comparison *out);
void tn_comparison_free(tn_comparison *c); /* fine on a zeroed or failed one */
/* TN_TABLE_TEXT and TN_TABLE_MARKDOWN: for people, a line for every device and the counts below the table;
 * CSV and JSON: all rows. */
tn_status tn_comparison_print(const tn_comparison *c, FILE *stream, tn_table_format format);

/* For comparison.c, in this order: the files of one side (0 old, 1 new) as tables, the devices of both sides
 * found in each other, the tables of both sides as rows, samples of one side. */
/* Before them, folders in `names` replaced by their files; caller frees. */
tn_status tn_comparison_names(tn_context *ctx, const char *names, char **out);
tn_status tn_comparison_read(tn_comparison *c, int side, const char *names);
tn_status tn_comparison_pair(tn_comparison *c);
tn_status tn_comparison_rows(tn_comparison *c);
tn_status tn_comparison_samples(tn_comparison *c, int side, const char *names);
/* The names of a list one after the other, split at commas unless the whole is a file's name; NULL behind the
 * last. */
const char *tn_comparison_next(char **list);
/* Appends one more column, of TN_COL_WORK, to a row's name. Numbers written in different ways are the same
 * number; no `cache`, as files had it that did not know it, is warm. */
enum { TN_COMPARISON_NAME = 4096 };
size_t tn_comparison_add_text(char *name, size_t used, int column, const char *text);

#endif
