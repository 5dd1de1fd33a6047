/* What a report is made from: files of cost rows and folders of runs, named by a user. */
#ifndef TN_INPUTS_H
#define TN_INPUTS_H

#include <jansson.h>

#include "devices.h"
#include "shards.h"

typedef struct tn_run {
    char *name;      /* the folder's own name; told apart by the folder above where two are alike */
    char *path;      /* folder, or the study.csv the row stands in */
    json_t *config;  /* config.json; NULL where the run is a row of a study.csv */
    json_t *summary; /* summary.json; NULL while the run is not evaluated */
    tn_csv metrics;  /* ctx NULL where there is no metrics.csv */
    tn_csv routes;   /* the same of routes.csv; of a row of text of the first seed that of its run */
} tn_run;

/* A flaw of a file, kept where the file's table is not. */
typedef struct tn_input_flaw {
    char *file;
    tn_csv_flaw flaw;
} tn_input_flaw;

typedef struct tn_inputs {
    tn_context *ctx;
    tn_csv *costs;
    size_t cost_count, cost_capacity;
    tn_csv *bits; /* bits of text by place (bits_table.h) */
    size_t bits_count, bits_capacity;
    tn_devices devices; /* of the cost rows */
    tn_shards shards;   /* of those that are of parts of a grid */
    tn_input_flaw *flaws;
    size_t flaw_count, flaw_capacity;
    tn_run *runs;
    size_t run_count, run_capacity;
} tn_inputs;

/* Each path is a .csv of cost rows, a study.csv, the folder of a run (it holds config.json), or a folder that
 * holds cost*.csv, run folders one level below, or a study.csv (read where no run folder stands beside it).
 * Of a survey (survey.json) its other files of rows are read too, and the folders of its devices.
 * Beside a study.csv its bits.csv is read, which may be named by itself, and routes.csv of its runs of text.
 * Folders are read in the order of names, and a folder in it that holds a study.csv is read too. What is
 * there twice is read once. A database of results (database_read.h), or a part of it, stands for the files
 * that were stored in it. Files with parts of one grid become one table. TN_ERR_INPUT, naming file and line,
 * for a cell that two such files have; naming the path, for anything else, for damaged files, for one of
 * which no row can be used, and beyond TN_INPUTS_MOST_ROWS cost rows; TN_ERR_ARG when `count` is 0. */
enum { TN_INPUTS_MOST_ROWS = 100000 };
tn_status tn_inputs_read(tn_context *ctx, const char *const *paths, size_t count, tn_inputs *out);
/* The same in two steps: all files, each a table of its own; then parts of grids joined and devices called by
 * their names. Both free the inputs when they fail. */
tn_status tn_inputs_gather(tn_context *ctx, const char *const *paths, size_t count, tn_inputs *out);
tn_status tn_inputs_join(tn_inputs *in);
void tn_inputs_free(tn_inputs *in);
/* Says on stderr what of the files was not taken as it stands: the first rows of each by name, all by number.
 */
void tn_inputs_warn(const tn_inputs *in);

/* A field of the summary, else of the config; NULL where neither has it or it is null. Borrowed. */
const json_t *tn_run_field(const tn_run *run, const char *name);
/* The same as text ("" where absent) or as a number (NaN where absent or not a number: energy may be
 * "unmeasured"). */
const char *tn_run_text(const tn_run *run, const char *name);
double tn_run_number(const tn_run *run, const char *name);

#endif
