#include "commands.h"

#include "common.h"
#include "survey.h"
#include "topology.h"
#include "version.h"

#include <string.h>
#include <unistd.h>

static tn_status survey(tn_context *ctx, const tn_device_list *list, const tn_cli_args *args) {
    const char *device = tn_cli_string(args, "device", NULL);
    const tn_device_info **chosen = NULL;
    char program[4096];
    tn_topology topology;
    tn_status status = TN_OK;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    snprintf(program + (length > 0 ? length : 0), sizeof program - (size_t)(length > 0 ? length : 0), "%s",
             length > 0 ? "" : args->program);
    tn_survey_options o = {.program = program,
                           .folder = tn_cli_string(args, "output", NULL),
                           .minutes = tn_cli_real(args, "minutes", TN_SURVEY_USUAL_MINUTES),
                           .each = device && strcmp(device, "all") == 0,
                           .json = tn_cli_given(args, "json"),
                           .cpu_model = topology.cpu_model};
    TN_GO(tn_cli_shard(ctx, args, &o.shard));
    TN_GO(tn_topology_read(ctx, &topology));
    TN_GO(tn_alloc(ctx, (size_t)list->count + 1, sizeof *chosen, &chosen));
    if (o.each)
        TN_GO(tn_device_select_all(ctx, list, device, chosen, &o.device_count));
    else
        TN_GO(tn_device_select(ctx, list, device, &chosen[o.device_count++]));
    o.devices = chosen;
    TN_GO(tn_survey_check(ctx, &o));
    if (tn_cli_given(args, "dry-run")) {
        status = tn_survey_show(ctx, &o);
        goto cleanup;
    }
    if (tn_version_slow_build())
        tn_warn(ctx, "%s", tn_version_slow_build());
    status = tn_survey_run(ctx, &o);
    if (!ctx->quiet && (status == TN_OK || status == TN_ERR_CHECK))
        fprintf(stderr, "%s/survey.md, %s/report.html\n", o.folder, o.folder);
cleanup:
    tn_free(ctx, chosen);
    return status;
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    tn_device_list list;
    const bool dry = tn_cli_given(args, "dry-run");
    if (!dry && tn_cli_given(args, "json"))
        return tn_fail(ctx, TN_ERR_ARG, "--json goes with --dry-run; what a survey found is survey.json");
    if (!dry && !tn_cli_given(args, "output"))
        return tn_fail(ctx, TN_ERR_ARG, "it wants a folder for the survey: -o DIR");
    TN_TRY(tn_device_list_make(ctx, &list));
    tn_status status = survey(ctx, &list, args);
    tn_device_list_free(ctx, &list);
    return status;
}

static const tn_cli_option options[] = {
    {"minutes", 'm', "M", TN_CLI_REAL, "all of it together; with -d all, all devices together (10)",
     TN_SURVEY_LEAST_MINUTES, TN_SURVEY_MOST_MINUTES},
    {"dry-run", 0, NULL, TN_CLI_FLAG,
     "print the stages, each one's share of the time and its pieces, and stop: nothing is run or written"},
    TN_CLI_JSON("with --dry-run: an array, an object a device, with every piece"),
    TN_CLI_SHARD,
    {"output", 'o', "DIR", TN_CLI_WRITES, "the survey's folder, made when missing"},
    TN_CLI_DEVICES,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_survey = {
    "survey",
    "Verify, tune, time and train on a device within minutes, and say what routing is worth there",
    NULL,
    0,
    0,
    options,
    run,
    "The folder gets survey.md, the verdict on a screenful; report.html; cost.csv, parts.csv, step.csv, "
    "decode.csv,\n"
    "peers.csv where there are peers, study.csv and runs/; tuned/, what tuning found "
    "(TURNOUT_TUNED_DIR=DIR/tuned "
    "uses\n"
    "it); and survey.json, what ran, for how long, and what was left out and why. With -d all a folder a "
    "device and "
    "one\n"
    "page over all. Every piece of work is a process of its own with a deadline: one that hangs or crashes "
    "costs "
    "that\n"
    "piece. A survey that was stopped goes on when the same command is given again, and one that is whole "
    "with a "
    "larger\n--minutes. A part of --shard has a folder of its own, and `turnout report` of all of them is "
    "the whole. "
    "Exit code 1 when a kernel gave wrong results.",
    .patterns = true};
