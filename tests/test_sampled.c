/* Checking a sample of the shape that is timed: single elements are those of the whole reference, what is
 * wrong in a small part of an output is found, and least work is what the values drawn leave. */
#include "support.h"

#include "buffer.h"
#include "case.h"
#include "flash_attention_ref.h"
#include "bench_op.h"

#include <math.h>
#include <string.h>

static tn_context ctx;

enum { SHAPES = 8, ELEMENTS = 150 };

static tn_problem problem(const tn_case *c, int pass, const tn_shape *shape, tn_device *dev) {
    tn_problem p;
    ck_ok(&ctx, tn_problem_make(&ctx, dev, c, pass, shape, 5, &p));
    return p;
}

static tn_shape drawn(const tn_case *c, int index) {
    tn_rng rng = tn_rng_make(11, TN_RNG_CASE, (uint64_t)index);
    tn_shape shape = {{0}};
    c->draw(&rng, &shape);
    return shape;
}

/* Some elements of one output, from the inputs as filled, against the whole reference. */
static void hold_elements(const tn_problem *p, const tn_problem *whole, int out) {
    const tn_tensor *t = &whole->tensors[out];
    double rms = t->f64 ? tn_case_rms(t->f64, t->count) : 0;
    size_t step = t->count / ELEMENTS + 1;
    for (size_t k = 0; k < t->count; k += step) {
        double want = t->f64 ? t->f64[k] : t->i32[k];
        double got = p->c->element(&p->shape, p->pass, p->tensors, out, k);
        ck_assert_msg(fabs(got - want) <= 1e-9 * (fabs(want) + rms) + 1e-12,
                      "%s %s: %s[%zu] is %.17g, not %.17g", p->c->op, p->c->passes[p->pass], t->name, k, got,
                      want);
    }
}

START_TEST(elements_are_those_of_the_reference) {
    int cases = 0;
    ctx = (tn_context){.quiet = true};
    for (int c = 0; c < tn_case_count; c++) {
        cases += tn_cases[c]->element != NULL;
        for (int i = 0; tn_cases[c]->element && i < SHAPES; i++) {
            tn_shape shape = drawn(tn_cases[c], i);
            for (int pass = 0; tn_cases[c]->passes[pass]; pass++) {
                tn_problem p = problem(tn_cases[c], pass, &shape, NULL),
                           whole = problem(tn_cases[c], pass, &shape, NULL);
                tn_cases[c]->reference(&shape, pass, whole.tensors);
                for (int out = 0; out < p.tensor_count; out++)
                    if (p.tensors[out].role == TN_OUT || p.tensors[out].role == TN_INOUT)
                        hold_elements(&p, &whole, out);
                tn_problem_free(&ctx, &p);
                tn_problem_free(&ctx, &whole);
            }
        }
    }
    ck_assert_int_ge(cases, 8);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* gemm, and then a part of the output spoilt: the elements from `spoilt` on, `count` of them, hold `value`.
 */
static size_t spoilt, spoilt_count;
static uint32_t spoilt_value;
static tn_status spoiling_run(tn_device *dev, const tn_shape *s, int pass, tn_tensor *t) {
    TN_TRY(tn_case_find("gemm")->run(dev, s, pass, t));
    return spoilt_count ? tn_buffer_fill_u32(t[0].buffer, 4 * spoilt, 4 * spoilt_count, spoilt_value) : TN_OK;
}

static tn_status verify(tn_problem *p, size_t from, size_t count, uint32_t value, bool *sampled) {
    double worst;
    spoilt = from;
    spoilt_count = count;
    spoilt_value = value;
    return tn_problem_verify_within(&ctx, p, 0.02, &worst, sampled);
}

START_TEST(a_sample_finds_what_is_wrong) {
    tn_device *dev;
    tn_shape shape;
    bool sampled;
    tn_case wrong = *tn_case_find("gemm");
    ctx = (tn_context){.quiet = true};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    wrong.run = spoiling_run;
    ck_ok(&ctx, tn_shape_parse(&ctx, &wrong, "M=256 N=256 K=128 epilogue=0", &shape));
    tn_problem p = problem(&wrong, 0, &shape, dev);
    ck_ok(&ctx, verify(&p, 0, 0, 0, &sampled));
    ck_assert(sampled);
    /* a hundredth of the output zero, wherever it is */
    for (size_t from = 0; from + 655 <= 65536; from += 6553)
        ck_assert_int_eq(verify(&p, from, 655, 0, &sampled), TN_ERR_CHECK);
    ck_assert_msg(strstr(ctx.message, "the reference has") != NULL, "%s", ctx.message);
    /* one element anywhere never written, or infinite */
    ck_assert_int_eq(verify(&p, 12345, 1, 0x7fc0dead, &sampled), TN_ERR_CHECK);
    ck_assert_msg(strstr(ctx.message, "c[12345]") != NULL, "%s", ctx.message);
    ck_assert_int_eq(verify(&p, 54321, 1, 0x7f800000, &sampled), TN_ERR_CHECK);
    tn_problem_free(&ctx, &p);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

/* Wrong on the path of large shapes alone, as a tile that only they take may be. */
static tn_status wrong_when_large(tn_device *dev, const tn_shape *s, int pass, tn_tensor *t) {
    spoilt = (size_t)(s->v[0] / 2 * s->v[1]);
    spoilt_count = s->v[0] >= 2048 ? (size_t)s->v[1] * 32 : 0; /* 32 rows of 2048 */
    spoilt_value = 0;
    return spoiling_run(dev, s, pass, t);
}

START_TEST(what_is_checked_is_what_is_timed) {
    static const struct {
        const char *op, *pass, *shape, *verified;
    } rows[] = {{"gemm", "nn", "M=2048 N=512 K=512 epilogue=0", "sampled outputs"},
                {"gemm", "nn", "M=64 N=64 K=64 epilogue=0", "outputs"},
                {"gemm", "bias_backward", "M=64 N=64 K=64 epilogue=0", "gradients"},
                {"flash_attention", "backward", "B=1 T=1024 H=1 Dh=64 R=1024 window=0 masks=3 seed=0",
                 "sampled gradients"}};
    tn_bench_options o = {.seconds = 0.02, .seed = 1};
    tn_device *dev;
    tn_cost_row row;
    tn_shape shape;
    ctx = (tn_context){.quiet = true};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tn_case c = *tn_case_find(rows[i].op);
        int pass = tn_case_pass(&c, rows[i].pass);
        ck_ok(&ctx, tn_shape_parse(&ctx, &c, rows[i].shape, &shape));
        ck_ok(&ctx, tn_bench_op(dev, &c, pass, &shape, &o, &row));
        ck_assert_msg(strcmp(row.status, "ok") == 0, "%s", row.reason);
        ck_assert_str_eq(row.verified, rows[i].verified);
        if (i > 0)
            continue;
        c.run = wrong_when_large;
        ck_ok(&ctx, tn_bench_op(dev, &c, pass, &shape, &o, &row));
        ck_assert_str_eq(row.status, "error");
        ck_assert_msg(strstr(row.reason, "verifying") && !row.verified[0], "%s, %s", row.reason,
                      row.verified);
    }
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(least_work_is_never_more_than_the_shape_has) {
    ctx = (tn_context){.quiet = true};
    for (int c = 0; c < tn_case_count; c++)
        for (int i = 0; i < 3 * SHAPES; i++) {
            tn_shape shape = drawn(tn_cases[c], i);
            for (int pass = 0; tn_cases[c]->passes[pass]; pass++) {
                tn_problem p = problem(tn_cases[c], pass, &shape, NULL);
                double flops, bytes, touched = 0;
                tn_problem_least(&p, &flops, &bytes);
                for (int t = 0; t < p.tensor_count; t++)
                    touched += (double)p.tensors[t].count * (p.tensors[t].type == TN_U8 ? 1 : 4) *
                               (p.tensors[t].role == TN_INOUT ? 2 : 1);
                ck_assert_msg(flops <= tn_cases[c]->flops(&shape, pass) && flops >= 0, "%s", tn_cases[c]->op);
                ck_assert_msg(bytes <= tn_cases[c]->bytes(&shape, pass) && bytes >= 0, "%s", tn_cases[c]->op);
                ck_assert_msg(bytes <= touched, "%s %s: %g bytes, all its tensors have %g", tn_cases[c]->op,
                              tn_cases[c]->passes[pass], bytes, touched);
                tn_problem_free(&ctx, &p);
            }
        }
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

static tn_attention_rows rows_of(const tn_problem *p) {
    const tn_tensor *l = p->tensors;
    while (strcmp(l->name, "rows") != 0)
        l++;
    return (tn_attention_rows){.B = p->shape.v[0],
                               .T = p->shape.v[1],
                               .H = p->shape.v[2],
                               .Dh = p->shape.v[3],
                               .Hkv = p->shape.v[8],
                               .window = p->shape.v[5],
                               .rows = l[0].i32,
                               .q_start = l[1].i32,
                               .kv_start = l[2].i32,
                               .segments = l[3].i32,
                               .lengths = l[4].i32};
}

/* Pair by pair, as the reference masks them. */
static void count_pairs(const tn_attention_rows *a, double *pairs, double *rows, double *keys) {
    static bool used[4096];
    *pairs = *rows = *keys = 0;
    for (int64_t b = 0; b < a->B; b++) {
        memset(used, 0, sizeof used);
        for (int64_t r = a->q_start[b]; r < a->q_start[b + 1]; r++) {
            int64_t t = a->rows[r] - b * a->T, any = 0;
            for (int64_t s = 0; s <= t; s++)
                if (tn_attention_allowed(a, b, t, s)) {
                    any++;
                    *keys += !used[s];
                    used[s] = true;
                }
            *pairs += (double)any;
            *rows += any > 0;
        }
    }
}

START_TEST(attention_counts_what_its_masks_leave) {
    const tn_case *c = tn_case_find("flash_attention");
    ctx = (tn_context){.quiet = true};
    for (int i = 0; i < 60; i++) {
        tn_shape shape = drawn(c, i);
        for (int pass = 0; pass < 2; pass++) {
            tn_problem p = problem(c, pass, &shape, NULL);
            tn_attention_rows a = rows_of(&p);
            double flops, bytes, pairs, rows, keys, R = a.q_start[a.B];
            double D = (double)(a.H * a.Dh), D_kv = (double)(tn_attention_kv_heads(&a) * a.Dh);
            tn_problem_least(&p, &flops, &bytes);
            count_pairs(&a, &pairs, &rows, &keys);
            if (R + (pass ? a.kv_start[a.B] : 0) == 0) {
                ck_assert(flops == 0 && bytes == 0);
            } else {
                ck_assert_double_eq(flops, (pass ? 10 : 4) * D * pairs);
                ck_assert_double_eq(bytes,
                                    4 * (pass ? D * (3 * rows + R) + 2 * D_kv * (keys + a.kv_start[a.B])
                                              : D * (rows + R) + 2 * D_kv * keys));
            }
            tn_problem_free(&ctx, &p);
        }
    }
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(nothing_to_do_is_no_work) {
    const tn_case *c = tn_case_find("gemm");
    tn_shape shape;
    double flops, bytes;
    ctx = (tn_context){.quiet = true};
    ck_ok(&ctx, tn_shape_parse(&ctx, c, "M=0 N=64 K=64 epilogue=0", &shape));
    tn_problem p = problem(c, 0, &shape, NULL);
    tn_problem_least(&p, &flops, &bytes);
    ck_assert(flops == 0 && bytes == 0);
    tn_problem_free(&ctx, &p);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sampled");
    TCase *tests = tcase_create("sampled");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, elements_are_those_of_the_reference);
    tcase_add_test(tests, a_sample_finds_what_is_wrong);
    tcase_add_test(tests, what_is_checked_is_what_is_timed);
    tcase_add_test(tests, least_work_is_never_more_than_the_shape_has);
    tcase_add_test(tests, attention_counts_what_its_masks_leave);
    tcase_add_test(tests, nothing_to_do_is_no_work);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
