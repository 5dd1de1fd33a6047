/* From layer and decode rows of a cost CSV: up to which routed fraction ρ routing pays on a device, and how
 * much of the speed-up that counting operations promises arrives. */
#ifndef TN_BREAKEVEN_H
#define TN_BREAKEVEN_H

#include "csv_table.h"

typedef enum tn_breakeven_kind {
    TN_BREAKEVEN_FOUND,  /* the lines cross: rho is where */
    TN_BREAKEVEN_ALWAYS, /* faster at every measured ρ: ρ* ≥ rho, the largest of them */
    TN_BREAKEVEN_NEVER   /* slower already at the smallest measured ρ: ρ* < rho, the smallest of them */
} tn_breakeven_kind;

/* Where a curve crosses 1, or what it does instead. */
typedef struct tn_breakeven_bound {
    tn_breakeven_kind kind;
    double rho; /* ρ*, or the measured bound that `kind` says */
} tn_breakeven_bound;

typedef struct tn_breakeven_point {
    double rho;                             /* 0..1 */
    double wall_ms, wall_ms_q1, wall_ms_q3; /* routed; quartiles NaN where absent */
    double dense_ms;                        /* dense attention beside it */
    double speedup;                         /* dense / routed, measured */
    double speedup_q1, speedup_q3;          /* its quartiles over neighbouring batches; NaN where absent */
    double
        blocks_speedup; /* of a compacted one: dense / block-skipping at the same ρ; NaN where not measured */
    double over_blocks; /* speedup / blocks_speedup: block-skipping's time over this */
    double ideal;       /* dense flops / routed flops; NaN where flops are absent */
    double share_pct;   /* 100 · speedup / ideal; NaN likewise */
} tn_breakeven_point;

typedef struct tn_breakeven {
    const char *file, *platform, *device_kind, *execution; /* borrowed from the table */
    char device[TN_CSV_DEVICE];                            /* as tn_csv_device */
    size_t row, place;    /* first row of the group in the table; the number of its layer and device there */
    double B, T, D, H, K; /* NaN where the cell is empty */
    double context;       /* of decoding, which has no T; NaN for a layer's forward pass */
    const char *contexts; /* "equal", "ragged"; "" */
    tn_breakeven_bound even;    /* by the medians: ρ* */
    double masked_speedup;      /* dense / masked, which costs the same at every ρ; NaN where not measured */
    tn_breakeven_bound compact; /* up to where compacted is faster than masked; where that was measured */
    bool has_blocks;            /* a point has blocks_speedup */
    tn_breakeven_bound
        skip;          /* up to where compacted is faster than block-skipping; where that was measured */
    bool has_interval; /* every point has quartiles */
    tn_breakeven_bound low, high; /* by the lower and the upper quartiles; low ≤ even ≤ high */
    tn_breakeven_point *points;   /* [count], ρ rising */
    size_t count, capacity;
} tn_breakeven;

typedef struct tn_breakevens {
    tn_context *ctx;
    tn_breakeven *items; /* a file after the other; by device, execution (compacted first), D, H, K, T, B,
                            context within one, layers before decoding */
    size_t count, capacity;
} tn_breakevens;

/* Adds the groups of one table (level = layer and pass = forward, or level = decode; mixer = routed, rows
 * that are used) to `out`, which starts zeroed. A group is a version, host, device (two of one name are two:
 * tn_device_mark), cores, caches, driver, execution, B, T, D, H, K, context and contexts. Dense time:
 * dense_ratio, else dense_wall_ms, of the same row, else the attention row of the group. A ρ measured twice
 * counts once, the later row. Points without a dense time are left out, and groups without a point. Rows of
 * the execution `masked` are no points: they stand beside the compacted ones of the same group. Those of
 * `block-skipping` are a group of their own, and stand beside the compacted points of the same ρ. The table
 * must outlive `out`. */
tn_status tn_breakevens_add(tn_context *ctx, const tn_csv *costs, tn_breakevens *out);
void tn_breakevens_free(tn_breakevens *b);

/* The bounds of points with rising ρ: the first crossing of speedup = 1, by straight lines in ρ of the ratio
 * routed / dense. count ≥ 1. Where the smallest ρ is already slower the answer is NEVER, whatever noise says
 * further on. The same for the quartiles where every point has them: without one of them the line would pass
 * over a point that was measured. */
void tn_breakeven_solve(tn_breakeven *b);

/* "0.31", "≥ 1", "< 0.01", "none" */
void tn_breakeven_text(const tn_breakeven_bound *bound, char *text, size_t size);
/* "0.28 … 0.35", "none … 0.02", "0.9 … ≥ 1"; one word where both ends say the same, as "≥ 1"; "no quartiles"
 */
void tn_breakeven_interval_text(const tn_breakeven *b, char *text, size_t size);

#endif
