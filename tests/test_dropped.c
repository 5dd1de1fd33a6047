/* A row's check is as good as what it finds: each launch of a pass is left out in turn, and the row must say
 * so. */
#include "support.h"

#include "sweep_cell.h"
#include "launch.h"
#include "layer_parts.h"

#include <math.h>
#include <string.h>
#include <sys/wait.h>

static tn_context ctx = {.quiet = true};
static tn_device *dev;

/* Layers in every execution, the whole model, and tokens of a layer, T being their context. The shapes have
 * sequences, heads and taps in other numbers; of the second so few rows are routed that weights are
 * multiplied out, and not every block is run. */
static const struct {
    const char *level;
    int64_t B, T, D, H, K;
    double rho;
} shapes[] = {{"layer", 3, 70, 64, 1, 2, 0.3},
              {"layer", 1, 300, 32, 2, 4, 0.01},
              {"model", 3, 24, 32, 2, 4, 0.1},
              {"decode", 3, 70, 64, 2, 4, 0.5},
              {"decode", 2, 500, 64, 2, 4, 0.5}};
enum { FIRST_LAYER, LONG_LAYER, LAYER_SHAPES, MODEL = LAYER_SHAPES, FIRST_DECODE, LONG_DECODE };
static const struct {
    const char *mixer;
    tn_execution execution;
} ways[] = {{"conv", TN_EXECUTION_COMPACTED},
            {"attention", TN_EXECUTION_COMPACTED},
            {"routed", TN_EXECUTION_COMPACTED},
            {"routed", TN_EXECUTION_MASKED},
            {"routed", TN_EXECUTION_BLOCKS}};
static const char *const passes[] = {"forward", "backward", "step", "forward"};
enum {
    WAYS = sizeof ways / sizeof ways[0],
    PARTS = 3 /* a forward pass, part by part */,
    ATTENTION = 1,
    ROUTED
};

/* Which cell, by the tables above, and the kernels of which kind of device. */
typedef struct target {
    int shape, way, pass;
    bool as_gpu;
} target;
static const char *program;

static tn_status try_open(bool as_gpu) {
    if (as_gpu)
        setenv("TURNOUT_KIND", "gpu", 1);
    return tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev);
}

static void open_device(bool as_gpu) {
    ck_ok(&ctx, try_open(as_gpu));
}

static void close_device(void) {
    tn_device_close(dev);
    unsetenv("TURNOUT_KIND");
    ck_assert_int_eq(ctx.live, 0);
}

static tn_sweep_cell cell_of(const target *t) {
    tn_sweep_cell cell = {.info = tn_device_get_info(dev),
                          .B = shapes[t->shape].B,
                          .T = shapes[t->shape].T,
                          .D = shapes[t->shape].D,
                          .H = shapes[t->shape].H,
                          .K = shapes[t->shape].K,
                          .execution = ways[t->way].execution};
    snprintf(cell.level, sizeof cell.level, "%s", shapes[t->shape].level);
    snprintf(cell.pass, sizeof cell.pass, "%s", passes[t->pass]);
    snprintf(cell.mixer, sizeof cell.mixer, "%s", ways[t->way].mixer);
    cell.rho = strcmp(cell.mixer, "routed") == 0 ? shapes[t->shape].rho : NAN;
    if (t->shape >= FIRST_DECODE) {
        cell.context = cell.T;
        cell.T = -1;
    }
    return cell;
}

static tn_status try_parts(const tn_sweep_cell *c, const tn_bench_options *o, tn_cost_row *row) {
    tn_layer_shape shape = {.B = c->B,
                            .T = c->T,
                            .D = c->D,
                            .H = c->H,
                            .K = c->K,
                            .rho = c->rho,
                            .mixer = c->mixer,
                            .pass = c->pass};
    tn_cost_row rows[TN_LAYER_PART_ROWS];
    int count;
    TN_TRY(tn_layer_parts_measure(dev, &shape, o, rows, &count));
    *row = rows[0];
    return TN_OK;
}

static tn_status try_run(const target *t, int drop, int seed, tn_cost_row *row) {
    tn_sweep_cell cell = cell_of(t);
    tn_bench_options o = {.seconds = 0.001, .seed = (uint64_t)seed};
    tn_launch_drop(dev, drop);
    return t->pass == PARTS ? try_parts(&cell, &o, row) : tn_sweep_cell_run(dev, &cell, &o, row);
}

static void run(const target *t, int drop, int seed, tn_cost_row *row) {
    ck_ok(&ctx, try_run(t, drop, seed, row));
}

enum { FOUND = 10, CRASHED = 128 /* at least, as a shell tells it */ };

/* The same in a process of its own: without it, other kernels take what lies about for numbers of rows, and
 * may reach past their buffers. A sweep's cells are such processes, and one that crashes is an error. */
static bool found_elsewhere(const target *t, int drop, int seed) {
    char command[800];
    snprintf(command, sizeof command, "exec '%s' %d %d %d %d %d %d", program, t->shape, t->way, t->pass,
             t->as_gpu, drop, seed);
    int status = system(command);
    return WIFSIGNALED(status) ||
           (WIFEXITED(status) && (WEXITSTATUS(status) == FOUND || WEXITSTATUS(status) >= CRASHED));
}

static int run_elsewhere(char **words) {
    target t = {atoi(words[1]), atoi(words[2]), atoi(words[3]), atoi(words[4]) != 0};
    tn_cost_row row;
    if (try_open(t.as_gpu) != TN_OK || try_run(&t, atoi(words[5]), atoi(words[6]), &row) != TN_OK)
        return 1;
    tn_device_close(dev);
    return strcmp(row.status, "error") == 0 ? FOUND : 0;
}

/* One cell in so many, and of it one launch in so many, from one that is drawn anew each time;
 * TURNOUT_TEST_ALL: every one. A cell is run whole first, twice, which costs more than its launches left out.
 */
enum { CELLS_SHARE = 4, LAUNCHES_SHARE = 12 };
static int stride, first;

static void choose_launches(void) {
    stride = getenv("TURNOUT_TEST_ALL") ? 1 : LAUNCHES_SHARE;
    first = (int)(tn_test_seed() % (uint64_t)stride);
    printf("1 launch in %d from number %d on\n", stride, 1 + first);
}

/* How many launches were left out. */
static int drop_each(const target *t) {
    static char names[2][512][48];
    tn_sweep_cell cell = cell_of(t);
    tn_cost_row row;
    char text[240];
    int all[2], dropped = 0;
    tn_sweep_cell_describe(&cell, text, sizeof text);
    for (int seed = 0; seed < 2; seed++) {
        run(t, 0, seed, &row);
        ck_assert_msg(strcmp(row.status, "ok") == 0, "%s: %s", text, row.reason);
        all[seed] = tn_launch_watched(dev);
        ck_assert(all[seed] > 0 && all[seed] <= 512);
        for (int i = 0; i < all[seed]; i++)
            snprintf(names[seed][i], sizeof names[seed][i], "%s", tn_launch_watched_name(dev, i + 1));
    }
    /* Seeds in turn: fresh memory may hold what the run before has freed, and be right. */
    for (int i = 1 + first; i <= all[0] || i <= all[1]; i += stride) {
        int seed = i / stride % 2;
        if (i > all[seed])
            continue;
        const char *name = names[seed][i - 1];
        bool found;
        if (strncmp(name, "route_compact", 13) == 0) {
            found = found_elsewhere(t, i, seed);
        } else {
            run(t, i, seed, &row);
            found = strcmp(row.status, "error") == 0;
        }
        ck_assert_msg(found, "%s, without launch %d of %d (%s): %s", text, i, all[seed], name, row.status);
        dropped++;
    }
    return dropped;
}

START_TEST(test_layer) {
    target t = {.way = _i / 2, .as_gpu = _i % 2};
    int dropped = 0;
    open_device(t.as_gpu);
    /* Where every block has a routed row, what widens the mask changes nothing. */
    t.shape = ways[t.way].execution == TN_EXECUTION_BLOCKS ? LONG_LAYER : FIRST_LAYER;
    for (; t.shape <= LONG_LAYER; t.shape++)
        for (t.pass = 0; t.pass < PARTS; t.pass++)
            if (tn_test_drawn("layer", (_i * LAYER_SHAPES + t.shape) * PARTS + t.pass, CELLS_SHARE))
                dropped += drop_each(&t);
    printf("layer, %s %s%s: %d launches left out, all found\n", ways[t.way].mixer,
           tn_execution_name(ways[t.way].execution), t.as_gpu ? ", as on a GPU" : "", dropped);
    close_device();
}
END_TEST

/* Compacted and dense, a forward pass and a training step. */
START_TEST(test_model) {
    target t = {
        .shape = MODEL, .way = _i / 2 % 2 ? ROUTED : ATTENTION, .pass = _i / 4 ? 2 : 0, .as_gpu = _i % 2};
    open_device(t.as_gpu);
    int dropped = drop_each(&t);
    printf("model, %s %s%s: %d launches left out, all found\n", t.way == ROUTED ? "compacted" : "dense",
           passes[t.pass], t.as_gpu ? ", as on a GPU" : "", dropped);
    close_device();
}
END_TEST

/* A token at a time, where a launch takes all of it and where keys are shared among launches. */
START_TEST(test_decode) {
    target t = {.way = _i / 2, .as_gpu = _i % 2};
    int dropped = 0;
    if (ways[t.way].execution == TN_EXECUTION_BLOCKS)
        return;
    open_device(t.as_gpu);
    for (t.shape = FIRST_DECODE; t.shape <= LONG_DECODE; t.shape++)
        if (tn_test_drawn("decode", 2 * _i + t.shape - FIRST_DECODE, CELLS_SHARE))
            dropped += drop_each(&t);
    printf("decode, %s %s%s: %d launches left out, all found\n", ways[t.way].mixer,
           tn_execution_name(ways[t.way].execution), t.as_gpu ? ", as on a GPU" : "", dropped);
    close_device();
}
END_TEST

/* The parts of a layer, one by one. */
START_TEST(test_parts) {
    target t = {.shape = FIRST_LAYER, .way = ROUTED, .pass = PARTS, .as_gpu = _i};
    open_device(t.as_gpu);
    int dropped = drop_each(&t);
    printf("parts%s: %d launches left out, all found\n", t.as_gpu ? ", as on a GPU" : "", dropped);
    close_device();
}
END_TEST

int main(int count, char **words) {
    program = words[0];
    if (count == 7)
        return run_elsewhere(words);
    choose_launches();
    Suite *suite = suite_create("dropped");
    TCase *t = tcase_create("dropped");
    tcase_set_timeout(t, 1200); /* with every launch, on a busy machine */
    tcase_add_loop_test(t, test_layer, 0, 2 * WAYS);
    tn_test_add_drawn(t, test_model, 0, 8, CELLS_SHARE);
    tn_test_add_drawn(t, test_parts, 0, 2, 2);
    TCase *decode = tcase_create("decode");
    tcase_set_timeout(decode, 1200);
    tcase_add_loop_test(decode, test_decode, 0, 2 * WAYS);
    suite_add_tcase(suite, t);
    suite_add_tcase(suite, decode);
    return tn_test_main(suite);
}
