/* The columns of cost rows (docs/schema.md), once for what writes them and what reads them. */
#ifndef TN_COST_COLUMNS_H
#define TN_COST_COLUMNS_H

#include <stddef.h>

typedef enum tn_column_kind {
    TN_COL_TEXT,
    TN_COL_NEEDED,   /* above 0, and a row that is ok has it */
    TN_COL_BATCHES,  /* whole, 1 or more, and a row that is ok has it */
    TN_COL_POSITIVE, /* above 0 or empty; so the rest */
    TN_COL_AMOUNT,   /* 0 or more */
    TN_COL_COUNT,    /* whole, 0 or more */
    TN_COL_FRACTION, /* 0 to 1 */
    TN_COL_NUMBER
} tn_column_kind;

/* What a column has a part in: bits. */
typedef enum tn_column_use {
    TN_COL_ALWAYS = 1, /* every cost file has it */
    TN_COL_APART = 2,  /* without it different work looks the same: a file that has later ones must have it */
    TN_COL_CELL = 4,   /* which cell of a sweep a row is of */
    TN_COL_SAMPLES = 8, /* stands with the samples of a row, to say whose they are */
    TN_COL_WORK = 16,   /* `compare` matches rows by it */
    TN_COL_DEVICE = 32, /* `compare` shows it with the work; devices are matched in their own way */
    TN_COL_CURVE = 64   /* equal in all points of one break-even curve */
} tn_column_use;

#define TN_COL_MACHINE (TN_COL_ALWAYS | TN_COL_SAMPLES | TN_COL_CURVE)
#define TN_COL_KEY     (TN_COL_SAMPLES | TN_COL_CELL | TN_COL_WORK)

/* X(name, kind, uses) in the order of the file: columns are only ever appended. */
#define TN_COST_COLUMNS(X)                                                                                   \
    X(schema, TEXT, TN_COL_ALWAYS)                                                                           \
    X(version, TEXT, TN_COL_MACHINE | TN_COL_CELL)                                                           \
    X(utc, TEXT, TN_COL_ALWAYS | TN_COL_SAMPLES)                                                             \
    X(host, TEXT, TN_COL_MACHINE)                                                                            \
    X(cpu, TEXT, TN_COL_ALWAYS)                                                                              \
    X(platform, TEXT, TN_COL_MACHINE | TN_COL_CELL | TN_COL_DEVICE)                                          \
    X(device, TEXT, TN_COL_MACHINE | TN_COL_CELL | TN_COL_DEVICE)                                            \
    X(driver, TEXT, TN_COL_MACHINE | TN_COL_CELL)                                                            \
    X(kind, TEXT, TN_COL_ALWAYS)                                                                             \
    X(compute_units, COUNT, TN_COL_ALWAYS)                                                                   \
    X(pci, TEXT, TN_COL_MACHINE)                                                                             \
    X(level, TEXT, TN_COL_ALWAYS | TN_COL_KEY)                                                               \
    X(op, TEXT, TN_COL_ALWAYS | TN_COL_KEY)                                                                  \
    X(pass, TEXT, TN_COL_ALWAYS | TN_COL_KEY)                                                                \
    X(mixer, TEXT, TN_COL_ALWAYS | TN_COL_KEY)                                                               \
    X(B, COUNT, TN_COL_ALWAYS | TN_COL_KEY | TN_COL_CURVE)                                                   \
    X(T, COUNT, TN_COL_ALWAYS | TN_COL_KEY | TN_COL_CURVE)                                                   \
    X(D, COUNT, TN_COL_ALWAYS | TN_COL_KEY | TN_COL_CURVE)                                                   \
    X(H, COUNT, TN_COL_ALWAYS | TN_COL_KEY | TN_COL_CURVE)                                                   \
    X(Dh, COUNT, TN_COL_ALWAYS | TN_COL_SAMPLES | TN_COL_WORK)                                               \
    X(K, COUNT, TN_COL_ALWAYS | TN_COL_KEY | TN_COL_CURVE)                                                   \
    X(rho, FRACTION, TN_COL_ALWAYS | TN_COL_KEY)                                                             \
    X(schedule, TEXT, TN_COL_ALWAYS | TN_COL_KEY)                                                            \
    X(status, TEXT, TN_COL_ALWAYS)                                                                           \
    X(reason, TEXT, TN_COL_ALWAYS)                                                                           \
    X(n, BATCHES, TN_COL_ALWAYS)                                                                             \
    X(wall_ms, NEEDED, TN_COL_ALWAYS)                                                                        \
    X(wall_ms_q1, NUMBER, TN_COL_ALWAYS)                                                                     \
    X(wall_ms_q3, POSITIVE, TN_COL_ALWAYS)                                                                   \
    X(event_ms, AMOUNT, TN_COL_ALWAYS)                                                                       \
    X(event_ok, COUNT, TN_COL_ALWAYS)                                                                        \
    X(flops, AMOUNT, TN_COL_ALWAYS)                                                                          \
    X(bytes, AMOUNT, TN_COL_ALWAYS)                                                                          \
    X(gflops, AMOUNT, TN_COL_ALWAYS)                                                                         \
    X(gbs, AMOUNT, TN_COL_ALWAYS)                                                                            \
    X(roofline_pct, AMOUNT, TN_COL_ALWAYS)                                                                   \
    X(energy_j, AMOUNT, TN_COL_ALWAYS)                                                                       \
    X(energy_source, TEXT, TN_COL_ALWAYS)                                                                    \
    X(seed, TEXT, TN_COL_SAMPLES | TN_COL_CELL)                                                              \
    X(event_ms_launches, COUNT, 0)                                                                           \
    X(dense_wall_ms, POSITIVE, 0)                                                                            \
    X(dense_ratio, POSITIVE, 0)                                                                              \
    X(ideal_ratio, AMOUNT, 0)                                                                                \
    X(share_of_ideal_pct, AMOUNT, 0)                                                                         \
    X(shape, TEXT, TN_COL_APART | TN_COL_KEY)                                                                \
    X(dense_ratio_q1, POSITIVE, 0)                                                                           \
    X(dense_ratio_q3, POSITIVE, 0)                                                                           \
    X(drift_pct, NUMBER, 0)                                                                                  \
    X(verified, TEXT, 0)                                                                                     \
    X(selector, TEXT, TN_COL_APART | TN_COL_SAMPLES | TN_COL_CELL)                                           \
    X(outside_kernels_pct, NUMBER, 0)                                                                        \
    X(peer, TEXT, TN_COL_APART | TN_COL_SAMPLES | TN_COL_WORK)                                               \
    X(peer_wall_ms, POSITIVE, 0)                                                                             \
    X(peer_ratio, POSITIVE, 0)                                                                               \
    X(peer_ratio_q1, POSITIVE, 0)                                                                            \
    X(peer_ratio_q3, POSITIVE, 0)                                                                            \
    X(peer_max_diff, AMOUNT, 0)                                                                              \
    X(tuned, TEXT, 0)                                                                                        \
    X(keys, TEXT, 0)                                                                                         \
    X(part, TEXT, TN_COL_APART | TN_COL_SAMPLES | TN_COL_WORK)                                               \
    X(energy_net_j, NUMBER, 0)                                                                               \
    X(idle_w, AMOUNT, 0)                                                                                     \
    X(cores, COUNT, TN_COL_APART | TN_COL_KEY | TN_COL_CURVE)                                                \
    X(cache, TEXT, TN_COL_APART | TN_COL_KEY | TN_COL_CURVE)                                                 \
    X(block, COUNT, 0)                                                                                       \
    X(executed_rho, FRACTION, 0)                                                                             \
    X(timing_s, POSITIVE, 0)                                                                                 \
    X(variant, TEXT, 0)                                                                                      \
    X(copies, COUNT, 0)                                                                                      \
    X(waits, COUNT, 0)                                                                                       \
    X(peer_event_ms, AMOUNT, 0)                                                                              \
    X(context, COUNT, TN_COL_APART | TN_COL_KEY | TN_COL_CURVE)                                              \
    X(contexts, TEXT, TN_COL_APART | TN_COL_KEY | TN_COL_CURVE)                                              \
    X(context_min, COUNT, 0)                                                                                 \
    X(context_median, COUNT, 0)                                                                              \
    X(state_bytes, AMOUNT, 0)                                                                                \
    X(tokens_per_s, POSITIVE, 0)                                                                             \
    X(shard, TEXT, 0)

/* The number of each column, in the order of the file. */
#define TN_COLUMN_NUMBER(name, kind, uses) TN_COLUMN_##name,
enum { TN_COST_COLUMNS(TN_COLUMN_NUMBER) TN_COLUMNS };
#undef TN_COLUMN_NUMBER

typedef struct tn_cost_column {
    const char *name;
    tn_column_kind kind;
    unsigned uses; /* tn_column_use */
} tn_cost_column;

extern const tn_cost_column tn_cost_columns[TN_COLUMNS];

#endif
