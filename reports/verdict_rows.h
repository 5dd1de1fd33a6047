/* Inside verdict: what is taken from rows and runs, number by number. */
#ifndef TN_VERDICT_ROWS_H
#define TN_VERDICT_ROWS_H

#include "verdict.h"

/* Time and energy of something as percent of the same with attention in every row. */
typedef struct tn_share {
    double time_pct, low_pct, high_pct; /* low, high: by quartiles; NaN where there are none */
    double energy_pct;                  /* NaN: not measured */
    char what[160], whose[24], more[200], where[64];
} tn_share;

/* `device`: the place in in->devices. False where no row answers. */
bool tn_share_of_recall(const tn_inputs *in, size_t device, tn_share *out);
bool tn_share_of_decode(const tn_inputs *in, size_t device, tn_share *out);
bool tn_share_of_step(const tn_inputs *in, size_t device, tn_share *out);

typedef struct tn_ceiling_rows {
    size_t count;
    double median, q1, q3, least, least_ms;
    char weakest[96];
} tn_ceiling_rows;
tn_status tn_ceiling_rows_of(const tn_inputs *in, size_t device, tn_ceiling_rows *out);

void tn_work_of(const tn_inputs *in, size_t device, tn_work_kind kind, tn_work *out);

#endif
