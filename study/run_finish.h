/* What follows training: a run's checkpoint is evaluated on its own task and its folder gets summary.json
 * and, where a router chose rows, routes.csv. */
#ifndef TN_RUN_FINISH_H
#define TN_RUN_FINISH_H

#include "run_summary.h"

/* `timing` as in tn_run_summary_make. */
tn_status tn_run_finish(tn_device *dev, const tn_train_config *c, const char *folder,
                        const tn_train_result *trained, int64_t sequences, const tn_savings_options *timing,
                        tn_run_summary *out);
/* The run of `folder` on another task or device: nothing is written. */
tn_status tn_run_evaluate(tn_device *dev, const tn_train_config *c, const char *folder,
                          const tn_train_result *trained, int64_t sequences, const tn_savings_options *timing,
                          tn_run_summary *out);

#endif
