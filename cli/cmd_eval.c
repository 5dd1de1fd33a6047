#include "commands.h"

#include "common.h"
#include "file.h"
#include "run_folder.h"
#include "run_summary.h"
#include "study_bits.h"
#include "task_options.h"

#include <math.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Steps and seconds of the run's training, where its summary.json has them. */
static void training_of(tn_context *ctx, const char *folder, tn_run_summary *s) {
    char *path;
    if (tn_path_join(ctx, folder, "summary.json", &path) != TN_OK)
        return;
    json_t *root = json_load_file(path, 0, NULL);
    json_t *steps = json_object_get(root, "steps"), *seconds = json_object_get(root, "train_s");
    if (json_is_integer(steps))
        s->steps = json_integer_value(steps);
    if (json_is_number(seconds))
        s->train_s = json_number_value(seconds);
    json_decref(root);
    tn_free(ctx, path);
}

static bool to_stdout(const char *path) {
    return path && strcmp(path, "-") == 0;
}

static tn_status check_bits(tn_context *ctx, const tn_cli_args *args, const tn_task_config *task) {
    const char *bits = tn_cli_string(args, "bits", NULL);
    if (bits && task->kind != TN_TASK_TEXT)
        return tn_fail(ctx, TN_ERR_ARG, "--bits is of bytes of text, and the task of %s is %s",
                       args->arguments[0], tn_task_kind_name(task->kind));
    if (to_stdout(bits) && tn_cli_given(args, "json"))
        return tn_fail(ctx, TN_ERR_ARG, "--bits and --json would both be written to stdout; name a file");
    return TN_OK;
}

/* The rows are called as the run's folder is. */
static tn_status write_bits(tn_context *ctx, const char *folder, const tn_run_summary *s, const char *path) {
    char real[PATH_MAX];
    const char *name = realpath(folder, real) ? strrchr(real, '/') + 1 : folder;
    return tn_bits_write(ctx, s, name, path);
}

/* Where stdout is for the rows, the lines for people go to stderr. */
static tn_status write_all(tn_context *ctx, const tn_cli_args *args, const tn_run_summary *s) {
    const char *bits = tn_cli_string(args, "bits", NULL);
    if (bits)
        TN_TRY(write_bits(ctx, args->arguments[0], s, bits));
    if (tn_cli_given(args, "json"))
        return tn_run_summary_write(ctx, s, stdout);
    if (!to_stdout(bits) || !ctx->quiet)
        tn_run_summary_print(s, to_stdout(bits) ? stderr : stdout);
    return TN_OK;
}

static tn_status load(tn_context *ctx, const tn_cli_args *args, tn_device *dev, tn_train_config *c,
                      tn_model **m) {
    TN_TRY(tn_run_load(dev, args->arguments[0], c, m));
    c->task.seed = tn_cli_uint64(args, "seed", 99);
    TN_TRY(tn_cli_task(ctx, args, &c->task));
    return check_bits(ctx, args, &c->task);
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    tn_train_config config;
    tn_run_summary summary;
    const tn_savings_options timing = {.seconds = tn_cli_real(args, "seconds", 0),
                                       .no_energy = !tn_cli_energy(args),
                                       .longest_pass_s =
                                           tn_cli_real(args, "longest-pass", TN_SAVINGS_LONGEST_PASS_S)};
    tn_model *m = NULL;
    tn_device *dev;
    TN_TRY(tn_device_open_selected(ctx, tn_cli_string(args, "device", NULL), &dev));
    tn_status status = load(ctx, args, dev, &config, &m);
    if (status == TN_OK)
        status = tn_run_summary_make(m, &config, tn_cli_int(args, "sequences", 1000), &timing, &summary);
    if (status == TN_OK) {
        training_of(ctx, args->arguments[0], &summary);
        status = write_all(ctx, args, &summary);
    }
    tn_model_destroy(m);
    tn_device_close(dev);
    return status;
}

static const tn_cli_option options[] = {
    TN_CLI_TASK,
    {"sequences", 0, "M", TN_CLI_INT, "held-out sequences (1000)", 1, 1e8},
    {"seed", 's', "S", TN_CLI_UINT64, "seed of the sequences (99)"},
    TN_CLI_SAVINGS_SECONDS(""),
    TN_CLI_ENERGY,
    {"longest-pass", 0, "X", TN_CLI_REAL,
     "the attention mixer is not timed where one pass of it would take longer, by this model's time and the "
     "operations of both (60 s)",
     1e-9, 1e6},
    {"bits", 0, "FILE.csv", TN_CLI_WRITES,
     "of text: bits a byte and routed share by kind of place, by distance to where the last 8 bytes stood "
     "before, and by quarter of the sequence; - is stdout"},
    {"json", 0, NULL, TN_CLI_FLAG, "one JSON object with the fields of study.csv"},
    TN_CLI_DEVICE,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_eval = {
    "eval", "Evaluate a trained model, at its own or another length, and measure what its routing saves",
    "DIR",  1,
    1,      options,
    run,    "Savings are against the same model with the attention mixer, timed in turn on the same device.",
    true};
