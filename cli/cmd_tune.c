#include "commands.h"

#include "clock.h"
#include "common.h"
#include "file.h"
#include "op_list.h"
#include "sweep_show.h"
#include "tune_apart.h"
#include "version.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_OPS = 64 };

typedef struct tune_plan {
    const tn_case *op; /* NULL: all */
    double seconds;    /* a device */
    tn_tune_options options;
    bool verify_only, dry_run;
    tn_tune_cover_options cover;
    int devices, wrong, left_out; /* so far */
    char program[4096];
    double asked_silence_s, asked_s; /* 0: by the device's style */
    json_t *rows;                    /* of all devices; NULL: they are printed as text */
} tune_plan;

static const tn_op *op_at(const tune_plan *plan, int i) {
    return !plan->op || plan->op == tn_cases[i] ? tn_ops[i] : NULL;
}

static bool has_choice(const tn_op *op) {
    return op->variants[1] || op->variants[0]->tunable_count;
}

static void print_head(const tn_device_info *info, tune_plan *plan, const char *columns) {
    if (plan->rows)
        return;
    printf("%s%d:%d %s (%s)\n%s", plan->devices++ ? "\n" : "", info->platform, info->index, info->name,
           info->platform_name, columns);
    fflush(stdout);
}

/* Sets that differ from a variant's defaults in one value: the share of the time each op should get. */
static double weight_of(const tn_tune_apart *apart, const tn_op *op) {
    double sum = 0;
    for (int v = 0; op && has_choice(op) && op->variants[v]; v++) {
        tn_tune_space space;
        tn_tune_space_make(apart->info, apart->style, op, v, &space);
        sum += 1 + tn_tune_space_candidates(&space);
    }
    return sum;
}

/* What an entry's variant is searched over, and its set in there. */
static void entry_set(const tn_tune_apart *apart, const tn_op *op, const tn_tuned_entry *e,
                      tn_tune_space *space, tn_tune_set *set) {
    int variant = TN_TUNE_ANY_VARIANT;
    for (int v = 0; op->variants[v]; v++)
        variant = strcmp(op->variants[v]->name, e->variant) == 0 ? v : variant;
    tn_tune_space_make(apart->info, apart->style, op, variant, space);
    *set = space->start;
    for (int i = 0; i < space->tunables; i++)
        for (int k = 0; k < e->count; k++)
            if (strcmp(e->values[k].name, space->rows[i]->name) == 0)
                set->values[i] = e->values[k].value;
}

static void print_entry(const tn_tune_apart *apart, const tn_op *op, const tn_tuned_entry *e) {
    tn_tune_space space;
    tn_tune_set set;
    char changes[256];
    entry_set(apart, op, e, &space, &set);
    tn_tune_set_changes(&space, &space.start, &set, changes, sizeof changes);
    printf("    %-12s %-10s %-10s %6.3f (%.3f..%.3f)  %s%s\n", e->pass[0] ? e->pass : "all passes", e->shapes,
           e->variant, e->ratio, e->ratio_q1, e->ratio_q3, changes,
           e->pass[0] && !e->wins ? ", where it is the one that fits" : "");
}

static void print_report(const tn_tune_apart *apart, const tn_op *op, const tn_tune_report *r) {
    printf("%-24s %5d %8d %6d %6.1f s%s%s\n", op->name, r->seen, r->refused, r->wrong, r->seconds,
           r->count ? "" : "  its defaults", r->whole ? "" : "  (not all candidates had their turn)");
    for (int i = 0; i < r->count; i++)
        print_entry(apart, op, &r->entries[i]);
}

static json_t *entry_json(const tn_tune_apart *apart, const tn_op *op, const tn_tuned_entry *e) {
    tn_tune_space space;
    tn_tune_set set;
    json_t *values = json_object();
    entry_set(apart, op, e, &space, &set);
    for (int i = 0; i < space.tunables; i++)
        if (set.values[i] != space.start.values[i])
            json_object_set_new(values, space.rows[i]->name, json_integer(set.values[i]));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b}", "pass", e->pass, "shapes", e->shapes,
                     "variant", e->variant, "values", values, "ratio", tn_cli_number_json(e->ratio),
                     "ratio_q1", tn_cli_number_json(e->ratio_q1), "ratio_q3", tn_cli_number_json(e->ratio_q3),
                     "wins", (int)e->wins);
}

static json_t *report_json(const tn_tune_apart *apart, const tn_op *op, const tn_tune_report *r) {
    json_t *row = tn_cli_row_json(apart->info), *entries = json_array();
    for (int i = 0; i < r->count; i++)
        json_array_append_new(entries, entry_json(apart, op, &r->entries[i]));
    json_object_set_new(row, "op", json_string(op->name));
    json_object_set_new(row, "sets", json_integer(r->seen));
    json_object_set_new(row, "refused", json_integer(r->refused));
    json_object_set_new(row, "wrong", json_integer(r->wrong));
    json_object_set_new(row, "seconds", tn_cli_number_json(r->seconds));
    json_object_set_new(row, "all_tried", json_boolean(r->whole));
    json_object_set_new(row, "kept", entries);
    return row;
}

static tn_status search_op(const tn_tune_apart *apart, const tn_case *c, double seconds,
                           const tune_plan *plan) {
    static tn_tune_report report;
    tn_tune_options options = plan->options;
    options.seconds = seconds;
    TN_TRY(tn_tune_apart_op(apart, c, &options, &report));
    tn_progress_end(apart->ctx);
    if (plan->rows)
        json_array_append_new(plan->rows, report_json(apart, tn_op_find(c->op), &report));
    else
        print_report(apart, tn_op_find(c->op), &report);
    TN_TRY(tn_stdout_check(apart->ctx));
    return tn_tuned_store(apart->ctx, apart->info, c->op, report.entries, report.count);
}

/* Which op comes when, and its share of the time. */
static tn_status order_ops(const tn_tune_apart *apart, const tune_plan *plan, int *order, double *shares) {
    double weights[MOST_OPS], seconds[MOST_OPS];
    for (int i = 0; i < tn_case_count; i++) {
        weights[i] = weight_of(apart, op_at(plan, i));
        seconds[i] = NAN;
    }
    if (!plan->op)
        TN_TRY(tn_tune_apart_shares(apart, seconds));
    tn_tune_order(weights, seconds, tn_case_count, order, shares);
    return TN_OK;
}

static tn_status search_device(const tn_tune_apart *apart, tune_plan *plan) {
    static tn_tuned tuned;
    tn_context *ctx = apart->ctx;
    double shares[MOST_OPS], left = 0, end = tn_clock_seconds() + plan->seconds;
    int order[MOST_OPS];
    char text[1200], untried[600] = "";
    tn_status status = order_ops(apart, plan, order, shares);
    for (int i = 0; i < tn_case_count; i++)
        left += shares[i];
    for (int k = 0; k < tn_case_count && status == TN_OK; k++) {
        const int i = order[k];
        const double time = end - tn_clock_seconds();
        if (!(shares[i] > 0))
            continue;
        if (time <= 0) {
            size_t used = strlen(untried);
            snprintf(untried + used, sizeof untried - used, "%s%s", used ? ", " : "", tn_cases[i]->op);
            continue;
        }
        status = search_op(apart, tn_cases[i], time * shares[i] / left, plan);
        left -= shares[i];
        if (status == TN_ERR_DEVICE) { /* of this op: the others have processes of their own */
            tn_warn(ctx, "%s", ctx->message);
            plan->left_out++;
            status = TN_OK;
        }
    }
    tn_progress_end(ctx);
    TN_TRY(status);
    if (untried[0] && plan->rows)
        tn_warn(ctx, "not tried, for the %g s were over: %s", plan->seconds, untried);
    if (plan->rows)
        return TN_OK;
    if (untried[0])
        printf("not tried, for the %g s were over: %s; a larger --seconds, or --op\n", plan->seconds,
               untried);
    TN_TRY(tn_tuned_read(ctx, apart->info, &tuned));
    tn_tuned_describe(&tuned, text, sizeof text);
    printf("%s%s\n", text[0] ? "tuned values: " : "nothing beat the defaults", text);
    return TN_OK;
}

static json_t *tally_json(const tn_tune_apart *apart, const tn_tune_space *space, const tn_tune_tally *t,
                          double seconds) {
    json_t *row = tn_cli_row_json(apart->info);
    json_object_set_new(row, "op", json_string(space->op->name));
    json_object_set_new(row, "variant", json_string(space->op->variants[space->variant]->name));
    json_object_set_new(row, "possible", tn_cli_number_json(tn_tune_space_size(space)));
    json_object_set_new(row, "sets", json_integer(t->sets));
    json_object_set_new(row, "refused", json_integer(t->refused));
    json_object_set_new(row, "wrong", json_integer(t->wrong));
    json_object_set_new(row, "pairs", json_integer(t->pairs));
    json_object_set_new(row, "pairs_stood", json_integer(t->pairs - t->left));
    json_object_set_new(row, "seconds", tn_cli_number_json(seconds));
    return row;
}

static tn_status cover_variant(const tn_tune_apart *apart, const tn_case *c, int variant, tune_plan *plan) {
    const tn_op *op = tn_op_find(c->op);
    tn_tune_space space;
    tn_tune_tally tally;
    double start = tn_clock_seconds();
    tn_progress(apart->ctx, "%s %s: sets of tunables", op->name, op->variants[variant]->name);
    tn_tune_space_make(apart->info, apart->style, op, variant, &space);
    TN_TRY(tn_tune_apart_cover(apart, c, &space, &plan->cover, &tally));
    tn_progress_end(apart->ctx);
    const double seconds = tn_clock_seconds() - start;
    if (plan->rows)
        json_array_append_new(plan->rows, tally_json(apart, &space, &tally, seconds));
    else
        printf("%-24s %-10s %9.0f %6d %8d %6d %6d of %-6d %6.1f s\n", op->name, op->variants[variant]->name,
               tn_tune_space_size(&space), tally.sets, tally.refused, tally.wrong, tally.pairs - tally.left,
               tally.pairs, seconds);
    plan->wrong += tally.wrong;
    return tn_stdout_check(apart->ctx);
}

static tn_status cover_device(const tn_tune_apart *apart, tune_plan *plan) {
    for (int i = 0; i < tn_case_count; i++)
        for (int v = 0; op_at(plan, i) && tn_ops[i]->variants[v]; v++)
            if (tn_ops[i]->variants[v]->tunable_count)
                TN_TRY(cover_variant(apart, tn_cases[i], v, plan));
    return TN_OK;
}

/* What would be searched of a variant; `share`: the op's part of the time. */
static void show_variant(const tn_tune_apart *apart, const tn_op *op, int variant, double share,
                         const tune_plan *plan) {
    tn_tune_space space;
    char text[40];
    tn_tune_space_make(apart->info, apart->style, op, variant, &space);
    const int one_by_one = 1 + tn_tune_space_candidates(&space);
    if (plan->rows) {
        json_t *row = tn_cli_row_json(apart->info);
        json_object_set_new(row, "op", json_string(op->name));
        json_object_set_new(row, "variant", json_string(op->variants[variant]->name));
        json_object_set_new(row, "one_by_one", json_integer(one_by_one));
        json_object_set_new(row, "possible", tn_cli_number_json(tn_tune_space_size(&space)));
        json_object_set_new(row, "op_seconds_about", tn_cli_number_json(plan->verify_only ? NAN : share));
        json_array_append_new(plan->rows, row);
        return;
    }
    tn_show_time(share, text, sizeof text);
    printf("%-24s %-10s %9d %12.0f%s%s\n", op->name, op->variants[variant]->name, one_by_one,
           tn_tune_space_size(&space), variant || plan->verify_only ? "" : "  ",
           variant || plan->verify_only ? "" : text);
}

/* What would be searched, each op's share of the time, and nothing run or written. */
static tn_status show_device(const tn_tune_apart *apart, const tune_plan *plan) {
    double all = 0;
    char text[40];
    for (int i = 0; i < tn_case_count; i++)
        all += weight_of(apart, op_at(plan, i));
    for (int i = 0; i < tn_case_count; i++) {
        const tn_op *op = op_at(plan, i);
        const double weight = weight_of(apart, op);
        for (int v = 0; weight > 0 && op->variants[v]; v++)
            show_variant(apart, op, v, plan->seconds * weight / all, plan);
    }
    if (!plan->verify_only && !plan->rows) {
        tn_show_time(plan->seconds, text, sizeof text);
        printf("shares by the number of sets; a search weighs them by each op's time in the model, too\n"
               "%s on this device, --seconds %g; what is not reached by then is said\n",
               text, plan->seconds);
    }
    return tn_stdout_check(apart->ctx);
}

static tn_status tune_device(tn_context *ctx, const tn_device_info *info, void *data) {
    tune_plan *plan = data;
    const bool groups = tn_device_info_style(info) == TN_STYLE_GROUPS;
    const double silence = plan->asked_silence_s > 0 ? plan->asked_silence_s
                           : groups && !plan->verify_only
                               ? 60 /* a hang must not take all the time there is */
                               : 300;
    const tn_tune_apart apart = {ctx, info, tn_device_info_style(info), plan->program, silence};
    plan->seconds = plan->asked_s > 0 ? plan->asked_s : groups ? 210 : 240; /* the last set may go over it */
    if (plan->dry_run) {
        print_head(info, plan, "op                       variant      one by one     all sets  time\n");
        return show_device(&apart, plan);
    }
    if (!plan->verify_only)
        TN_TRY(tn_tuned_check(ctx, info)); /* what cannot be kept is not searched for */
    print_head(info, plan,
               plan->verify_only ? "op                       variant     possible   sets  refused  wrong     "
                                   "    pairs       time\n"
                                 : "op                        sets  refused  wrong    time\n"
                                   "    pass         shapes     variant    default time / tuned\n");
    return plan->verify_only ? cover_device(&apart, plan) : search_device(&apart, plan);
}

static tn_status plan_make(tn_context *ctx, const tn_cli_args *args, tune_plan *plan) {
    static const char *const unwanted[] = {"TURNOUT_TUNE", "TURNOUT_KIND", "TURNOUT_VARIANT"};
    uint64_t seed = tn_cli_uint64(args, "seed", 1);
    int cases = (int)tn_cli_int(args, "cases", 2);
    *plan = (tune_plan){.asked_s = tn_cli_real(args, "seconds", 0),
                        .options = {.seed = seed, .cases = cases},
                        .asked_silence_s = tn_cli_real(args, "timeout", 0),
                        .verify_only = tn_cli_given(args, "verify-only"),
                        .dry_run = tn_cli_given(args, "dry-run"),
                        .cover = {.most = (int)tn_cli_int(args, "sets", 0), .cases = cases, .seed = seed}};
    ssize_t length = readlink("/proc/self/exe", plan->program, sizeof plan->program - 1);
    if (length <= 0)
        snprintf(plan->program, sizeof plan->program, "%s", args->program);
    TN_TRY(tn_cli_op(ctx, tn_cli_string(args, "op", NULL), &plan->op));
    if (plan->op && !has_choice(tn_op_find(plan->op->op)))
        return tn_fail(ctx, TN_ERR_ARG, "%s has neither variants nor tunables to choose among", plan->op->op);
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0] && !plan->verify_only; i++)
        if (getenv(unwanted[i]) && getenv(unwanted[i])[0])
            return tn_fail(ctx, TN_ERR_ARG, "tuning sets out from the device's own defaults; unset %s",
                           unwanted[i]);
    return tn_case_count <= MOST_OPS ? TN_OK
                                     : tn_fail(ctx, TN_ERR_UNSUPPORTED, "tuning more than %d ops", MOST_OPS);
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    tune_plan plan;
    const tn_case *op;
    bool listed;
    TN_TRY(tn_cli_op(ctx, tn_cli_string(args, "op", NULL), &op));
    TN_TRY(tn_cli_list_ops(ctx, args, TN_CLI_TUNABLES, op, &listed));
    if (listed)
        return TN_OK;
    TN_TRY(plan_make(ctx, args, &plan));
    if (tn_version_slow_build() && !plan.verify_only)
        tn_warn(ctx, "%s", tn_version_slow_build());
    plan.rows = tn_cli_given(args, "json") ? json_array() : NULL;
    TN_TRY(tn_cli_print_rows(ctx, tn_cli_devices(ctx, args, tune_device, &plan), plan.rows));
    if (plan.left_out)
        return tn_fail(ctx, TN_ERR_DEVICE, "%d op%s could not be tuned: their defaults do not run here",
                       plan.left_out, plan.left_out == 1 ? "" : "s");
    return plan.wrong ? tn_fail(ctx, TN_ERR_CHECK, "%d set%s of tunables gave wrong results", plan.wrong,
                                plan.wrong == 1 ? "" : "s")
                      : TN_OK;
}

static const tn_cli_option options[] = {
    {"op", 0, "OP", TN_CLI_STRING, "one op instead of all"},
    {"seconds", 0, "S", TN_CLI_REAL, "for a device, all ops together (240, GPUs 210)", 1, 1e6},
    {"cases", 'n', "N", TN_CLI_INT, "random shapes that a set must be right on (2)", 1, 1000},
    {"seed", 's', "S", TN_CLI_UINT64, "seed of shapes and data (1)"},
    {"timeout", 0, "S", TN_CLI_REAL, "a set that takes longer than this is given up (300, GPUs 60)", 1, 1e6},
    TN_CLI_LIST("variants, tunables, defaults by style and candidates"),
    TN_CLI_LIST_JSON,
    {"dry-run", 0, NULL, TN_CLI_FLAG,
     "print how many sets there are to try and each op's share of the time, and stop: nothing is run or "
     "written"},
    {"verify-only", 0, NULL, TN_CLI_FLAG,
     "time nothing: verify sets until any two values of two tunables stood together"},
    {"sets", 0, "N", TN_CLI_INT, "with --verify-only: at most N sets a variant of an op", 1, 1e6},
    TN_CLI_DEVICES,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_tune = {
    "tune",
    "Search each op's variants and tunables for a device; keep the fastest that verify",
    NULL,
    0,
    0,
    options,
    run,
    "Sets are tried in processes of their own: one that crashes, hangs or loses the device costs that set.\n"
    "Each candidate is verified, then timed in turn with the best set so far; it replaces it only when it "
    "wins by\n"
    "more than the quartiles. Every variant is searched from its own defaults, for each pass and class of "
    "shapes.\nThe result is kept in $TURNOUT_TUNED_DIR, else ~/.cache/turnout/tuned, by "
    "device and\n"
    "driver, and used from then on; TURNOUT_TUNED=0 leaves it alone. Results with other last bits are "
    "possible:\n"
    "--list says by which tunables.",
    true};
