/* The columns of metrics.csv (docs/schema.md), once for what writes them and what reads them. */
#ifndef TN_METRICS_COLUMNS_H
#define TN_METRICS_COLUMNS_H

extern const char *const tn_metrics_columns[]; /* NULL-ended */

#endif
