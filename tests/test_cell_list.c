/* Which cells a sweep has: presets, and axes in their place. No device is opened. */
#include "cell_list.h"
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tn_context ctx;
static tn_cell_list list;
static const tn_device_info info = {.name = "none", .kind = TN_KIND_CPU};

static void empty_list(void) {
    ctx = (tn_context){.quiet = true};
    list = (tn_cell_list){0};
}

static void check_live(void) {
    tn_cell_list_free(&ctx, &list);
    ck_assert_int_eq(ctx.live, 0);
}

static void make(const char *preset, const tn_sweep_axes *axes) {
    ck_assert_msg(tn_cells_make(&ctx, preset, axes, &info, false, &list) == TN_OK, "%s", ctx.message);
}

static int count_of(const char *level, const char *op, const char *pass) {
    int count = 0;
    for (size_t i = 0; i < list.count; i++)
        count += strcmp(list.items[i].level, level) == 0 && (!op || strcmp(list.items[i].op, op) == 0) &&
                 (!pass || strcmp(list.items[i].pass, pass) == 0);
    return count;
}

/* Cells of another execution than compacted, which can only be routed layers of a forward pass. */
static int count_run(tn_execution execution) {
    int count = 0;
    for (size_t i = 0; i < list.count; i++) {
        const tn_sweep_cell *c = &list.items[i];
        count += c->execution == execution;
        ck_assert(c->execution == TN_EXECUTION_COMPACTED ||
                  (strcmp(c->level, "layer") == 0 && strcmp(c->pass, "forward") == 0 &&
                   strcmp(c->mixer, "routed") == 0 && c->rho >= 0));
    }
    return count;
}

static int shapes_like(const char *op, const char *part) {
    int count = 0;
    for (size_t i = 0; i < list.count; i++)
        count += strcmp(list.items[i].op, op) == 0 && strstr(list.items[i].shape, part) != NULL;
    return count;
}

/* No two cells of a list would write the same row. */
static void check_unique(void) {
    char(*keys)[1400] = calloc(list.count, sizeof *keys);
    for (size_t i = 0; i < list.count; i++) {
        tn_cost_row row;
        tn_sweep_cell_identify(&list.items[i], 1, "", &row);
        tn_row_key(&row, keys[i], sizeof keys[i]);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(strcmp(keys[i], keys[j]) != 0, "twice: %s", keys[i]);
    }
    free(keys);
}

START_TEST(every_preset) {
    static const char *const presets[] = {"quick", "full"};
    make(presets[_i], &(tn_sweep_axes){.T.count = 0});
    check_unique();
    for (int i = 0; i < tn_case_count; i++)
        ck_assert_int_ge(count_of("op", tn_cases[i]->op, NULL), 1);
    ck_assert_int_gt(count_of("layer", NULL, "forward"), 20);
    ck_assert_int_eq(count_of("model", NULL, NULL) > 0, _i);
    ck_assert_int_eq(count_of("layer", NULL, "step") > 0, _i);
}
END_TEST

START_TEST(axes_of_layers_and_models) {
    tn_sweep_axes axes = {.level = {{"layer", "model"}, 2},
                          .T = {{64, 100}, 2},
                          .D = {{64, 100}, 2},
                          .H = {{2, 3, 4}, 3}, /* 100 over 3 cannot be, nor 100 over 2, 50 wide */
                          .batch = {{1, 3}, 2},
                          .rho = {{0, 0.001, 0.01, 1}, 4}}; /* 0.001 and 0.01 are one row of 64, and of 100 */
    make("quick", &axes);
    check_unique();
    /* T × batch × (64 over 2, 64 over 4) × (beside it + three fractions); 64 over 3 cannot be */
    /* and one masked, and as many fractions in blocks: none that was given is left out */
    ck_assert_int_eq(count_of("layer", NULL, "forward"), 2 * 2 * 2 * 8);
    ck_assert_int_eq(count_run(TN_EXECUTION_MASKED), 8);
    ck_assert_int_eq(count_run(TN_EXECUTION_BLOCKS), 24);
    ck_assert_int_eq(count_of("layer", NULL, NULL), 64); /* quick has no other pass */
    ck_assert_int_eq(count_of("model", NULL, "forward"), 32);
    ck_assert_int_eq(count_of("model", NULL, "step"), 32);
    ck_assert_int_eq(count_of("op", NULL, NULL), 0);
    for (size_t i = 0; i < list.count; i++) {
        double rows = list.items[i].rho * (double)list.items[i].T;
        ck_assert(!(list.items[i].rho >= 0) || fabs(rows - round(rows)) < 1e-9); /* whole rows */
    }
}
END_TEST

START_TEST(cores_and_caches_are_other_rows) {
    tn_sweep_axes axes = {.op = {{"gelu"}, 1}, .cold = true, .cores = {{1, 2}, 2}};
    tn_device_info gpu = {.name = "none", .kind = TN_KIND_GPU};
    tn_cost_row cold, warm;
    char keys[2][1400];
    make("quick", &axes);
    check_unique();
    ck_assert_int_eq((int)list.count, 4); /* passes × cores */
    tn_sweep_cell_identify(&list.items[0], 1, "", &cold);
    ck_assert_str_eq(cold.cache, "cold");
    ck_assert(cold.cores == 1 && cold.compute_units == 1);
    list.items[0].cold = false;
    tn_sweep_cell_identify(&list.items[0], 1, "", &warm);
    tn_row_key(&cold, keys[0], sizeof keys[0]);
    tn_row_key(&warm, keys[1], sizeof keys[1]);
    ck_assert_str_ne(keys[0], keys[1]);
    tn_cell_list_free(&ctx, &list);
    ck_assert_int_eq(tn_cells_make(&ctx, "quick", &axes, &gpu, false, &list), TN_OK);
    ck_assert_int_eq((int)list.count, 2); /* a GPU stays whole */
    ck_assert_int_eq(list.items[0].cores, 0);
}
END_TEST

START_TEST(passes_choose) {
    make("quick", &(tn_sweep_axes){.pass = {{"step"}, 1}});
    ck_assert_int_eq(count_of("op", NULL, NULL), 0); /* no op has it */
    ck_assert_int_eq(count_of("layer", NULL, NULL), count_of("layer", NULL, "step"));
    tn_cell_list_free(&ctx, &list);
    make("full", &(tn_sweep_axes){.pass = {{"nn"}, 1}});
    ck_assert_int_eq((int)list.count, count_of("op", "gemm", "nn"));
    tn_cell_list_free(&ctx, &list);
    tn_sweep_axes none = {.op = {{"gelu"}, 1}, .pass = {{"nn"}, 1}};
    ck_assert_int_eq(tn_cells_make(&ctx, "quick", &none, &info, false, &list), TN_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(ctx.message, "no cell is left"));
}
END_TEST

START_TEST(axes_of_ops) {
    make("quick", &(tn_sweep_axes){.op = {{"causal_conv", "gelu", "flash_attention"}, 3},
                                   .T = {{64, 512}, 2},
                                   .batch = {{2}, 1},
                                   .D = {{128}, 1},
                                   .H = {{4}, 1},
                                   .K = {{3}, 1}});
    check_unique();
    ck_assert_int_eq(count_of("layer", NULL, NULL), 0); /* ops alone */
    ck_assert_int_eq(shapes_like("causal_conv", "B=2,T=512,D=128,K=3"), 2);
    ck_assert_int_eq(count_of("op", "causal_conv", NULL), 4);
    ck_assert_int_eq(count_of("op", "gelu", NULL), 2); /* has none of these: stays, once */
    ck_assert_int_eq(shapes_like("flash_attention", "B=2,T=64,H=4,Dh=32,R=128"), 2); /* all rows, as before */
    tn_cell_list_free(&ctx, &list);
    make("quick", &(tn_sweep_axes){.op = {{"row_gather", "flash_attention", "route_capacity"}, 3},
                                   .T = {{100}, 1},
                                   .batch = {{2}, 1},
                                   .rho = {{0.015, 0.5}, 2}});
    ck_assert_int_eq(shapes_like("row_gather", "R=62,N=4096"), 2); /* 61.44 rounded up */
    ck_assert_int_eq(shapes_like("row_gather", "R=2048,N=4096"), 2);
    ck_assert_int_eq(shapes_like("flash_attention", "R=4,"), 2); /* ⌈1.5⌉ of each sequence */
    ck_assert_int_eq(shapes_like("route_capacity", "k=50"), 1);
    tn_cell_list_free(&ctx, &list);
    tn_sweep_axes odd = {.op = {{"flash_attention"}, 1}, .D = {{100}, 1}, .H = {{3}, 1}};
    ck_assert_int_eq(tn_cells_make(&ctx, "quick", &odd, &info, false, &list), TN_ERR_ARG);
}
END_TEST

static bool same_order(const tn_cell_list *other) {
    for (size_t i = 0; i < list.count; i++) {
        const tn_sweep_cell *a = &list.items[i], *b = &other->items[i];
        if (a->T != b->T || strcmp(a->mixer, b->mixer) != 0 ||
            (a->rho >= 0 ? a->rho : -1) != (b->rho >= 0 ? b->rho : -1))
            return false;
    }
    return true;
}

START_TEST(the_order_is_that_of_the_seed) {
    tn_cell_list other = {0};
    tn_sweep_axes axes = {.level = {{"layer"}, 1}};
    make("quick", &axes);
    ck_assert_int_eq(tn_cells_make(&ctx, "quick", &axes, &info, false, &other), TN_OK);
    tn_cells_shuffle(&list, 3);
    tn_cells_shuffle(&other, 3);
    ck_assert(same_order(&other));
    tn_cells_shuffle(&other, 4);
    ck_assert(!same_order(&other));
    tn_cell_list_free(&ctx, &other);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cell_list");
    TCase *tests = tcase_create("cell_list");
    tcase_add_checked_fixture(tests, empty_list, check_live);
    tcase_add_loop_test(tests, every_preset, 0, 2);
    tcase_add_test(tests, axes_of_layers_and_models);
    tcase_add_test(tests, cores_and_caches_are_other_rows);
    tcase_add_test(tests, passes_choose);
    tcase_add_test(tests, axes_of_ops);
    tcase_add_test(tests, the_order_is_that_of_the_seed);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
