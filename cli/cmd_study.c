#include "commands.h"

#include "common.h"
#include "file.h"
#include "study.h"
#include "study_preview.h"
#include "sweep_show.h"
#include "version.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { SEEDS = 3, SEQUENCES = 2000 };

static tn_status options_of(tn_context *ctx, const tn_cli_args *args, tn_study_options *o) {
    const char *only = tn_cli_string(args, "only", NULL), *distances = tn_cli_string(args, "distances", NULL),
               *data = tn_cli_string(args, "data", "");
    *o = (tn_study_options){.seeds = tn_cli_int(args, "seeds", SEEDS),
                            .sequences = tn_cli_int(args, "sequences", SEQUENCES),
                            .steps = tn_cli_int(args, "steps", 0),
                            .length = tn_cli_int(args, "length", 0),
                            .rows = tn_cli_string(args, "rows", NULL)};
    if (strlen(data) >= TN_TASK_PATH)
        return tn_fail(ctx, TN_ERR_ARG, "--data: the path is longer than %d", TN_TASK_PATH - 1);
    snprintf(o->data, sizeof o->data, "%s", data);
    TN_TRY(tn_cli_shard(ctx, args, &o->shard));
    if (distances)
        TN_TRY(tn_study_distances_parse(ctx, distances, o));
    if (only)
        return tn_study_parts_parse(ctx, only, o->parts);
    for (int i = 0; i < TN_STUDY_PARTS; i++)
        o->parts[i] = i != TN_STUDY_TEXT || data[0];
    if (!data[0] && !ctx->quiet)
        tn_warn(ctx, "the part text is left out: it needs a file, --data FILE");
    return TN_OK;
}

/* The study's own device first: the others are held against it. */
static void list_devices(const tn_device_list *list, const tn_device_info *own, tn_study_options *o) {
    for (int i = -1; i < list->count && o->device_count < TN_STUDY_DEVICES_MOST; i++) {
        const tn_device_info *info = i < 0 ? own : &list->items[i];
        if ((i < 0 || info != own) && !info->skip_reason[0])
            snprintf(o->devices[o->device_count++], TN_STUDY_SELECTOR, "%d:%d", info->platform, info->index);
    }
}

static void print_end(const tn_study_result *r, const char *folder) {
    fprintf(stderr, "%d rows: %d from before, %d ok, %d skipped, %d error; %s/study.csv, %s/study.md\n",
            r->rows, r->kept, r->ok, r->skipped, r->errors, folder, folder);
}

static json_t *items_json(const tn_study_preview *p, const char *shard) {
    json_t *rows = json_array();
    for (size_t i = 0; i < p->plan.count; i++) {
        const tn_study_item *item = &p->plan.items[i];
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "name", item->name, "part",
                                              tn_study_part_name(item->part), "run", item->run, "steps",
                                              (json_int_t)item->config.curriculum.steps, "sequences",
                                              (json_int_t)item->sequences, "done",
                                              (int)tn_study_preview_kept(p, i)));
    }
    return json_pack("{s:o, s:i, s:s, s:i, s:o}", "rows", rows, "count", (int)p->plan.count, "shard", shard,
                     "done", p->kept, "seconds_about",
                     isfinite(p->seconds) ? json_real(p->seconds) : json_null());
}

static void print_items(const tn_study_preview *p, const char *shard) {
    char time[80] = "no estimate before its first row, for no rate of this device is known";
    for (size_t i = 0; i < p->plan.count; i++) {
        const tn_study_item *item = &p->plan.items[i];
        printf("%-8s %-44s %7lld steps %7lld sequences%s\n", tn_study_part_name(item->part), item->name,
               (long long)item->config.curriculum.steps, (long long)item->sequences,
               tn_study_preview_kept(p, i) ? "  done" : "");
    }
    if (isfinite(p->seconds))
        tn_show_time(p->seconds, time, sizeof time);
    printf("%zu rows%s%s, %d of them done; %s%s\n", p->plan.count, shard[0] ? " of shard " : "", shard,
           p->kept, time,
           !isfinite(p->seconds) ? ""
           : p->measured         ? ", by the rows that are done"
                                 : ", by a CPU's usual rate: a guess");
}

static tn_status dry_run(tn_context *ctx, const tn_study_options *o, const char *folder,
                         const tn_device_info *device, bool json) {
    tn_study_preview preview;
    char shard[TN_SHARD_TEXT];
    tn_shard_print(&o->shard, shard);
    tn_status status = tn_study_preview_make(ctx, o, folder, device, &preview);
    if (status == TN_OK && json)
        status = tn_cli_print_json(ctx, items_json(&preview, shard));
    else if (status == TN_OK)
        print_items(&preview, shard);
    tn_study_preview_free(&preview);
    return status == TN_OK ? tn_stdout_check(ctx) : status;
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    tn_study_options o;
    tn_study_result result;
    tn_device_list list;
    const tn_device_info *device;
    const char *folder = tn_cli_string(args, "output", NULL);
    const bool dry = tn_cli_given(args, "dry-run");
    if (!dry && tn_cli_given(args, "json"))
        return tn_fail(ctx, TN_ERR_ARG, "--json goes with --dry-run; the rows of a study are study.csv");
    if (!folder && !dry)
        return tn_fail(ctx, TN_ERR_ARG, "it wants a folder for the study: -o DIR");
    TN_TRY(options_of(ctx, args, &o));
    if (!dry && tn_version_slow_build())
        tn_warn(ctx, "%s", tn_version_slow_build());
    TN_TRY(tn_device_list_make(ctx, &list));
    tn_status status = tn_device_select(ctx, &list, tn_cli_string(args, "device", NULL), &device);
    if (status == TN_OK) {
        list_devices(&list, device, &o);
        if (dry) {
            status = dry_run(ctx, &o, folder, device, tn_cli_given(args, "json"));
            tn_device_list_free(ctx, &list);
            return status;
        }
        status = tn_study_run(ctx, &o, folder, tn_cli_real(args, "seconds", 0), &list, device, &result);
        if (status == TN_OK && result.rows == 0)
            tn_warn(ctx, "no run of the study falls to this shard: there is nothing to train");
        if (!ctx->quiet && result.kept + result.ok + result.skipped + result.errors > 0)
            print_end(&result, folder);
    }
    tn_device_list_free(ctx, &list);
    return status;
}

static const tn_cli_option options[] = {
    {"only", 0, "NAME,...", TN_CLI_STRING,
     "parts: seed, far, mqar, text, lambda, devices (all that can run)"},
    {"seeds", 0, "N", TN_CLI_INT, "seeds 1 to N of every run (3)", 1, 1000},
    {"sequences", 0, "M", TN_CLI_INT,
     "held-out sequences an evaluation; beyond a length of 2048 as many positions, at least 8 (2000)", 1,
     1e8},
    {"steps", 0, "N", TN_CLI_INT, "training steps (each task's usual number)", 1, 1e8},
    {"distances", 0, "A,B,...", TN_CLI_STRING,
     "seed: trained at each; far: trained at the first, evaluated at all; lambda, devices: the first"},
    {"data", 0, "NAMES", TN_CLI_READS,
     "of the part text: a file, of which the last tenth is held out, or folders, files and patterns "
     "(src/**/*.c) with commas between, of which whole documents are"},
    {"length", 0, "L", TN_CLI_INT, "of the part text: the window, in bytes (512)", 2, 1 << 20},
    {"rows", 0, "NAME,...", TN_CLI_STRING,
     "these rows alone, by name or pattern, as --dry-run shows them; what they take of others must be there"},
    TN_CLI_SHARD,
    TN_CLI_SAVINGS_SECONDS(" of a row"),
    {"dry-run", 0, NULL, TN_CLI_FLAG,
     "print the rows and about how long they take, and stop: nothing is run or written; with -o DIR those "
     "that "
     "it has are done"},
    TN_CLI_JSON("with --dry-run: an object"),
    {"output", 'o', "DIR", TN_CLI_WRITES,
     "the study's folder, made when missing; %h is the machine, %d the device"},
    TN_CLI_DEVICE,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_study = {
    "study",
    "Train and evaluate a grid of models: what routing learns, saves and costs",
    NULL,
    0,
    0,
    options,
    run,
    "The folder gets study.csv, a row a run; study.md, tables of it; and runs/, a folder a training run. A "
    "study\n"
    "that was stopped goes on when the same command is given again: rows that are ok are kept, rows that "
    "failed are\n"
    "tried again, --seeds may grow and parts may be added. A shard has all runs of a task and seed or none, "
    "and a "
    "folder\n"
    "of its own.",
    .patterns = true};
