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
    double energy_saved_pct, energy_saved_pct_low, energy_saved_pct_high; /* when energy_ok; of the rounds */
    char energy_source[TN_ENERGY_TEXT]; /* which counter, or "unmeasured: reason" */
    int64_t batch;                      /* sequences a pass */
    char note[400];                     /* why the attention mixer was not timed; "" where it was */
    bool own; /* the model is the attention mixer itself: there is nothing that it could save against */
} tn_savings;

#define TN_SAVINGS_LONGEST_PASS_S 60.0

typedef struct tn_savings_options {
    double seconds;        /* of timing; 0: about two */
    double longest_pass_s; /* the attention mixer is left out where one pass of it would take longer; 0: no
                              limit */
    bool no_energy;        /* not asked for */
    double pass_s; /* what a pass would take, where that is known better than by a guess; 0: it is not */
} tn_savings_options;

/* `work`: operations of the attention mixer over the model's, from which and the model's own time it is
 * guessed what a pass would take; only to decide what not to begin. Where it does not fit in memory it is
 * left out as well; what is measured against it is NaN then. The dense model's weights are random: they do
 * not change what is computed. */
tn_status tn_savings_measure(tn_model *m, const tn_task *task, const tn_savings_options *options, double work,
                             tn_savings *out);

#endif
