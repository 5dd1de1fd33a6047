#include "commands.h"

#include "clock.h"
#include "common.h"
#include "file.h"
#include "op_list.h"

#include <jansson.h>
#include <string.h>

typedef struct verify_plan {
    const tn_case *op;   /* NULL: all */
    const char *variant; /* NULL: all */
    int cases, only;     /* only: one case number, or −1 */
    uint64_t seed;
    int failed, devices; /* so far */
    int passes, nans;    /* of this device: passes held to the rule of poison.h, NaNs put in */
    json_t *rows;        /* of all devices; NULL: they are printed as text */
} verify_plan;

static void passes_text(const tn_case *c, const tn_variant *variant, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; c->passes[i] && used < size; i++)
        if (tn_variant_has_pass(variant, i))
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "+" : "", c->passes[i]);
}

/* Of shapes that any pass ran on. */
static int most_fitted(const tn_verify_result *r) {
    int most = 0;
    for (int i = 0; i < TN_CASE_PASSES; i++)
        most = r->fitted[i] > most ? r->fitted[i] : most;
    return most;
}

static int popcount(unsigned bits) {
    int count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

static void print_row(const tn_case *c, const tn_variant *variant, const tn_verify_result *r) {
    char passes[64];
    passes_text(c, variant, passes, sizeof passes);
    printf("%-22s %-9s %-32s %6d %6d %7d %8.1f %% %8.2f s\n", c->op, variant->name, passes, r->cases,
           most_fitted(r), r->failed, 100 * r->worst, r->seconds);
}

static json_t *row_json(const tn_device_info *info, const tn_case *c, const tn_variant *variant,
                        const tn_verify_result *r) {
    json_t *row = tn_cli_row_json(info), *passes = json_array();
    for (int i = 0; c->passes[i]; i++)
        if (tn_variant_has_pass(variant, i))
            json_array_append_new(passes, json_string(c->passes[i]));
    json_object_set_new(row, "op", json_string(c->op));
    json_object_set_new(row, "variant", json_string(variant->name));
    json_object_set_new(row, "passes", passes);
    json_object_set_new(row, "cases", json_integer(r->cases));
    json_object_set_new(row, "fitted", json_integer(most_fitted(r)));
    json_object_set_new(row, "failed", json_integer(r->failed));
    json_object_set_new(row, "worst_pct", tn_cli_number_json(100 * r->worst));
    json_object_set_new(row, "nans", json_integer(r->poison.seen));
    json_object_set_new(row, "seconds", tn_cli_number_json(r->seconds));
    return row;
}

/* One variant of an op on one device: its row. TN_ERR_CHECK when a case failed. */
static tn_status verify_variant(tn_device *dev, const tn_case *c, const tn_variant *variant,
                                verify_plan *plan) {
    tn_context *ctx = tn_device_context(dev);
    tn_verify_result result = {0};
    tn_status status;
    tn_progress(ctx, "%s %s: %d cases", c->op, variant->name, plan->only >= 0 ? 1 : plan->cases);
    if (plan->only >= 0) {
        double start = tn_clock_seconds();
        status = tn_verify_case(dev, c, plan->seed, plan->only, &result);
        result.cases = 1;
        result.failed = status != TN_OK;
        result.seconds = tn_clock_seconds() - start;
        if (status != TN_OK && status != TN_ERR_LOST)
            tn_warn(ctx, "%s", ctx->message);
    } else {
        status = tn_verify_op(dev, c, plan->cases, plan->seed, &result);
    }
    tn_progress_end(ctx);
    if (plan->rows)
        json_array_append_new(plan->rows, row_json(tn_device_get_info(dev), c, variant, &result));
    else
        print_row(c, variant, &result);
    plan->passes += popcount(result.poison.passes);
    plan->nans += result.poison.seen;
    /* What nobody can read need not be found out. */
    return tn_stdout_check(ctx) == TN_OK ? status : TN_ERR_WRITE;
}

/* Every variant of an op, or the one that is asked for. The worst status of them. */
static tn_status verify_op(tn_device *dev, const tn_case *c, verify_plan *plan) {
    const tn_op *op = tn_op_find(c->op);
    tn_status worst = TN_OK;
    for (int i = 0; op->variants[i] && worst != TN_ERR_WRITE && worst != TN_ERR_LOST && !tn_interrupted();
         i++) {
        if (plan->variant && strcmp(plan->variant, op->variants[i]->name) != 0)
            continue;
        TN_TRY(tn_variant_try(dev, op, op->variants[i]));
        const tn_status one = verify_variant(dev, c, op->variants[i], plan);
        tn_tunable_untry(dev, c->op);
        if (one != TN_OK && (worst == TN_OK || one != TN_ERR_CHECK))
            worst = one;
    }
    return worst;
}

static tn_status verify_device(tn_context *ctx, const tn_device_info *info, void *data) {
    verify_plan *plan = data;
    tn_device *dev;
    tn_status status = TN_OK;
    TN_TRY(tn_device_open(ctx, info, &dev));
    if (!plan->rows)
        printf("%s%d:%d %s (%s)\n%-22s %-9s %-32s %6s %6s %7s %10s %10s\n", plan->devices ? "\n" : "",
               info->platform, info->index, info->name, info->platform_name, "op", "variant", "passes",
               "cases", "fitted", "failed", "worst", "time");
    plan->devices++;
    tn_cli_print_tuned(ctx, info, "tuned values: ", stderr);
    plan->passes = plan->nans = 0;
    for (int i = 0; i < tn_case_count; i++) {
        if (plan->op && plan->op != tn_cases[i])
            continue;
        tn_status one = verify_op(dev, tn_cases[i], plan);
        if (one == TN_ERR_WRITE) {
            status = one;
            break;
        }
        plan->failed += one != TN_OK;
        /* A device that failed to run is in doubt, but each op is a kernel file of its own: the others are
         * tried. */
        if (one != TN_OK && one != TN_ERR_CHECK)
            status = one;
        if (one == TN_ERR_LOST)
            break;
        if (tn_interrupted()) {
            status = tn_fail(ctx, TN_ERR_INTERRUPTED, "stopped before every op was verified");
            break;
        }
    }
    if (!plan->rows)
        printf("NaN: put into inputs %d times, in %d passes\n", plan->nans, plan->passes);
    tn_device_close(dev);
    return status;
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    verify_plan plan = {.cases = (int)tn_cli_int(args, "cases", 50),
                        .only = (int)tn_cli_int(args, "case", -1),
                        .variant = tn_cli_string(args, "variant", NULL),
                        .seed = tn_cli_uint64(args, "seed", 1)};
    TN_TRY(tn_cli_op(ctx, tn_cli_string(args, "op", NULL), &plan.op));
    bool listed;
    TN_TRY(tn_cli_list_ops(ctx, args, TN_CLI_OPS, plan.op, &listed));
    if (listed)
        return TN_OK;
    TN_TRY(tn_cli_variant(ctx, plan.op, plan.variant));
    plan.rows = tn_cli_given(args, "json") ? json_array() : NULL;
    TN_TRY(tn_cli_print_rows(ctx, tn_cli_devices(ctx, args, verify_device, &plan), plan.rows));
    return plan.failed
               ? tn_fail(ctx, TN_ERR_CHECK, "%d op%s failed", plan.failed, plan.failed == 1 ? "" : "s")
               : TN_OK;
}

static const tn_cli_option options[] = {
    {"op", 0, "OP", TN_CLI_STRING, "one op instead of all"},
    {"variant", 0, "NAME", TN_CLI_STRING, "the variant of that name instead of all that an op has"},
    {"cases", 'n', "N", TN_CLI_INT, "random shapes a variant of an op (50)", 1, 1e6},
    {"seed", 's', "S", TN_CLI_UINT64, "seed of shapes and data (1)"},
    {"case", 0, "I", TN_CLI_INT, "only case number I of the seed, as a failure names it", 0, 1e9},
    TN_CLI_LIST("ops, passes, dimensions and variants"),
    TN_CLI_LIST_JSON,
    TN_CLI_DEVICES,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_verify = {"verify",
                                      "Hold every kernel against its reference on random shapes",
                                      NULL,
                                      0,
                                      0,
                                      options,
                                      run,
                                      "\"fitted\": shapes that the variant takes; \"worst\": the largest "
                                      "error as a share of what is allowed. Exit "
                                      "code 1 when an op fails.",
                                      true};
