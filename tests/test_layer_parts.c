/* The parts of a routed layer: their rows, and what a shape may say. */
#include "layer_parts.h"
#include "routed_rows.h"
#include "support.h"

#include <math.h>
#include <string.h>

static tn_status parse(const char *text, tn_layer_shape *out) {
    tn_context ctx = {.quiet = true};
    return tn_layer_parts_parse(&ctx, text, out);
}

START_TEST(test_shapes) {
    static const char *const wrong[] = {"T=0",      "T=64,rho=0",   "T=64,rho=1.1", "T=64,D=65",
                                        "T=64,X=1", "T=64,",        "T=64x,D=64",   "T=64,,D=64",
                                        "T=-1",     "T=64,rho=nan", "T=64,T=64"};
    tn_layer_shape s;
    ck_assert_int_eq(parse("T=4096", &s), TN_OK);
    ck_assert(s.B == 1 && s.T == 4096 && s.D == 64 && s.H == 2 && s.K == 4 && s.rho == 0.01);
    ck_assert_int_eq(parse("B=4", &s), TN_OK); /* what is left out is as the model has it */
    ck_assert(s.B == 4 && s.T == 4096 && s.D == 64);
    ck_assert_int_eq(parse("rho=0.5,K=3,D=192,T=7,B=2", &s), TN_OK);
    ck_assert(s.B == 2 && s.T == 7 && s.D == 192 && s.H == 3 && s.K == 3 && s.rho == 0.5);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(parse(wrong[i], &s) == TN_ERR_ARG, "'%s' is taken", wrong[i]);
}
END_TEST

static const char *const passes[] = {"forward", "backward", "step"}, *const sampled[] = {
                                                                         "sampled outputs", "gradients",
                                                                         "sampled outputs, gradients"};

/* Masked: verified, as compacted is, by measuring; the work is that of all rows, whatever ρ. */
START_TEST(test_masked) {
    tn_context ctx = {.quiet = true};
    tn_device *dev;
    tn_bench_options options = {.seconds = 0.01, .seed = 3};
    double flops[2];
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int i = 0; i < 2; i++) {
        tn_layer_shape shape = {.B = 2,
                                .T = 50,
                                .D = 32,
                                .H = 2,
                                .K = 4,
                                .rho = i ? 0.5 : 0.02,
                                .mixer = "routed",
                                .pass = "forward"};
        tn_cost_row compacted, masked;
        tn_row_init(&compacted);
        tn_row_init(&masked);
        ck_ok(&ctx, tn_layer_measure(dev, &shape, &options, &compacted));
        shape.execution = TN_EXECUTION_MASKED;
        ck_ok(&ctx, tn_layer_measure(dev, &shape, &options, &masked));
        ck_assert_str_eq(compacted.schedule, "compacted");
        ck_assert_str_eq(masked.schedule, "masked");
        ck_assert_str_eq(masked.verified, "outputs");
        ck_assert(masked.wall_ms > 0 && masked.dense_ratio > 0);
        ck_assert_double_gt(masked.flops, compacted.flops);
        ck_assert(masked.ideal_ratio < 1); /* dense attention, the convolution and the router */
        flops[i] = masked.flops;
        shape.mixer = "attention";
        ck_assert_int_eq(tn_layer_measure(dev, &shape, &options, &masked), TN_ERR_ARG);
    }
    ck_assert_double_eq(flops[0], flops[1]);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* In blocks: verified, as the others are, by measuring; the work is that of whole blocks, between compacted
 * and all rows. The last block of a sequence may be shorter, and a sequence may be shorter than a block. */
START_TEST(test_blocks) {
    static const double rhos[] = {0.004, 0.04, 0.3, 1};
    tn_context ctx = {.quiet = true};
    tn_device *dev;
    tn_bench_options options = {.seconds = 0.01, .seed = 3};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int i = 0; i < 8; i++) {
        tn_layer_shape shape = {.B = 2,
                                .T = i < 4 ? 250 : 7,
                                .D = 32,
                                .H = 2,
                                .K = 4,
                                .rho = rhos[i % 4],
                                .mixer = "routed",
                                .pass = i == 1 ? "step" : "forward"};
        tn_cost_row compacted, blocks;
        tn_row_init(&compacted);
        tn_row_init(&blocks);
        ck_ok(&ctx, tn_layer_measure(dev, &shape, &options, &compacted));
        shape.execution = TN_EXECUTION_BLOCKS;
        ck_ok(&ctx, tn_layer_measure(dev, &shape, &options, &blocks));
        ck_assert_str_eq(blocks.schedule, "block-skipping");
        ck_assert_str_eq(blocks.verified, i == 1 ? "outputs, gradients" : "outputs");
        ck_assert_int_eq(compacted.block, -1);
        ck_assert_int_gt(blocks.block, 1);
        ck_assert(blocks.wall_ms > 0 && blocks.dense_ratio > 0);
        double rows = (double)tn_routed_rows(shape.rho, shape.T), T = (double)shape.T;
        double most = fmin(1, rows * (double)blocks.block / T);
        ck_assert_double_eq(compacted.executed_rho, rows / T);
        ck_assert(blocks.executed_rho >= compacted.executed_rho && blocks.executed_rho <= most);
        if (blocks.executed_rho == compacted.executed_rho) /* all rows */
            ck_assert_double_eq(blocks.flops, compacted.flops);
        else
            ck_assert_double_gt(blocks.flops, compacted.flops);
        shape.mixer = "conv";
        ck_assert_int_eq(tn_layer_measure(dev, &shape, &options, &blocks), TN_ERR_ARG);
    }
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Where the reference would take too long: some rows, and all of every gradient. */
START_TEST(test_sampled) {
    tn_context ctx = {.quiet = true};
    tn_device *dev;
    tn_bench_options options = {.seconds = 0.01, .seed = 3};
    tn_cost_row row;
    tn_layer_shape shape = {
        .B = 2, .T = 900, .D = 64, .H = 2, .K = 4, .rho = 0.05, .mixer = "routed", .pass = passes[_i]};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    tn_row_init(&row);
    ck_ok(&ctx, tn_layer_measure(dev, &shape, &options, &row));
    ck_assert_str_eq(row.verified, sampled[_i]);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Is it a step of the convolution track that has no launch where the track is fused? */
static bool is_step(int part) {
    return part == TN_PART_NORM || part == TN_PART_ROUTER || part == TN_PART_CONVOLUTION ||
           part == TN_PART_CONVOLUTION_OUT;
}

/* PoCL's event times are its own clock's: on it the parts are always told apart, and a test that skips them
 * is broken. Elsewhere the driver decides. */
static bool event_times_are_kept(const tn_device *dev) {
    return strstr(tn_device_get_info(dev)->platform_name, "Portable Computing Language") != NULL;
}

/* Sequences with several and with few routed rows: with B above 1 the rows of k and v are gathered too. */
START_TEST(test_rows) {
    static const char *const shapes[] = {"T=64,D=32,H=2,rho=0.1", "B=3,T=50,D=32,H=2,K=2,rho=0.02",
                                         "T=40,D=64,rho=1"};
    tn_context ctx = {.quiet = true};
    tn_device *dev;
    tn_cost_row rows[TN_LAYER_PART_ROWS];
    tn_bench_options options = {.seconds = 0.01, .seed = 3};
    if (_i)
        setenv("TURNOUT_VARIANT", "conv_track=composed", 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        tn_layer_shape shape;
        int count;
        double sum = 0;
        ck_ok(&ctx, tn_layer_parts_parse(&ctx, shapes[i], &shape));
        for (int tries = 0; tries < 6; tries++) {
            ck_ok(&ctx, tn_layer_parts_measure(dev, &shape, &options, rows, &count));
            if (strcmp(rows[0].status, "unsupported") != 0 || !event_times_are_kept(dev))
                break;
        }
        ck_assert_str_eq(rows[0].part, "whole");
        if (strcmp(rows[0].status, "unsupported") == 0) { /* where event times are known to be none */
            ck_assert_msg(!event_times_are_kept(dev), "%s", rows[0].reason);
            ck_assert_int_eq(count, 1);
            continue;
        }
        ck_assert_msg(strcmp(rows[0].status, "ok") == 0, "%s", rows[0].reason);
        ck_assert(rows[0].wall_ms > 0 && rows[0].flops > 0 && isnan(rows[0].dense_ratio));
        /* in their order; the convolution track fused or in its four steps */
        bool fused = strcmp(rows[1].part, tn_layer_part_name(TN_PART_CONV_TRACK)) == 0;
        ck_assert(!fused || !_i);
        ck_assert_int_eq(count, TN_LAYER_PART_ROWS - (fused ? 4 : 1));
        for (int k = 1, part = 0; k < count; k++, part++) {
            while (fused ? is_step(part) : part == TN_PART_CONV_TRACK)
                part++;
            const char *name = part < TN_PARTS ? tn_layer_part_name(part) : "launch";
            ck_assert_str_eq(rows[k].part, name);
            ck_assert_str_eq(rows[k].verified, "outputs");
            ck_assert(rows[k].T == shape.T && rows[k].rho == rows[0].rho && rows[k].n == rows[0].n);
            if (part < TN_PARTS)
                ck_assert_msg(rows[k].wall_ms > 0, "%s takes %g ms", name, rows[k].wall_ms);
            sum += rows[k].wall_ms;
        }
        /* the reason stands where the sum is off, and there alone */
        bool off = !(fabs(sum - rows[0].wall_ms) <= 0.1 * rows[0].wall_ms);
        ck_assert_int_eq(off, strstr(rows[0].reason, "add up to") != NULL);
    }
    unsetenv("TURNOUT_VARIANT");
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("layer_parts");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_shapes);
    tcase_add_loop_test(tests, test_rows, 0, 2);
    tcase_add_loop_test(tests, test_sampled, 0, 3);
    tcase_add_test(tests, test_masked);
    tcase_add_test(tests, test_blocks);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
