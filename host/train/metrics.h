/* metrics.csv of a run: rows are kept in memory and the file is replaced whole at each checkpoint, so it
 * never holds a row that the checkpoint beside it has not reached. Columns as promised in docs/schema.md.
 */
#ifndef TN_METRICS_H
#define TN_METRICS_H

#include "context.h"

typedef struct tn_metrics_row {
    int64_t step;
    int phase;
    double lambda, lr, loss, cross_entropy, accuracy, attention_pct, attention_pct_soft;
    int64_t routed_rows;
    double step_ms, tokens_per_s, elapsed_s;
} tn_metrics_row;

typedef struct tn_metrics {
    tn_context *ctx;
    char *text; /* header and rows */
    size_t size, capacity;
} tn_metrics;

tn_status tn_metrics_make(tn_context *ctx, tn_metrics *out); /* with the header line */
void tn_metrics_free(tn_metrics *m);
tn_status tn_metrics_add(tn_metrics *m, const tn_metrics_row *row);
tn_status tn_metrics_save(const tn_metrics *m, const char *path);
/* Takes up the rows of `path` up to and including `last_step`; `elapsed` becomes the last of them's.
 * TN_ERR_INPUT when the file is not a metrics.csv. */
tn_status tn_metrics_load(tn_metrics *m, const char *path, int64_t last_step, double *elapsed);

#endif
