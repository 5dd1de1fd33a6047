/* Hidden: tries sets of tunables in the process that `tune` gave it. Writes a journal to stdout. */
#include "commands.h"

#include "common.h"
#include "tune_apart.h"

#include <string.h>

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    const tn_case *op;
    tn_device *dev;
    TN_TRY(tn_cli_op(ctx, tn_cli_string(args, "op", NULL), &op));
    const char *job = tn_cli_string(args, "job", "");
    const bool all = strcmp(job, "share") == 0;
    if (!op && !all)
        return tn_fail(ctx, TN_ERR_ARG, "trial needs --op");
    TN_TRY(tn_device_open_selected(ctx, tn_cli_string(args, "device", NULL), &dev));
    tn_status status =
        all ? tn_tune_share(dev) : tn_tune_trial(dev, op, job, tn_cli_string(args, "argument", ""));
    tn_device_close(dev);
    return status;
}

static const char *const jobs[] = {"search", "cover", "share", NULL};
static const tn_cli_option options[] = {
    {"op", 0, "OP", TN_CLI_STRING, "the op"},
    {"job", 0, "JOB", TN_CLI_STRING, "what to do with it", 0, 0, jobs},
    {"argument", 0, "TEXT", TN_CLI_STRING, "what the job needs to know"},
    TN_CLI_DEVICE,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_trial = {"trial", NULL, NULL, 0, 0, options, run};
