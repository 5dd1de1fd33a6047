/* Options that choose a task, shared by train and eval. */
#ifndef TN_TASK_OPTIONS_H
#define TN_TASK_OPTIONS_H

#include "options.h"
#include "task.h"

#define TN_CLI_TASK                                                                                          \
    {"distance", 0, "N", TN_CLI_INT, "recall: tokens between a key's two places (126)", 1, 1 << 24},         \
        {"length", 0, "L", TN_CLI_INT, "mqar: sequence length (64); text: window (256)", 2, 1 << 24},        \
        {"pairs", 0, "P", TN_CLI_INT, "mqar: key-value pairs (4)", 1, 1 << 20},                              \
        {"filler", 0, "random|zero",      TN_CLI_STRING, "mqar: tokens elsewhere (random)",                  \
         0,        0, tn_cli_task_fillers},                                                                  \
    {                                                                                                        \
        "data", 0, "NAMES", TN_CLI_READS,                                                                    \
            "text: a file, of which the last tenth is held out, or folders, files and patterns "             \
            "(src/**/*.c) "                                                                                  \
            "with commas between, of which whole documents are"                                              \
    }

extern const char *const tn_cli_task_fillers[]; /* "random", "zero" */
extern const char *const tn_cli_task_kinds[];   /* "recall", "mqar", "text" */

/* What was given on the command line goes over what stands in `task`. TN_ERR_ARG when it makes no sense. */
tn_status tn_cli_task(tn_context *ctx, const tn_cli_args *args, tn_task_config *task);

#endif
