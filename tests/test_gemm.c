/* Beyond the case: a row's bits do not depend on M; CLBlast takes part where it is asked for, and says why
 * where it cannot. */
#include "support.h"

#include "case.h"
#include "gemm.h"
#include "gemm_groups.h"
#include "quirks.h"
#include "rng.h"
#include "variant.h"

#include <math.h>
#include <string.h>

enum { MAX_M = 100, N = 72, K = 45 };

/* Blocks of k, of rows and of panels so small that every loop over them turns more than once. */
START_TEST(test_blocks) {
    static const char *const sets[] = {"gemm.KC=16,gemm.CACHE=1",
                                       "gemm.KC=32,gemm.TILES=2,gemm.TM=3,gemm.CACHE=8",
                                       "gemm.KC=64,gemm.NV=1,gemm.VW=8,gemm.TM=1"};
    static tn_context ctx;
    tn_device *dev;
    tn_verify_result result;
    setenv("TURNOUT_TUNE", sets[_i], 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_verify_op(dev, tn_case_find("gemm"), 5, tn_test_seed(), &result));
    unsetenv("TURNOUT_TUNE");
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static void rows_do_not_depend_on_m(tn_gemm_form form) {
    static tn_context ctx;
    static float a[MAX_M * K], b[N * K], whole[MAX_M * N], part[MAX_M * N];
    tn_device *dev;
    tn_buffer *da, *db, *dc;
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 3);
    for (int i = 0; i < MAX_M * K; i++)
        a[i] = (float)tn_rng_normal(&rng);
    for (int i = 0; i < N * K; i++)
        b[i] = (float)tn_rng_normal(&rng);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof a, &da));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof b, &db));
    ck_ok(&ctx, tn_buffer_create(dev, sizeof whole, &dc));
    ck_ok(&ctx, tn_buffer_write(da, 0, sizeof a, a));
    ck_ok(&ctx, tn_buffer_write(db, 0, sizeof b, b));
    tn_gemm_shape s = {form, MAX_M, N, K};
    ck_ok(&ctx, tn_gemm_forward(dev, &s, dc, da, db, NULL, NULL));
    ck_ok(&ctx, tn_buffer_read(dc, 0, sizeof whole, whole));
    for (int m = 1; m < MAX_M; m += m < 30 ? 1 : 13) {
        s.M = m;
        ck_ok(&ctx, tn_gemm_forward(dev, &s, dc, da, db, NULL, NULL));
        ck_ok(&ctx, tn_buffer_read(dc, 0, sizeof part, part));
        ck_assert_msg(memcmp(part, whole, (size_t)m * N * sizeof(float)) == 0, "%d rows differ from %d", m,
                      MAX_M);
    }
    tn_buffer_destroy(da);
    tn_buffer_destroy(db);
    tn_buffer_destroy(dc);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

/* A tile of variant groups, whatever a shape would choose: edges on all sides, and a row's bits. Each takes
 * many kernels: one tile a run. */
START_TEST(test_tiles) {
    static tn_context ctx;
    char set[32];
    tn_device *dev;
    tn_verify_result result;
    snprintf(set, sizeof set, "gemm.TILE=%d", _i + 1);
    setenv("TURNOUT_TUNE", set, 1);
    setenv("TURNOUT_VARIANT", "gemm=groups", 1);
    setenv("TURNOUT_KIND", "gpu", 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_verify_op(dev, tn_case_find("gemm"), 2, tn_test_seed(), &result));
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
    rows_do_not_depend_on_m(_i % 2 ? TN_GEMM_NT : TN_GEMM_NN);
    unsetenv("TURNOUT_TUNE");
    unsetenv("TURNOUT_VARIANT");
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* A B past the caches takes blocks of its own. */
START_TEST(test_large_b) {
    static tn_context ctx;
    tn_device *dev;
    tn_problem p;
    tn_shape shape;
    double worst;
    const tn_case *c = tn_case_find("gemm");
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_shape_parse(&ctx, c, "M=13 N=1511 K=1511 epilogue=3", &shape));
    for (int pass = 0; pass < 3; pass++) {
        ck_ok(&ctx, tn_problem_make(&ctx, dev, c, pass, &shape, 5, &p));
        ck_ok(&ctx, tn_problem_verify(&ctx, &p, &worst));
        tn_problem_free(&ctx, &p);
    }
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_rows) {
    if (_i >= 2)
        setenv("TURNOUT_KIND", "gpu", 1);
    rows_do_not_depend_on_m(_i % 2 ? TN_GEMM_NT : TN_GEMM_NN);
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* Grouped products against the same one by one: bit for bit, but for the sum of NN, which they round between.
 */
static void grouped(tn_gemm_form form, int count, int64_t rows) {
    enum { WIDTH = 32 };
    static tn_context ctx;
    static float host[300 * WIDTH], one[300 * WIDTH], all[300 * WIDTH];
    tn_device *dev;
    tn_buffer *a[3], *c[3], *each[3], *b, *view;
    tn_rng rng = tn_rng_make(3, TN_RNG_CASE, 3);
    size_t bytes = sizeof host, part = (size_t)WIDTH * WIDTH * sizeof(float);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int i = 0; i < 7 + 3; i++) {
        tn_buffer **to = i < 3 ? &a[i] : i < 6 ? &c[i - 3] : i < 9 ? &each[i - 6] : &b;
        for (size_t k = 0; k < sizeof host / sizeof host[0]; k++)
            host[k] = (float)tn_rng_normal(&rng);
        ck_ok(&ctx, tn_buffer_create(dev, bytes, to));
        ck_ok(&ctx, tn_buffer_write(*to, 0, bytes, host));
    }
    ck_assert(tn_gemm_can_group(dev, WIDTH));
    ck_assert(!tn_gemm_can_group(dev, WIDTH + 1));
    int64_t wide = count * WIDTH;
    tn_gemm_shape s = form == TN_GEMM_TN   ? (tn_gemm_shape){form, wide, WIDTH, rows}
                      : form == TN_GEMM_NT ? (tn_gemm_shape){form, rows, wide, WIDTH}
                                           : (tn_gemm_shape){form, rows, WIDTH, wide};
    ck_ok(&ctx, tn_gemm_grouped(dev, &s, count, c, (const tn_buffer *const *)a, b, NULL, NULL, NULL));
    s = form == TN_GEMM_TN ? (tn_gemm_shape){form, WIDTH, WIDTH, rows}
                           : (tn_gemm_shape){form, rows, WIDTH, WIDTH};
    for (int i = 0; i < count; i++) {
        tn_buffer *to = form == TN_GEMM_NN ? each[0] : each[i], *from = form == TN_GEMM_NT ? a[0] : a[i];
        ck_ok(&ctx, tn_buffer_view(b, form == TN_GEMM_TN ? 0 : (size_t)i * part, part, &view));
        ck_ok(&ctx, tn_gemm_forward(dev, &s, to, from, form == TN_GEMM_TN ? b : view, NULL,
                                    form == TN_GEMM_NN && i > 0 ? to : NULL));
        tn_buffer_destroy(view);
    }
    size_t used = form == TN_GEMM_TN ? part : (size_t)(rows * WIDTH) * sizeof(float);
    for (int i = 0; i < (form == TN_GEMM_NN ? 1 : count); i++) {
        bool stacked = form == TN_GEMM_TN;
        ck_ok(&ctx, tn_buffer_read(stacked ? c[0] : c[i], stacked ? (size_t)i * part : 0, used, all));
        ck_ok(&ctx, tn_buffer_read(each[i], 0, used, one));
        for (size_t k = 0; k < used / sizeof(float); k++)
            ck_assert_msg(form == TN_GEMM_NN ? fabsf(all[k] - one[k]) <= 2e-5f : all[k] == one[k],
                          "form %d, %d groups, %lld rows: %g beside %g", form, count, (long long)rows,
                          (double)all[k], (double)one[k]);
    }
    for (int i = 0; i < 3; i++) {
        tn_buffer_destroy(a[i]);
        tn_buffer_destroy(c[i]);
        tn_buffer_destroy(each[i]);
    }
    tn_buffer_destroy(b);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(test_grouped) {
    if (_i % 2)
        setenv("TURNOUT_KIND", "gpu", 1);
    for (int form = 0; form < 3; form++)
        for (int count = 1; count <= 3; count++)
            grouped((tn_gemm_form)form, count, _i < 2 ? 300 : _i < 4 ? 1 : 47);
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* CLBlast is one of two things, and says which: right, or not, with a reason. */
START_TEST(test_clblast) {
    static tn_context ctx;
    static float host[64 * 64];
    tn_device *dev;
    tn_buffer *a, *b, *c;
    tn_gemm_shape s = {TN_GEMM_TN, 64, 64, 64};
    setenv("TURNOUT_VARIANT", "gemm=clblast", 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    unsetenv("TURNOUT_VARIANT");
    tn_buffer **const all[] = {&a, &b, &c};
    for (int i = 0; i < 3; i++) {
        ck_ok(&ctx, tn_buffer_create(dev, sizeof host, all[i]));
        ck_ok(&ctx, tn_buffer_fill_u32(*all[i], 0, sizeof host, i < 2 ? 0x3f800000 : 0x7fc00000));
    }
    tn_status status = tn_gemm_forward(dev, &s, c, a, b, NULL, NULL);
    if (status == TN_OK) {
        ck_ok(&ctx, tn_buffer_read(c, 0, sizeof host, host));
        for (int i = 0; i < 64 * 64; i++)
            ck_assert_float_eq(host[i], 64);
    }
    ck_assert(tn_device_get_info(dev)->quirks & TN_QUIRK_CLBLAST_UNSAFE || status == TN_OK ||
              strstr(ctx.message, "CL_") || strstr(ctx.message, "CLBlast"));
    ck_assert(status != TN_OK || strcmp(tn_variant_ran(dev, "gemm")->name, "threads") == 0 ||
              tn_variant_ran(dev, "gemm") == tn_variant_find(&tn_gemm_op, "clblast"));
    for (int i = 0; i < 3; i++)
        tn_buffer_destroy(*all[i]);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Never by itself, whatever the style; by the name it had, with a note; and no other name. */
START_TEST(test_clblast_by_name_alone) {
    static tn_context ctx;
    tn_device *dev;
    tn_choice choice;
    const tn_variant *clblast = tn_variant_find(&tn_gemm_op, "clblast");
    const int64_t key[] = {64, 64, 64, 1, 1, 0, 0};
    ck_assert_uint_eq(sizeof key, tn_gemm_op.shape_bytes);
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            setenv("TURNOUT_KIND", "gpu", 1);
        if (i == 2)
            setenv("TURNOUT_GEMM", "clblast", 1);
        ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
        for (int pass = 0; pass < 3; pass++) {
            ck_ok(&ctx, tn_variant_choose(dev, &tn_gemm_op, pass, key, &choice));
            ck_assert((choice.variant == clblast) ==
                      (i == 2 && !(tn_device_get_info(dev)->quirks & TN_QUIRK_CLBLAST_UNSAFE)));
        }
        tn_device_close(dev);
        unsetenv("TURNOUT_KIND");
    }
    ck_assert(tn_variant_is_tuned(clblast, TN_GEMM_TN) && !tn_variant_is_tuned(clblast, TN_GEMM_NN) &&
              !tn_variant_is_tuned(clblast, TN_GEMM_NT));
    setenv("TURNOUT_GEMM", "fastest", 1);
    ck_assert_int_eq(tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev), TN_ERR_ARG);
    ck_assert(strstr(ctx.message, "fastest") && strstr(ctx.message, "TURNOUT_VARIANT"));
    unsetenv("TURNOUT_GEMM");
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("gemm", 6);
    TCase *more = tcase_create("more");
    tcase_set_timeout(more, 200);
    tcase_add_loop_test(more, test_rows, 0, 4);
    tn_test_add_drawn(more, test_blocks, 0, 3, 3);
    tn_test_add_drawn(more, test_tiles, 0, TN_GEMM_TILES, TN_GEMM_TILES);
    tn_test_add_drawn(more, test_grouped, 0, 6, 2);
    tcase_add_test(more, test_large_b);
    tcase_add_test(more, test_clblast);
    tcase_add_test(more, test_clblast_by_name_alone);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
