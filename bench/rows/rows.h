/* One measurement as a row: the columns of docs/schema.md, written as CSV, JSON or a table, and read back.
 */
#ifndef TN_ROWS_H
#define TN_ROWS_H

#include "case.h"
#include "measure.h"
#include "roofline.h"

#include <jansson.h>

#define TN_ROW_SCHEMA "turnout-cost-1"

/* Texts may be empty; counts are −1 and reals NaN where a value does not apply: an empty cell, null in JSON.
 */
typedef struct tn_cost_row {
    char schema[24], version[48], utc[24];
    char host[64], cpu[128], platform[128], device[256], driver[128], kind[8];
    int64_t compute_units;
    char pci[24];
    char level[12], op[48], pass[24], mixer[24];
    int64_t B, T, D, H, Dh, K;
    double rho;        /* 0..1 */
    char schedule[64]; /* which way of executing: "compacted", "dense", … */
    char status[16];   /* ok, unsupported, error, timeout */
    char reason[512];  /* one line */
    int64_t n;         /* batches */
    double wall_ms, wall_ms_q1, wall_ms_q3, event_ms;
    int64_t event_ok;
    double flops, bytes, gflops, gbs, roofline_pct;
    double energy_j; /* a call */
    char energy_source[TN_ENERGY_TEXT];
    char seed[24];
    int64_t event_ms_launches; /* launches whose times event_ms adds up */
    double dense_wall_ms;      /* dense attention of the same shape, measured in turn with this */
    double dense_ratio; /* dense / this, median over neighbouring batches: above 1 where this is faster */
    double ideal_ratio; /* the same ratio by counted operations */
    double share_of_ideal_pct;
    char shape[160]; /* an op's dimensions, as tn_shape_print */
    double dense_ratio_q1, dense_ratio_q3;
    double drift_pct;           /* rise of the batches from first to last */
    char selector[16];          /* of the device in its run: "P:D" */
    double outside_kernels_pct; /* share of wall time in which no kernel ran, from the batch of event_ms */
    char verified[64];          /* what of the timed pass was checked; "" nothing */
    char peer[160];             /* another implementation of the same work, measured in turn with this */
    double peer_wall_ms, peer_ratio, peer_ratio_q1, peer_ratio_q3; /* theirs / ours, as dense_ratio */
    double peer_max_diff;                                          /* max |ours − theirs| / rms(theirs) */
    char part[24];               /* of a routed layer whose cost is split: "whole", "router", …, "launch" */
    char tuned[16];              /* "default", "tuned", "environment", "tried"; "" when nothing ran */
    char keys[16];               /* of a compacted layer: "projected" or "absorbed" */
    double energy_net_j, idle_w; /* energy_j without what the idle device draws; that power */
    char cache[8];               /* "warm" or "cold"; of the work's data before a call */
    int64_t cores;               /* of a CPU that the row was measured on; −1: the whole device */
    int64_t block;               /* of a layer run in blocks: their positions */
    double executed_rho;         /* of a routed layer: share of the rows that took the global track */
    double timing_s;             /* what the row was given for timing at most */
    char variant[24];            /* of an op: which one ran last; "" for layers, models and steps */
    int64_t copies, waits;       /* of a call: tn_device_counts */
    double peer_event_ms;        /* of a peer on a card, by the card's events */
    int64_t context;  /* of decoding: positions that a sequence has in the cache; the most of any */
    char contexts[8]; /* "equal" or "ragged" */
    int64_t context_min, context_median; /* of the sequences */
    double state_bytes;                  /* of all sequences, on the device */
    double tokens_per_s;                 /* of all sequences together */
    char shard[24]; /* the part of a sweep's grid that the row belongs to: "2/4"; "" of a whole one */
} tn_cost_row;

/* Which variant of `op` ran, and where that choice and the values of tunables came from; NULL: where those of
 * all ops that have run did. */
void tn_row_set_choice(tn_cost_row *row, const tn_device *dev, const char *op);
void tn_row_init(tn_cost_row *row); /* schema, version and time; all else empty; status "ok" */
void tn_row_set_device(tn_cost_row *row, const tn_device_info *info, const char *cpu_model);
void tn_row_set_cache(tn_cost_row *row, bool cold);
/* Dimensions that have a column of their own, and `shape`. D = H·Dh where the op names those two only. */
void tn_row_set_shape(tn_cost_row *row, const tn_case *c, const tn_shape *shape);
/* Times, rates and energy. `roofline` may be NULL. A row that passes its ceiling by more than measuring can
 * be off has status "error" afterwards, and keeps it beside a remark: the ceiling is measured once more
 * first, for something else may have run then. */
void tn_row_set_sample(tn_cost_row *row, const tn_sample *sample, double flops, double bytes,
                       tn_roofline *roofline);
/* The same for calls that do works in turn, each as often as the others: the row has what a call does on
 * average, and its least time is that of all of them. */
typedef struct tn_row_work {
    double flops, bytes;
} tn_row_work;
void tn_row_set_works(tn_cost_row *row, const tn_sample *sample, const tn_row_work *works, size_t count,
                      tn_roofline *roofline);
bool tn_row_past_roof(const tn_cost_row *row);
/* Columns of the peer's times, ours being a of the pair. */
void tn_row_set_pair(tn_cost_row *row, const tn_pair_sample *pair);
/* Columns of the dense model's times, this being a of the pair; `ideal`: the ratio by counted operations. The
 * pair's times of this replace those of `alone`, which has the events and the energy. */
void tn_row_set_dense(tn_cost_row *row, const tn_pair_sample *pair, double ideal, tn_sample *alone);
/* status and reason; line breaks in the reason become spaces: one row is one line. */
void tn_row_set_status(tn_cost_row *row, const char *status, const char *reason);
/* The status of a failure: "unsupported" where the device or its memory says no, else "error". */
void tn_row_set_failure(tn_cost_row *row, tn_status failure, const char *message);
/* The end of measuring a row: a failure becomes the row's status and TN_OK, but what cannot be a row (Ctrl-C,
 * a request that makes no sense) is passed on. */
tn_status tn_row_settle(tn_cost_row *row, tn_status status, const tn_context *ctx);

typedef enum tn_row_format { TN_ROW_CSV, TN_ROW_JSON, TN_ROW_TABLE } tn_row_format;

/* By name ("csv", "json", "md", NULL), else by the ending of `path` (may be NULL), else `fallback`. */
tn_row_format tn_row_format_choose(const char *name, const char *path, tn_row_format fallback);

/* begin, one write a row (`index` from 0), end. */
void tn_rows_begin(FILE *to, tn_row_format format);
void tn_rows_write(FILE *to, tn_row_format format, int index, const tn_cost_row *row);
void tn_rows_end(FILE *to, tn_row_format format);

/* The columns of these uses (bits of tn_column_use; 0: all) as an object, null where a value does not apply;
 * caller's to release. And back: other columns, and those that are not there, are empty. */
json_t *tn_row_json(const tn_cost_row *row, unsigned uses);
void tn_row_from_json(const json_t *object, unsigned uses, tn_cost_row *out);

/* The header line of the CSV, with its line break. */
void tn_rows_header(FILE *to);
/* A line of CSV in the order of the header, as tn_rows_write makes it; more fields than columns are refused,
 * fewer are an older file's and stay empty. TN_ERR_INPUT with the reason. */
tn_status tn_row_parse(tn_context *ctx, const char *line, tn_cost_row *out);

/* Which cell of a sweep a row is of: the same for every row of one, different for rows of others. */
void tn_row_key(const tn_cost_row *row, char *key, size_t size);
/* Which work it is, on whatever device and by whatever build: "level=op|op=gelu|…", of the columns that say
 * so and are not empty, so that a column that is new changes no old work's name. */
void tn_row_work_name(const tn_cost_row *row, char *name, size_t size);

#endif
