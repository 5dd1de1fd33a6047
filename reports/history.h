/* A device over versions: what became slower or faster, and since when. */
#ifndef TN_HISTORY_H
#define TN_HISTORY_H

#include "lineup.h"
#include "text_table.h"

typedef enum tn_change_kind {
    TN_CHANGE_BROKEN, /* ok before, not any more */
    TN_CHANGE_SLOWER,
    TN_CHANGE_FASTER,
    TN_CHANGE_SLOWER_ONCE, /* one run of the newest version says so and no other yet: not claimed */
    TN_CHANGE_FASTER_ONCE,
    TN_CHANGE_KINDS
} tn_change_kind;
const char *tn_change_name(tn_change_kind kind); /* "slower", "slower once" … */

typedef struct tn_change {
    const tn_lineup_work *work;
    tn_change_kind kind;
    size_t since, first,
        before; /* columns: of the first version that has it, and of what it is held against */
    double before_ms, after_ms; /* of the runs before, and of those since that stand behind it */
    size_t before_runs, after_runs;
    tn_ratio ratio;     /* after / before; not of broken ones */
    bool gradual;       /* no one version: the first versions together against the last */
    bool last;          /* no later change of this work */
    const char *reason; /* of broken ones, borrowed */
} tn_change;

/* One device from the version before to one version. */
typedef struct tn_history_step {
    size_t rows, up;
    double log_shift, between; /* as of a comparison (tn_compared_device); `between` of one run */
    bool known, common;        /* `between` is known; the rows go one way together */
} tn_history_step;

typedef struct tn_history {
    tn_lineup lineup;
    tn_lineup_options options;
    tn_change *changes; /* those that need a look first */
    size_t count, capacity;
    tn_history_step *steps; /* [devices, columns] */
    double *between;        /* [devices] from several runs of one version; NaN: there are none */
    double z;
    size_t followed, steady;     /* works of two versions or more; of those without a change */
    size_t passing;              /* differences that the next version did not have: not claimed */
    size_t now[TN_CHANGE_KINDS]; /* by the last change of each work */
} tn_history;

/* A version is held against all before it since the last change, by the rule of `compare`: the interval, 95 %
 * for all together, leaves 1 and the ratio passes the threshold. One run alone is never claimed: the version
 * must have several, or the next version must say the same. TN_ERR_INPUT besides what tn_lineup_make has: one
 * version alone, no work that two versions have. */
tn_status tn_history_make(tn_context *ctx, const char *const *paths, size_t count, bool any_host,
                          const tn_lineup_options *options, tn_history *out);
void tn_history_free(tn_history *h); /* fine on a zeroed or failed one */
tn_status tn_history_print(const tn_history *h, FILE *stream, tn_table_format format);

#endif
