#include "metrics_columns.h"

#include <stddef.h>

const char *const tn_metrics_columns[] = {"step",
                                          "phase",
                                          "lambda",
                                          "lr",
                                          "loss",
                                          "cross_entropy",
                                          "accuracy",
                                          "attention_pct",
                                          "attention_pct_soft",
                                          "routed_rows",
                                          "step_ms",
                                          "tokens_per_s",
                                          "elapsed_s",
                                          NULL};
