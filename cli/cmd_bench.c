#include "commands.h"

#include "bench_decode.h"
#include "bench_peers.h"
#include "common.h"
#include "file.h"
#include "op_list.h"
#include "layer_parts.h"
#include "lock.h"
#include "bench_op.h"
#include "samples.h"
#include "shapes.h"
#include "step.h"
#include "topology.h"
#include "version.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct bench_plan {
    const tn_case *op;                  /* NULL: all */
    const char *pass, *shape, *variant; /* variant NULL: the one that is chosen */
    bool steps, layers, decodes; /* training steps, routed layers and their parts, tokens, instead of ops */
    tn_bench_options options;
    bool cold, energy;
    tn_roofline roofline;
    tn_row_format format;
    tn_lock lock;
    tn_outfile out, samples;
    tn_raw raw; /* of the row being measured */
    int rows, ok, wrong, broken;
    bool compare; /* with peers */
    tn_bench_peers peers;
    char program[4096];
} bench_plan;

static void print_ceilings(const tn_device_info *info, const tn_roofline *r) {
    fprintf(stderr,
            "%d:%d %s: %.0f GFLOP/s, copy %.1f GB/s, read %.1f GB/s, launch %.1f us, with a wait %.1f us\n",
            info->platform, info->index, info->name, 1e-9 * r->flops, 1e-9 * r->copy_bytes,
            1e-9 * r->read_bytes, 1e6 * r->launch_s, 1e6 * r->round_trip_s);
}

static void count_row(const tn_context *ctx, const tn_cost_row *row, bench_plan *plan) {
    plan->rows++;
    plan->ok += strcmp(row->status, "ok") == 0;
    if (strcmp(row->status, "error") != 0)
        return;
    plan->broken++;
    plan->wrong += ctx->status == TN_ERR_CHECK || tn_row_past_roof(row);
}

/* A failure to write is the end: what is measured from then on would be lost. */
static tn_status write_row(void *data, tn_context *ctx, const tn_cost_row *measured) {
    bench_plan *plan = data;
    tn_cost_row row = *measured;
    row.timing_s = plan->options.seconds;
    tn_rows_write(plan->out.stream, plan->format, plan->rows, &row);
    TN_TRY(tn_outfile_publish(ctx, &plan->out));
    count_row(ctx, &row, plan);
    if (plan->samples.stream) {
        TN_TRY(tn_samples_write(ctx, plan->samples.stream, &row, &plan->raw));
        TN_TRY(tn_outfile_publish(ctx, &plan->samples));
    }
    plan->raw.wall = plan->raw.event = plan->raw.other = 0;
    return TN_OK;
}

static tn_status bench_row(tn_device *dev, const tn_case *c, int pass, const tn_shape *shape,
                           bench_plan *plan) {
    tn_context *ctx = tn_device_context(dev);
    tn_cost_row row;
    char text[200];
    tn_shape_print(c, shape, text, sizeof text);
    tn_progress(ctx, "%s %s %s", c->op, c->passes[pass], text);
    tn_status status = tn_bench_op(dev, c, pass, shape, &plan->options, &row);
    tn_progress_end(ctx);
    TN_TRY(status);
    TN_TRY(write_row(plan, ctx, &row));
    return tn_device_check(dev); /* a lost device ends it: the other rows could only fail */
}

static tn_status bench_case(tn_device *dev, const tn_case *c, bench_plan *plan) {
    tn_context *ctx = tn_device_context(dev);
    tn_shape shapes[TN_SHAPES_MAX];
    int count = 1;
    if (plan->shape)
        TN_TRY(tn_shape_asked(ctx, c, plan->shape, &shapes[0]));
    else
        TN_TRY(tn_shapes_of(ctx, c, shapes, &count));
    const tn_op *op = tn_op_find(c->op);
    const tn_variant *variant = op && plan->variant ? tn_variant_find(op, plan->variant) : NULL;
    if (plan->variant && !variant)
        return TN_OK;
    if (variant)
        TN_TRY(tn_variant_try(dev, op, variant));
    for (int pass = 0; c->passes[pass]; pass++)
        for (int i = 0; i < count && (!plan->pass || strcmp(plan->pass, c->passes[pass]) == 0); i++)
            TN_TRY(bench_row(dev, c, pass, &shapes[i], plan));
    tn_tunable_untry(dev, c->op);
    return TN_OK;
}

/* The recall model's step, dense and with one row in a hundred routed, as trained and four times as long. */
static tn_status bench_steps(tn_device *dev, bench_plan *plan) {
    static const tn_step_shape usual[] = {{32, 128, NAN}, {32, 128, 0.01}, {32, 512, NAN}, {32, 512, 0.01}};
    tn_context *ctx = tn_device_context(dev);
    tn_step_shape given;
    tn_cost_row row;
    if (plan->shape)
        TN_TRY(tn_step_shape_parse(ctx, plan->shape, &given));
    for (size_t i = 0; i < (plan->shape ? 1 : sizeof usual / sizeof usual[0]); i++) {
        const tn_step_shape *shape = plan->shape ? &given : &usual[i];
        tn_progress(ctx, "step B=%lld T=%lld", (long long)shape->B, (long long)shape->T);
        tn_status status = tn_step_measure(dev, shape, &plan->options, &row);
        tn_progress_end(ctx);
        TN_TRY(status);
        TN_TRY(write_row(plan, ctx, &row));
        TN_TRY(tn_device_check(dev));
    }
    return TN_OK;
}

/* The routed layer at one row in a hundred, as long as the sweep has it. */
static tn_status bench_layers(tn_device *dev, bench_plan *plan) {
    static const char *const usual[] = {"B=4,T=1024", "T=4096", "T=16384"};
    tn_context *ctx = tn_device_context(dev);
    tn_cost_row rows[TN_LAYER_PART_ROWS];
    tn_layer_shape shape;
    for (size_t i = 0; i < (plan->shape ? 1 : sizeof usual / sizeof usual[0]); i++) {
        int count;
        TN_TRY(tn_layer_parts_parse(ctx, plan->shape ? plan->shape : usual[i], &shape));
        tn_progress(ctx, "routed layer T=%lld D=%lld and its parts", (long long)shape.T, (long long)shape.D);
        tn_status status = tn_layer_parts_measure(dev, &shape, &plan->options, rows, &count);
        tn_progress_end(ctx);
        TN_TRY(status);
        for (int k = 0; k < count; k++) /* the samples are the whole's, which comes first */
            TN_TRY(write_row(plan, ctx, &rows[k]));
        TN_TRY(tn_device_check(dev));
    }
    return TN_OK;
}

static tn_status bench_device(tn_context *ctx, const tn_device_info *info, void *data) {
    bench_plan *plan = data;
    tn_device *dev;
    tn_energy *energy = NULL;
    tn_evict *evict = NULL;
    tn_status status = TN_OK;
    TN_TRY(tn_device_open(ctx, info, &dev));
    if (plan->energy)
        TN_GO(tn_energy_open(ctx, info, &energy));
    TN_GO(tn_energy_measure_idle(energy, dev)); /* before there is work */
    TN_GO(tn_roofline_measure(dev, &plan->roofline));
    plan->options.roofline = &plan->roofline;
    plan->options.energy = energy;
    if (plan->cold)
        TN_GO(tn_evict_create(dev, &evict));
    plan->options.evict = evict;
    if (!ctx->quiet)
        print_ceilings(info, &plan->roofline);
    if (!ctx->quiet)
        tn_cli_print_tuned(ctx, info, "tuned values: ", stderr);
    if (plan->steps && !plan->compare)
        TN_GO(bench_steps(dev, plan));
    if (plan->layers)
        TN_GO(bench_layers(dev, plan));
    if (plan->decodes)
        TN_GO(tn_bench_decode(dev, &(tn_bench_decode_plan){plan->shape, &plan->options, write_row, plan}));
    if (plan->compare) {
        plan->peers.options = plan->options;
        TN_GO(tn_bench_peers_run(dev, &plan->peers));
    }
    const bool ops = !plan->steps && !plan->layers && !plan->decodes && !plan->compare;
    for (int i = 0; i < tn_case_count && ops; i++)
        if (!plan->op || plan->op == tn_cases[i])
            TN_GO(bench_case(dev, tn_cases[i], plan));
cleanup:
    tn_evict_destroy(evict);
    tn_energy_close(energy);
    tn_device_close(dev);
    return status;
}

/* --pass must be a pass of the op, or of any op when none is named. */
static tn_status check_pass(tn_context *ctx, const bench_plan *plan) {
    char list[512] = "";
    size_t used = 0;
    if (!plan->pass)
        return TN_OK;
    for (int i = 0; i < tn_case_count; i++) {
        if (plan->op && plan->op != tn_cases[i])
            continue;
        if (tn_case_pass(tn_cases[i], plan->pass) >= 0)
            return TN_OK;
        for (int p = 0; tn_cases[i]->passes[p] && used < sizeof list; p++)
            if (!strstr(list, tn_cases[i]->passes[p]))
                used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
                                         tn_cases[i]->passes[p]);
    }
    return tn_fail(ctx, TN_ERR_ARG, "unknown pass '%s'; there is: %s", plan->pass, list);
}

static tn_status plan_peers(tn_context *ctx, const tn_cli_args *args, bench_plan *plan) {
    const char *python = getenv("TURNOUT_PYTHON");
    ssize_t length = readlink("/proc/self/exe", plan->program, sizeof plan->program - 1);
    if (length <= 0)
        snprintf(plan->program, sizeof plan->program, "%s", args->program);
    plan->compare = tn_cli_given(args, "peers") || tn_cli_given(args, "peer");
    plan->peers =
        (tn_bench_peers){.op = plan->steps ? "step"
                               : plan->op  ? plan->op->op
                                           : NULL,
                         .pass = plan->pass,
                         .shape = plan->shape,
                         .peer = tn_cli_string(args, "peer", NULL),
                         .python = tn_cli_string(args, "python", python && python[0] ? python : "python3"),
                         .program = plan->program,
                         .write = write_row,
                         .data = plan};
    return plan->compare ? tn_bench_peers_check(ctx, &plan->peers) : check_pass(ctx, plan);
}

/* The level, and what does not go with it. */
static tn_status plan_level(tn_context *ctx, const tn_cli_args *args, bench_plan *plan) {
    const char *level = tn_cli_string(args, "level", "op");
    const bool peers = tn_cli_given(args, "peers") || tn_cli_given(args, "peer");
    plan->steps = strcmp(level, "step") == 0;
    plan->layers = strcmp(level, "layer") == 0;
    plan->decodes = strcmp(level, "decode") == 0;
    const bool op = !plan->steps && !plan->layers && !plan->decodes;
    if (!op && (plan->op || plan->pass))
        return tn_fail(ctx, TN_ERR_ARG, "--level %s takes neither --op nor --pass", level);
    if (plan->variant && (!op || peers))
        return tn_fail(
            ctx, TN_ERR_ARG,
            "--variant goes with --level op and without peers; TURNOUT_VARIANT=OP=NAME holds for all");
    if ((plan->layers || plan->decodes) && peers)
        return tn_fail(ctx, TN_ERR_ARG, "no peer does the work of --level %s; --level op or step", level);
    if (plan->cold && (plan->layers || plan->decodes || peers))
        return tn_fail(
            ctx, TN_ERR_ARG,
            "--cache cold goes with --level op and step and without peers: the others time several calls "
            "behind one another");
    return TN_OK;
}

static tn_status check_shape(tn_context *ctx, const bench_plan *plan) {
    tn_step_shape step;
    tn_layer_shape layer;
    tn_decoding_shape decoding;
    tn_shape shape;
    if (!plan->shape)
        return TN_OK;
    if (plan->steps)
        return tn_step_shape_parse(ctx, plan->shape, &step);
    if (plan->layers)
        return tn_layer_parts_parse(ctx, plan->shape, &layer);
    if (plan->decodes)
        return tn_decoding_parse(ctx, plan->shape, &decoding);
    if (!plan->op)
        return tn_fail(ctx, TN_ERR_ARG, "--shape needs --op: every op has dimensions of its own");
    return tn_shape_asked(ctx, plan->op, plan->shape, &shape);
}

static tn_status plan_make(tn_context *ctx, const tn_cli_args *args, bench_plan *plan) {
    const char *path = tn_cli_string(args, "output", NULL);
    plan->pass = tn_cli_string(args, "pass", NULL);
    plan->shape = tn_cli_string(args, "shape", NULL);
    plan->variant = tn_cli_string(args, "variant", NULL);
    plan->options.seconds = tn_cli_real(args, "seconds", 0.4);
    plan->options.raw = &plan->raw;
    plan->options.seed = tn_cli_uint64(args, "seed", 1);
    plan->format = tn_row_format_choose(tn_cli_format(args), path, path ? TN_ROW_CSV : TN_ROW_TABLE);
    TN_TRY(tn_cli_op(ctx, tn_cli_string(args, "op", NULL), &plan->op));
    plan->cold = strcmp(tn_cli_string(args, "cache", "warm"), "cold") == 0;
    plan->energy = tn_cli_energy(args);
    TN_TRY(plan_level(ctx, args, plan));
    TN_TRY(tn_cli_variant(ctx, plan->op, plan->variant));
    TN_TRY(plan_peers(ctx, args, plan));
    TN_TRY(check_shape(ctx, plan));
    if (tn_cli_given(args, "samples"))
        TN_TRY(tn_outfile_open(ctx, tn_cli_string(args, "samples", NULL), &plan->samples));
    TN_TRY(tn_lock_take_file(ctx, path, &plan->lock));
    return tn_outfile_open(ctx, path, &plan->out);
}

/* What the rows come to where nothing went wrong beside them. */
static tn_status verdict(tn_context *ctx, const bench_plan *plan) {
    if (plan->broken)
        return tn_fail(ctx, plan->wrong ? TN_ERR_CHECK : TN_ERR_DEVICE,
                       "%d of %d rows failed (%d of them wrong); their reasons stand in the rows",
                       plan->broken, plan->rows, plan->wrong);
    return plan->ok
               ? TN_OK
               : tn_fail(ctx, TN_ERR_UNSUPPORTED,
                         "none of %d rows could be measured; their reasons stand in the rows", plan->rows);
}

/* Rows that were measured are kept whatever ended it; they stand in the file already. */
static tn_status keep(tn_context *ctx, bench_plan *plan, tn_status status, const char *path) {
    tn_status samples = TN_OK, rows;
    if (plan->rows == 0 && status != TN_OK)
        return status;
    tn_rows_end(plan->out.stream, plan->format);
    if (plan->samples.stream)
        samples = tn_outfile_commit(ctx, &plan->samples);
    rows = tn_outfile_commit(ctx, &plan->out);
    if (rows != TN_OK || (samples != TN_OK && status == TN_OK))
        return rows != TN_OK ? rows : samples;
    if (status != TN_OK && path && plan->rows > 0)
        tn_fail_prefix(ctx, "cut short, %s has the %d row%s that were measured", path, plan->rows,
                       plan->rows == 1 ? "" : "s");
    return status == TN_OK ? verdict(ctx, plan) : status;
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    static bench_plan plan; /* static for the size of its samples */
    const tn_case *op;
    tn_topology topology;
    tn_status status = TN_OK;
    bool listed;
    TN_TRY(tn_cli_op(ctx, tn_cli_string(args, "op", NULL), &op));
    TN_TRY(tn_cli_list_ops(ctx, args, TN_CLI_OPS, op, &listed));
    if (listed)
        return TN_OK;
    TN_GO(plan_make(ctx, args, &plan));
    if (tn_version_slow_build())
        tn_warn(ctx, "%s", tn_version_slow_build());
    TN_GO(tn_topology_read(ctx, &topology));
    plan.options.cpu_model = topology.cpu_model;
    tn_rows_begin(plan.out.stream, plan.format);
    status = tn_cli_devices(ctx, args, bench_device, &plan);
    status = keep(ctx, &plan, status, tn_cli_string(args, "output", NULL));
cleanup:
    tn_outfile_abandon(ctx, &plan.samples);
    tn_outfile_abandon(ctx, &plan.out);
    tn_lock_release(&plan.lock);
    return status;
}

static const char *const formats[] = {"csv", "json", "md", NULL};
static const char *const levels[] = {"op", "step", "layer", "decode", NULL};
static const tn_cli_option options[] = {
    {"level", 0, "LEVEL", TN_CLI_STRING,
     "op: kernels (default); step: whole training steps of the recall model, and what of them is spent "
     "outside kernels; layer: the routed layer, whole and part by part; decode: its mixer a token at a time, "
     "at contexts up to 262144",
     0, 0, levels},
    {"op", 0, "OP", TN_CLI_STRING, "one op instead of all"},
    {"pass", 0, "PASS", TN_CLI_STRING, "one pass: forward, backward, … as the op names it"},
    {"variant", 0, "NAME", TN_CLI_STRING,
     "the variant of that name, of ops that have it; a shape that it does not take is a row `unsupported`"},
    {"shape", 0, "K=V,...", TN_CLI_STRING,
     "one shape, with --op or another level, instead of those of bench/shapes; what it leaves out is "
     "as in the op's first shape there (step B=32,T=128; layer B=1,T=4096,D=64,K=4,rho=0.01; decode "
     "context=4096,B=1,D=64,K=4, ragged=1 for contexts drawn between context/16 and context, rho for one "
     "fraction instead of several)"},
    {"peers", 0, NULL, TN_CLI_FLAG,
     "the same work through other libraries, in turn with ours, on bench/peers"},
    {"peer", 0, "NAME", TN_CLI_STRING, "one of them: openblas, clblast, torch, torch-compile"},
    {"python", 0, "PATH", TN_CLI_STRING, "Python that has PyTorch (TURNOUT_PYTHON, else python3)"},
    {"seconds", 0, "S", TN_CLI_REAL, "of timing a row at most (0.4)", 0.001, 3600},
    TN_CLI_ENERGY,
    {"seed", 's', "S", TN_CLI_UINT64, "seed of the data (1)"},
    TN_CLI_CACHE,
    TN_CLI_SAMPLES,
    TN_CLI_OUTPUT("write rows to FILE instead of stdout, each as it is measured; its ending chooses the "
                  "format; %h is the "
                  "machine, %d the device"),
    {"format", 0, "csv|json|md", TN_CLI_STRING, "format of the rows; md, a table, on stdout by default", 0, 0,
     formats},
    TN_CLI_JSON("the same as --format json; with --list, all that is known of the ops"),
    TN_CLI_LIST("ops, passes, dimensions and variants"),
    TN_CLI_DEVICES,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_bench = {
    "bench",
    "Time kernels, each verified first in the same run",
    NULL,
    0,
    0,
    options,
    run,
    "Times are medians of the wall clock; +-% is the distance of the quartiles; roof% the share of the "
    "device's\n"
    "measured ceilings (multiply-adds, memory) that the least work of the op comes to. A peer's ratio is its "
    "time over ours, above 1 where ours is faster.",
    .patterns = true};
