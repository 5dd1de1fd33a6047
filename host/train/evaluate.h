/* Held-out evaluation: accuracy, and what the router did, per layer and as score pairs. Hard decisions,
 * compacted. */
#ifndef TN_EVALUATE_H
#define TN_EVALUATE_H

#include "model.h"
#include "task.h"
#include "text_bits.h"

typedef struct tn_evaluation {
    int64_t sequences, labels;
    double accuracy;      /* the task's own definition, 0..1 */
    double cross_entropy; /* mean over labels, nats */
    double attention_pct; /* 100 · Σh / (layers·B·T) */
    double attention_pct_layers[TN_MODEL_MAX_LAYERS];
    double attention_pct_soft;
    double pairs_pct;         /* 100 · Σ over routed rows of (t+1) / Σ over all rows */
    double rows_per_sequence; /* routed rows a sequence, all layers together */
    double floor_pct; /* least attention % that the task allows in one layer of all; 0 where unknown */
    double oracle_precision,
        oracle_recall; /* of routed rows against the task's, in the layer that fits it best; −1 unknown */
    double flops, score_flops;                     /* least work of the forward passes, as routed */
    double flops_attention, score_flops_attention; /* the same model with --mixer attention */
    double seconds;    /* wall time of the forward passes, data made beforehand not counted */
    tn_text_bits bits; /* of the task text; layers 0 elsewhere */
} tn_evaluation;

/* Sequences first .. first + count − 1 of the task's held-out stream, `batch` at a time (0: chosen by length
 * and memory). Says on stderr how long it may take. Ctrl-C ends it, within a long sequence too;
 * TN_ERR_DEVICE, with the first tensor that has it, where a loss or a gate is not finite. */
tn_status tn_evaluate(tn_model *m, const tn_task *task, uint64_t first, int64_t count, int64_t batch,
                      tn_evaluation *out);
/* A batch that fits the device at this length: about 16 k positions, at least one sequence. */
int64_t tn_evaluate_batch(const tn_model *m, int64_t T);

#endif
