/* What a trained model's routing saves when it is run: its forward pass beside that of the same model with
 * the attention mixer, on the same batch and device, in turn. */
#ifndef TN_SAVINGS_H
#define TN_SAVINGS_H

#include "measure.h"
#include "model.h"
#include "task.h"

typedef struct tn_savings {
    double ms_per_sequence, dense_ms_per_sequence; /* wall, medians */
    double time_saved_pct, time_saved_pct_q1,
        time_saved_pct_q3; /* 100·(1 − this / dense), from neighbouring batches */
    bool energy_ok;
    double energy_saved_pct;            /* when energy_ok */
    char energy_source[TN_ENERGY_TEXT]; /* which counter, or "unmeasured: reason" */
    int64_t batch;                      /* sequences a pass */
} tn_savings;

/* seconds: for the pair; 0: about two. The twin's weights are random: they do not change what is computed. */
tn_status tn_savings_measure(tn_model *m, const tn_task *task, double seconds, tn_savings *out);

#endif
