#include "causal_conv.h"
#include "commands.h"

#include "common.h"
#include "file.h"
#include "row_price.h"
#include "run_finish.h"
#include "run_folder.h"
#include "task_options.h"
#include "version.h"

#include <string.h>

enum { SUMMARY_SEQUENCES = 2000 };

static const char *const lambda_words[] = {"measured", NULL}, *const positions[] = {"none", "rope", NULL},
                         *const mixes[] = {"replace", "add", NULL},
                         *const penalties[] = {"mean", "rows", NULL},
                         *const prices[] = {"all", "known", NULL};

static tn_status task_of(tn_context *ctx, const tn_cli_args *args, tn_task_config *task) {
    *task = (tn_task_config){.distance = 126, .pairs = 4, .seed = tn_cli_uint64(args, "seed", 1)};
    TN_TRY(tn_task_kind_parse(ctx, tn_cli_string(args, "task", "recall"), &task->kind));
    task->length = task->kind == TN_TASK_TEXT ? 256 : 64;
    TN_TRY(tn_cli_task(ctx, args, task));
    tn_task_config_trim(task);
    return TN_OK;
}

/* What is given on the command line; the rest stays as it is. */
static tn_status model_options(tn_context *ctx, const tn_cli_args *args, tn_model_config *m) {
    m->d_model = tn_cli_int(args, "width", m->d_model);
    m->layers = tn_cli_int(args, "layers", m->layers);
    m->heads = tn_cli_int(args, "heads", m->heads);
    m->kv_heads = tn_cli_int(args, "kv-heads", m->kv_heads);
    tn_model_config_trim(m);
    m->conv_taps = tn_cli_int(args, "taps", m->conv_taps);
    m->mlp_width = tn_cli_int(args, "mlp", m->mlp_width);
    m->window = tn_cli_int(args, "window", m->window);
    m->match = tn_cli_int(args, "match", m->match);
    if (tn_cli_given(args, "mixer") && tn_cli_given(args, "mixers"))
        return tn_fail(ctx, TN_ERR_ARG,
                       "--mixer and --mixers both say what the layers are; give one of them");
    const char *mixer = tn_cli_string(args, "mixers", tn_cli_string(args, "mixer", NULL));
    if (mixer)
        TN_TRY(tn_mixer_parse(ctx, mixer, m));
    if (tn_cli_given(args, "routing"))
        TN_TRY(tn_routing_parse(ctx, tn_cli_string(args, "routing", NULL), m));
    if (tn_cli_given(args, "routing") && !tn_mixer_has_router(m))
        return tn_fail(ctx, TN_ERR_ARG, "--routing belongs to the mixer routed");
    if (tn_cli_given(args, "mix"))
        TN_TRY(tn_mix_parse(ctx, tn_cli_string(args, "mix", NULL), m));
    const char *given = tn_cli_string(args, "positions", NULL); /* else the task's usual ones */
    return given ? tn_positions_parse(ctx, given, m) : TN_OK;
}

/* `--lambda measured`. */
static bool wants_price(const tn_cli_args *args) {
    return strcmp(tn_cli_string(args, "lambda", ""), lambda_words[0]) == 0;
}

static tn_status curriculum_options(tn_context *ctx, const tn_cli_args *args, tn_train_config *c) {
    tn_curriculum *u = &c->curriculum;
    if (tn_cli_given(args, "no-curriculum"))
        u->enabled = false;
    if (!u->enabled && !tn_mixer_has_router(&c->model))
        return tn_fail(ctx, TN_ERR_ARG, "--no-curriculum belongs to the mixer routed");
    if (wants_price(args) && !tn_mixer_has_router(&c->model))
        return tn_fail(ctx, TN_ERR_ARG,
                       "--lambda measured belongs to the mixer routed: no other has a price");
    if (tn_cli_given(args, "lambda") && !wants_price(args)) {
        u->lambda = tn_cli_real(args, "lambda", u->lambda);
        u->budget = 0;
        c->row_cost = (tn_row_cost){0};
    }
    if (c->model.routing == TN_ROUTING_CAPACITY || wants_price(args))
        u->budget = 0; /* the task's usual one */
    u->budget = tn_cli_real(args, "budget", u->budget);
    if (tn_cli_given(args, "price"))
        u->price_known = strcmp(tn_cli_string(args, "price", NULL), prices[1]) == 0;
    u->steps = tn_cli_int(args, "steps", u->steps);
    u->margin = tn_cli_real(args, "gate-margin", u->margin);
    u->lr = tn_cli_real(args, "lr", u->lr);
    u->decay = tn_cli_real(args, "decay", u->decay);
    u->warmup = tn_cli_int(args, "warmup", u->warmup);
    u->phase1 = tn_cli_int(args, "phase1", u->phase1);
    u->ramp = tn_cli_int(args, "ramp", u->ramp);
    u->explore = tn_cli_int(args, "explore", u->explore);
    u->explore_below = tn_cli_real(args, "explore-below", u->explore_below);
    return TN_OK;
}

static tn_status given_options(tn_context *ctx, const tn_cli_args *args, tn_train_config *c) {
    TN_TRY(model_options(ctx, args, &c->model));
    if (tn_cli_given(args, "plain"))
        tn_train_config_plain(c);
    TN_TRY(curriculum_options(ctx, args, c));
    if (tn_cli_given(args, "penalty"))
        TN_TRY(tn_penalty_parse(ctx, tn_cli_string(args, "penalty", NULL), &c->penalty));
    c->optimizer.weight_decay = tn_cli_real(args, "weight-decay", c->optimizer.weight_decay);
    c->optimizer.clip = tn_cli_real(args, "clip", c->optimizer.clip);
    c->router_bias = tn_cli_real(args, "router-bias", c->router_bias);
    c->shorter.steps = tn_cli_int(args, "short-steps", c->shorter.steps);
    c->shorter.length = tn_cli_int(args, "short-length", c->shorter.length);
    c->head_init = tn_cli_real(args, "head-init", c->head_init);
    c->batch = tn_cli_int(args, "batch", c->batch);
    c->log_every = tn_cli_int(args, "log-every", c->log_every);
    c->checkpoint_every = tn_cli_int(args, "checkpoint-every", c->checkpoint_every);
    return tn_train_config_check(ctx, c);
}

static tn_status config_of(tn_context *ctx, const tn_cli_args *args, tn_train_config *c) {
    tn_task_config task;
    TN_TRY(task_of(ctx, args, &task));
    TN_TRY(tn_train_config_default(ctx, &task, tn_cli_int(args, "steps", 0), c));
    c->model.mlp_width = 2 * tn_cli_int(args, "width", c->model.d_model);
    return given_options(ctx, args, c);
}

/* The config of the run in the folder, which the options given must not contradict. */
static tn_status config_of_run(tn_context *ctx, const tn_cli_args *args, const char *folder,
                               tn_train_config *c) {
    tn_train_config wanted;
    char *path;
    TN_TRY(tn_path_join(ctx, folder, "config.json", &path));
    tn_status status = tn_file_exists(path)
                           ? tn_train_config_load(ctx, path, c)
                           : tn_fail(ctx, TN_ERR_INPUT,
                                     "%s holds no run to resume; leave --resume out to start one", folder);
    tn_free(ctx, path);
    TN_TRY(status);
    wanted = *c;
    wanted.seed = wanted.task.seed = tn_cli_uint64(args, "seed", c->seed);
    if (tn_cli_given(args, "task"))
        TN_TRY(tn_task_kind_parse(ctx, tn_cli_string(args, "task", NULL), &wanted.task.kind));
    if (wanted.task.kind != c->task.kind)
        return tn_train_config_same(ctx, c, &wanted);
    TN_TRY(tn_cli_task(ctx, args, &wanted.task));
    TN_TRY(given_options(ctx, args, &wanted));
    if (wants_price(args) && !(c->row_cost.unrouted_ms > 0))
        return tn_fail(
            ctx, TN_ERR_ARG,
            "the run in %s was given its λ, %g, and did not measure it; leave --lambda out, or name "
            "another folder",
            folder, c->curriculum.lambda);
    return tn_train_config_same(ctx, c, &wanted);
}

/* λ from the device, or, where a run goes on, as its folder has it. */
static tn_status price(tn_device *dev, bool resume, tn_train_config *c) {
    tn_context *ctx = tn_device_context(dev);
    if (!resume)
        TN_TRY(tn_row_price_measure(dev, c));
    if (!ctx->quiet)
        fprintf(stderr, "λ %.4g: a routed row %.4g ms a layer, one that is not %.4g ms%s\n",
                c->curriculum.lambda, c->row_cost.routed_ms, c->row_cost.unrouted_ms,
                resume ? ", as the folder has it" : "");
    return TN_OK;
}

static tn_status summarise(tn_device *dev, const tn_cli_args *args, const tn_train_config *c,
                           const char *folder, const tn_train_result *result) {
    tn_run_summary summary;
    const tn_savings_options timing = {.seconds = tn_cli_real(args, "seconds", 0),
                                       .longest_pass_s = TN_SAVINGS_LONGEST_PASS_S};
    TN_TRY(tn_run_finish(dev, c, folder, result, tn_cli_int(args, "sequences", SUMMARY_SEQUENCES), &timing,
                         &summary));
    if (tn_cli_given(args, "json"))
        return tn_run_summary_write(tn_device_context(dev), &summary, stdout);
    printf("trained            %lld parameters, %lld steps in %.1f s, into %s\n", (long long)summary.params,
           (long long)result->steps, result->seconds, folder);
    tn_run_summary_print(&summary, stdout);
    return TN_OK;
}

/* The folder stays locked until its summary is written. */
static tn_status train(tn_device *dev, const tn_cli_args *args, const tn_train_config *config,
                       const char *folder) {
    tn_train_result result;
    tn_lock lock;
    tn_status status = tn_train(dev, config, folder, tn_cli_given(args, "resume"), &lock, &result);
    if (status == TN_OK)
        status = summarise(dev, args, config, folder, &result);
    tn_lock_release(&lock);
    return status;
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    tn_train_config config;
    tn_device *dev;
    bool resume = tn_cli_given(args, "resume"), there;
    const char *folder = tn_cli_string(args, "output", NULL);
    if (!folder)
        return tn_fail(ctx, TN_ERR_ARG, "it wants a folder for the run: -o DIR");
    TN_TRY(resume ? config_of_run(ctx, args, folder, &config) : config_of(ctx, args, &config));
    TN_TRY(tn_run_exists(ctx, folder, &there));
    if (there && !resume) /* before anything is measured */
        return tn_run_refuse(ctx, folder);
    if (tn_version_slow_build())
        tn_warn(ctx, "%s", tn_version_slow_build());
    TN_TRY(tn_device_open_selected(ctx, tn_cli_string(args, "device", NULL), &dev));
    tn_status status = wants_price(args) ? price(dev, resume, &config) : TN_OK;
    if (status == TN_OK)
        status = train(dev, args, &config, folder);
    tn_device_close(dev);
    return status;
}

static const tn_cli_option options[] = {
    {"task", 0, "TASK", TN_CLI_STRING, "recall, mqar or text (recall)", 0, 0, tn_cli_task_kinds},
    TN_CLI_TASK,
    {"mixer", 0, "MIXER", TN_CLI_STRING,
     "conv, attention, routed, random:R, periodic:M, match:N or oracle (routed)"},
    {"mixers", 0, "LIST", TN_CLI_STRING, "a mixer of each layer, any but oracle: conv,conv,attention,conv"},
    {"window", 0, "N", TN_CLI_INT,
     "a row that attends sees its own and the N - 1 positions before it; 0: all (0)", 0, INT32_MAX},
    {"match", 0, "N", TN_CLI_INT,
     "a token's embedding tells how many of the last tokens stood before in the sequence, of N at most; 0: "
     "not (0)",
     0, TN_MODEL_MAX_MATCH},
    {"routing", 0, "R", TN_CLI_STRING,
     "threshold, or capacity:R: the R·T best rows of a sequence (threshold)"},
    {"mix", 0, "replace|add", TN_CLI_STRING,
     "what attention does to a routed row's convolution (text add, else replace)", 0, 0, mixes},
    {"positions", 0, "none|rope", TN_CLI_STRING, "how a row knows its place (text rope, else none)", 0, 0,
     positions},
    {"no-curriculum", 0, NULL, TN_CLI_FLAG, "the full cost of attention from the first step: the ablation"},
    {"plain", 0, NULL, TN_CLI_FLAG,
     "the published form: --penalty mean --router-bias 0 --gate-margin 0 --explore-below 0"},
    {"steps", 0, "N", TN_CLI_INT, "training steps (the task's usual number)", 1, 1e8},
    {"seed", 's', "S", TN_CLI_UINT64, "seed of parameters and data (1)"},
    {"output", 'o', "DIR", TN_CLI_WRITES, "the run's folder, made when missing"},
    {"resume", 0, NULL, TN_CLI_FLAG,
     "go on from the state in the folder, bit for bit; other options are not needed"},
    {"layers", 0, "N", TN_CLI_INT, "layers (4)", 1, 64},
    {"width", 0, "D", TN_CLI_INT, "model width (64)", 1, 8192},
    {"heads", 0, "H", TN_CLI_INT, "attention heads (2; text 4)", 1, 128},
    {"kv-heads", 0, "G", TN_CLI_INT,
     "heads of keys and values, each of which H/G of the heads read (as many as heads)", 1, 128},
    {"taps", 0, "K", TN_CLI_INT, "taps of the convolution (recall 4, mqar 2·P + 4 and 16 at least, text 8)",
     1, TN_CAUSAL_CONV_TAPS},
    {"mlp", 0, "F", TN_CLI_INT, "hidden width of the mlp (twice the width)", 1, 32768},
    {"batch", 0, "B", TN_CLI_INT,
     "sequences a step (recall 32, text 4096 positions, mqar too, but at least 8 sequences)", 1, 1 << 20},
    {"lr", 0, "X", TN_CLI_REAL, "top learning rate", 1e-9, 10},
    {"decay", 0, "X", TN_CLI_REAL, "share of the run over which the learning rate falls at its end", 0, 1},
    {"warmup", 0, "N", TN_CLI_INT, "steps over which the learning rate rises", 0, 1e8},
    {"lambda", 0, "X|measured", TN_CLI_REAL,
     "final cost of attention (recall 0.5, mqar 2, of 32 pairs and more 1, text by its budget); measured: "
     "0.5 times "
     "what a routed row takes "
     "on this device over "
     "what "
     "one that is not takes, at this batch and length, within 0.01 to 100",
     0, 1e6, lambda_words},
    {"budget", 0, "X", TN_CLI_REAL,
     "share of rows that is to take attention, over all layers that route: λ is steered there, from "
     "--lambda on; 0: λ is given (text 0.1, but with --lambda or --routing capacity; else 0)",
     0, 1},
    {"price", 0, "ROWS", TN_CLI_STRING,
     "whom a compacted step charges: all rows, or those of which it knows what attention is worth to them, "
     "the "
     "routed ones (text known, else all)",
     0, 0, prices},
    {"penalty", 0, "FORM", TN_CLI_STRING,
     "mean: λ times the mean gate; rows: λ times the gates of a sequence and layer over the rows that the "
     "task needs there (text mean, else rows)",
     0, 0, penalties},
    {"phase1", 0, "N", TN_CLI_INT, "steps without a cost", 0, 1e8},
    {"ramp", 0, "N", TN_CLI_INT, "steps over which the cost rises", 0, 1e8},
    {"explore", 0, "N", TN_CLI_INT, "every N-th step of phase 2 is dense; 0: none (text 4, else 8)", 0, 1e8},
    {"router-bias", 0, "X", TN_CLI_REAL, "the routers' logit for every row at the start (2)", -100, 100},
    {"short-steps", 0, "N", TN_CLI_INT,
     "mqar: the first N steps are at the shorter length (beyond 64: 11 in 20 of them, with 32 pairs and more "
     "1 in 5)",
     0, 1e8},
    {"short-length", 0, "L", TN_CLI_INT,
     "mqar: the shorter length, with as many times fewer pairs and more sequences (64)", 0, 1 << 20},
    {"head-init", 0, "X", TN_CLI_REAL,
     "the head starts as the embedding times X, and goes its own way; 0: at random (mqar 0.07, else 0)", 0,
     100},
    {"explore-below", 0, "X", TN_CLI_REAL,
     "a batch of phase 2 with a smaller share of right answers is run again whole; 0: none (recall "
     "1, mqar 0.97, of 32 pairs and more 0.995, text 0)",
     0, 1},
    {"gate-margin", 0, "X", TN_CLI_REAL,
     "what a logit must reach to be routed in phase 2 of training; 0 afterwards (recall 4, mqar 2, of 32 "
     "pairs and more 0, text 0)",
     0, 100},
    {"weight-decay", 0, "X", TN_CLI_REAL, "of matrices (0.01)", 0, 10},
    {"clip", 0, "X", TN_CLI_REAL, "largest norm of the gradient (1)", 1e-9, 1e9},
    {"log-every", 0, "N", TN_CLI_INT, "steps between rows of metrics.csv (10)", 1, 1e8},
    {"checkpoint-every", 0, "N", TN_CLI_INT, "steps between checkpoints (100)", 1, 1e8},
    {"sequences", 0, "M", TN_CLI_INT, "held-out sequences of summary.json (2000)", 1, 1e8},
    TN_CLI_SAVINGS_SECONDS(""),
    TN_CLI_JSON("at the end what summary.json holds, instead of text"),
    TN_CLI_DEVICE,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_train = {
    "train",
    "Train a small model and say what its routing saves",
    NULL,
    0,
    0,
    options,
    run,
    "The folder gets config.json, metrics.csv, model.safetensors, state.safetensors and summary.json, and\n"
    "routes.csv where a router chose rows.",
    true};
