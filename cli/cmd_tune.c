#include "commands.h"

#include "clock.h"
#include "common.h"
#include "file.h"
#include "tune_apart.h"
#include "version.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_OPS = 64 };

typedef struct tune_plan {
    const tn_case *op; /* NULL: all */
    double seconds;    /* a device */
    tn_tune_options options;
    bool verify_only;
    tn_tune_cover_options cover;
    int devices, wrong, left_out; /* so far */
    char program[4096];
    double silence_s;
} tune_plan;

static bool chosen(const tune_plan *plan, int i) {
    return tn_cases[i]->tunables && (!plan->op || plan->op == tn_cases[i]);
}

static void print_list(const tune_plan *plan) {
    for (int i = 0; i < tn_case_count; i++)
        for (const tn_case_tunable *t = chosen(plan, i) ? tn_cases[i]->tunables : NULL; t && t->name; t++) {
            char name[80], values[160] = "";
            size_t used = 0;
            snprintf(name, sizeof name, "%s.%s", tn_cases[i]->op, t->name);
            for (int k = 0; k < t->count && used < sizeof values; k++)
                used +=
                    (size_t)snprintf(values + used, sizeof values - used, "%s%d", k ? " " : "", t->values[k]);
            printf("%-32s %-40s %s%s\n", name, values, t->meaning, t->bits ? "; moves last bits" : "");
        }
}

/* "LANES 16 -> 8, ROWS 16 -> 32" */
static void changes_text(const tn_case *c, const tn_tune_set *from, const tn_tune_set *to, char *text,
                         size_t size) {
    size_t used = 0;
    snprintf(text, size, "the defaults");
    for (int i = 0; c->tunables[i].name && used < size; i++)
        if (from->values[i] != to->values[i])
            used += (size_t)snprintf(text + used, size - used, "%s%s %d -> %d", used ? ", " : "",
                                     c->tunables[i].name, from->values[i], to->values[i]);
}

static void print_head(const tn_device_info *info, tune_plan *plan, const char *columns) {
    printf("%s%d:%d %s (%s)\n%s", plan->devices++ ? "\n" : "", info->platform, info->index, info->name,
           info->platform_name, columns);
    fflush(stdout);
}

/* Spaces of all ops, and what a set costs: the share of the time each should get, 0 for one that cannot be
 * tuned. */
static tn_status spaces_make(const tn_tune_apart *apart, tune_plan *plan, tn_tune_space *spaces,
                             double *weights) {
    for (int i = 0; i < tn_case_count; i++) {
        double cost;
        weights[i] = 0;
        if (!chosen(plan, i))
            continue;
        tn_progress(apart->ctx, "%s: its defaults", tn_cases[i]->op);
        tn_status status = tn_tune_apart_space(apart, tn_cases[i], plan->options.cases, &spaces[i], &cost);
        if (status == TN_ERR_DEVICE) {
            tn_warn(apart->ctx, "%s", apart->ctx->message);
            plan->left_out++;
            continue;
        }
        TN_TRY(status);
        for (int k = 0; k < spaces[i].tunables; k++)
            weights[i] += spaces[i].count[k] ? cost * (spaces[i].count[k] - 1) : 0;
    }
    return TN_OK;
}

static double sum_from(const double *weights, int from) {
    double sum = 0;
    for (int i = from; i < tn_case_count; i++)
        sum += weights[i];
    return sum;
}

static tn_status search_op(const tn_tune_apart *apart, const tn_case *c, const tn_tune_space *space,
                           double seconds, const tune_plan *plan) {
    tn_tune_report report;
    tn_tune_options options = plan->options;
    char changes[256];
    options.seconds = seconds;
    TN_TRY(tn_tune_apart_op(apart, c, space, &options, &report));
    changes_text(c, &space->device, &report.best, changes, sizeof changes);
    printf("%-24s %6.3f (%.3f..%.3f) %5d %8d %6d %6.1f s  %s%s\n", c->op, report.result.ratio,
           report.result.ratio_q1, report.result.ratio_q3, report.seen, report.refused, report.wrong,
           report.seconds, changes, report.whole ? "" : " (not all candidates had their turn)");
    TN_TRY(tn_stdout_check(apart->ctx));
    return tn_tuned_store(apart->ctx, apart->info, &report.result, 1);
}

static tn_status search_device(const tn_tune_apart *apart, tune_plan *plan) {
    static tn_tuned tuned;
    tn_context *ctx = apart->ctx;
    tn_tune_space *spaces;
    double weights[MOST_OPS], end = tn_clock_seconds() + plan->seconds;
    char text[1200];
    TN_TRY(tn_alloc(ctx, (size_t)tn_case_count, sizeof *spaces, &spaces));
    tn_status status = spaces_make(apart, plan, spaces, weights);
    for (int i = 0; i < tn_case_count && status == TN_OK; i++) {
        if (!chosen(plan, i) || weights[i] <= 0)
            continue;
        status = search_op(apart, tn_cases[i], &spaces[i],
                           (end - tn_clock_seconds()) * weights[i] / sum_from(weights, i), plan);
        if (status == TN_ERR_DEVICE) { /* of this op: the others have processes of their own */
            tn_warn(ctx, "%s", ctx->message);
            plan->left_out++;
            status = TN_OK;
        }
    }
    tn_free(ctx, spaces);
    tn_progress_end(ctx);
    TN_TRY(status);
    TN_TRY(tn_tuned_read(ctx, apart->info, &tuned));
    tn_tuned_describe(&tuned, text, sizeof text);
    printf("%s%s\n", text[0] ? "tuned values: " : "nothing beat the defaults", text);
    return TN_OK;
}

static tn_status cover_device(const tn_tune_apart *apart, tune_plan *plan) {
    for (int i = 0; i < tn_case_count; i++) {
        tn_tune_space space;
        tn_tune_tally tally;
        double start = tn_clock_seconds(), cost;
        if (!chosen(plan, i))
            continue;
        tn_progress(apart->ctx, "%s: sets of tunables", tn_cases[i]->op);
        TN_TRY(tn_tune_apart_space(apart, tn_cases[i], plan->cover.cases, &space, &cost));
        TN_TRY(tn_tune_apart_cover(apart, tn_cases[i], &space, &plan->cover, &tally));
        tn_progress_end(apart->ctx);
        printf("%-24s %9.0f %6d %8d %6d %6d of %-6d %6.1f s\n", tn_cases[i]->op, tn_tune_space_size(&space),
               tally.sets, tally.refused, tally.wrong, tally.pairs - tally.left, tally.pairs,
               tn_clock_seconds() - start);
        plan->wrong += tally.wrong;
        TN_TRY(tn_stdout_check(apart->ctx));
    }
    return TN_OK;
}

static tn_status tune_device(tn_context *ctx, const tn_device_info *info, void *data) {
    tune_plan *plan = data;
    const tn_tune_apart apart = {ctx, info, plan->program, plan->silence_s};
    if (!plan->verify_only)
        TN_TRY(tn_tuned_check(ctx, info)); /* what cannot be kept is not searched for */
    print_head(info, plan,
               plan->verify_only
                   ? "op                       possible   sets  refused  wrong         pairs       time\n"
                   : "op                       default time / tuned  sets  refused  wrong    time\n");
    return plan->verify_only ? cover_device(&apart, plan) : search_device(&apart, plan);
}

static tn_status plan_make(tn_context *ctx, const tn_cli_args *args, tune_plan *plan) {
    static const char *const unwanted[] = {"TURNOUT_TUNE", "TURNOUT_KIND"};
    uint64_t seed = tn_cli_uint64(args, "seed", 1);
    int cases = (int)tn_cli_int(args, "cases", 2);
    *plan = (tune_plan){.seconds = tn_cli_real(args, "seconds", 240),
                        .options = {.seed = seed, .cases = cases},
                        .silence_s = tn_cli_real(args, "timeout", 300),
                        .verify_only = tn_cli_given(args, "verify-only"),
                        .cover = {.most = (int)tn_cli_int(args, "sets", 0), .cases = cases, .seed = seed}};
    ssize_t length = readlink("/proc/self/exe", plan->program, sizeof plan->program - 1);
    if (length <= 0)
        snprintf(plan->program, sizeof plan->program, "%s", args->program);
    TN_TRY(tn_cli_op(ctx, tn_cli_string(args, "op", NULL), &plan->op));
    if (plan->op && !plan->op->tunables)
        return tn_fail(ctx, TN_ERR_ARG, "%s has no tunables", plan->op->op);
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0] && !plan->verify_only; i++)
        if (getenv(unwanted[i]) && getenv(unwanted[i])[0])
            return tn_fail(ctx, TN_ERR_ARG, "tuning sets out from the device's own defaults; unset %s",
                           unwanted[i]);
    return tn_case_count <= MOST_OPS ? TN_OK
                                     : tn_fail(ctx, TN_ERR_UNSUPPORTED, "tuning more than %d ops", MOST_OPS);
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    tune_plan plan;
    TN_TRY(plan_make(ctx, args, &plan));
    if (tn_cli_given(args, "list")) {
        print_list(&plan);
        return TN_OK;
    }
    if (tn_version_slow_build() && !plan.verify_only)
        tn_warn(ctx, "%s", tn_version_slow_build());
    TN_TRY(tn_cli_devices(ctx, args, tune_device, &plan));
    if (plan.left_out)
        return tn_fail(ctx, TN_ERR_DEVICE, "%d op%s could not be tuned: their defaults do not run here",
                       plan.left_out, plan.left_out == 1 ? "" : "s");
    return plan.wrong ? tn_fail(ctx, TN_ERR_CHECK, "%d set%s of tunables gave wrong results", plan.wrong,
                                plan.wrong == 1 ? "" : "s")
                      : TN_OK;
}

static const tn_cli_option options[] = {
    {"op", 0, "OP", TN_CLI_STRING, "one op instead of all"},
    {"seconds", 0, "S", TN_CLI_REAL, "for a device, all ops together (240)", 1, 1e6},
    {"cases", 'n', "N", TN_CLI_INT, "random shapes that a set must be right on (2)", 1, 1000},
    {"seed", 's', "S", TN_CLI_UINT64, "seed of shapes and data (1)"},
    {"timeout", 0, "S", TN_CLI_REAL, "a set that takes longer than this is given up (300)", 1, 1e6},
    {"list", 0, NULL, TN_CLI_FLAG, "print the tunables and their candidates, and stop"},
    {"verify-only", 0, NULL, TN_CLI_FLAG,
     "time nothing: verify sets until any two values of two tunables stood together"},
    {"sets", 0, "N", TN_CLI_INT, "with --verify-only: at most N sets an op", 1, 1e6},
    TN_CLI_DEVICES,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_tune = {
    "tune",
    "Search each op's tunables for a device; keep the fastest set that verifies",
    NULL,
    0,
    0,
    options,
    run,
    "Sets are tried in processes of their own: one that crashes, hangs or loses the device costs that set.\n"
    "Each candidate is verified, then timed in turn with the best set so far; it replaces it only when it "
    "wins by\n"
    "more than the quartiles. The result is kept in $TURNOUT_TUNED_DIR, else ~/.cache/turnout/tuned, by "
    "device and\n"
    "driver, and used from then on; TURNOUT_TUNED=0 leaves it alone. Results with other last bits are "
    "possible:\n"
    "--list says by which tunables.",
    true};
