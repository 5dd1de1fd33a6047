/* Beyond the case: a row's bits do not depend on the rows listed beside it, exact zeros where nothing is
 * allowed, and chunks of keys short enough that the case's shapes have many. */
#include "support.h"

#include "case.h"
#include "flash_attention.h"
#include "variant.h"
#include "flash_attention_ref.h"
#include "rng.h"

#include <math.h>
#include <string.h>

enum { T = 2300, H = 2, DH = 32, D = H * DH };

typedef struct fixture {
    tn_device *dev;
    tn_buffer *q, *k, *v, *o, *lse, *rows, *q_start, *kv_start, *lengths;
    float host_q[T * D];
    int64_t kv_heads; /* 0: H */
} fixture;

static tn_context ctx;

static tn_buffer *buffer(tn_device *dev, size_t bytes, const void *values) {
    tn_buffer *b;
    ck_ok(&ctx, tn_buffer_create(dev, bytes, &b));
    if (values)
        ck_ok(&ctx, tn_buffer_write(b, 0, bytes, values));
    return b;
}

static void setup(fixture *f) {
    static float values[T * D];
    tn_rng rng = tn_rng_make(3, TN_RNG_CASE, 0);
    f->kv_heads = 0;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &f->dev));
    for (int i = 0; i < T * D; i++)
        f->host_q[i] = (float)tn_rng_normal(&rng);
    for (int i = 0; i < T * D; i++)
        values[i] = (float)tn_rng_normal(&rng);
    f->k = buffer(f->dev, sizeof values, values);
    for (int i = 0; i < T * D; i++)
        values[i] = (float)tn_rng_normal(&rng);
    f->v = buffer(f->dev, sizeof values, values);
    f->q = buffer(f->dev, sizeof values, NULL);
    f->o = buffer(f->dev, sizeof values, NULL);
    f->lse = buffer(f->dev, T * H * 4, NULL);
    f->rows = buffer(f->dev, T * 4, NULL);
    f->q_start = buffer(f->dev, 8, NULL);
    f->kv_start = buffer(f->dev, 8, NULL);
    f->lengths = buffer(f->dev, 4, NULL);
}

static void teardown(fixture *f) {
    tn_buffer *all[] = {f->q, f->k, f->v, f->o, f->lse, f->rows, f->q_start, f->kv_start, f->lengths};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_buffer_destroy(all[i]);
    tn_device_close(f->dev);
    ck_assert_int_eq(ctx.live, 0);
}

/* Attention of `count` listed positions over the keys up to the last of them. */
static void attend(fixture *f, const int32_t *rows, int count, int length, float *o) {
    static float q[T * D];
    int32_t q_start[2] = {0, count}, kv_start[2] = {0, rows[count - 1] + 1}, lengths = length;
    for (int r = 0; r < count; r++)
        memcpy(q + r * D, f->host_q + rows[r] * D, D * 4);
    ck_ok(&ctx, tn_buffer_write(f->q, 0, (size_t)count * D * 4, q));
    ck_ok(&ctx, tn_buffer_write(f->rows, 0, (size_t)count * 4, rows));
    ck_ok(&ctx, tn_buffer_write(f->q_start, 0, 8, q_start));
    ck_ok(&ctx, tn_buffer_write(f->kv_start, 0, 8, kv_start));
    ck_ok(&ctx, tn_buffer_write(f->lengths, 0, 4, &lengths));
    tn_flash_attention_shape s = {.B = 1,
                                  .T = T,
                                  .R = count,
                                  .Rkv = kv_start[1],
                                  .max_rows = count,
                                  .H = H,
                                  .Dh = DH,
                                  .Hkv = f->kv_heads};
    ck_ok(&ctx, tn_flash_attention_forward(f->dev, &s, f->o, f->lse, f->q, f->k, f->v, f->rows, f->q_start,
                                           f->kv_start, NULL, length < T ? f->lengths : NULL));
    ck_ok(&ctx, tn_buffer_read(f->o, 0, (size_t)count * D * 4, o));
}

/* Lists of every length take other roads: dense, a tile high, split over chunks of keys, a row alone. */
START_TEST(test_row_bits) {
    static fixture f;
    static float whole[T * D], some[T * D];
    static int32_t all[T], list[T];
    const int steps[] = {1, 2, 3, 5, 23, 120, 331, 400, 1000}, alone[] = {0, 1, 31, 1023, 1024, 1700, T - 1};
    if (_i)
        setenv("TURNOUT_KIND", "gpu", 1);
    setup(&f);
    for (int t = 0; t < T; t++)
        all[t] = t;
    attend(&f, all, T, T, whole);
    for (size_t n = 0; n < sizeof steps / sizeof steps[0]; n++) {
        int count = 0, step = steps[n];
        for (int t = step - 1; t < T; t += step)
            list[count++] = t;
        attend(&f, list, count, T, some);
        for (int r = 0; r < count; r++)
            ck_assert_msg(memcmp(some + r * D, whole + list[r] * D, D * 4) == 0,
                          "row %d differs when every %d-th row is listed", list[r], step);
    }
    for (size_t n = 0; n < sizeof alone / sizeof alone[0]; n++) {
        attend(&f, &all[alone[n]], 1, T, some);
        ck_assert_msg(memcmp(some, whole + alone[n] * D, D * 4) == 0, "row %d differs alone", alone[n]);
    }
    teardown(&f);
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* Gradients of `count` listed positions, from what attend left; q serves as dout, any numbers will do. */
static void differentiate(fixture *f, int count, int keys, float *dq, float *dk) {
    tn_buffer *d[3];
    for (int i = 0; i < 3; i++)
        d[i] = buffer(f->dev, T * D * 4, NULL);
    tn_flash_attention_shape s = {
        .B = 1, .T = T, .R = count, .Rkv = keys, .max_rows = count, .H = H, .Dh = DH, .Hkv = f->kv_heads};
    ck_ok(&ctx, tn_flash_attention_backward(f->dev, &s, d[0], d[1], d[2], f->q, f->q, f->k, f->v, f->o,
                                            f->lse, f->rows, f->q_start, f->kv_start, NULL, NULL));
    ck_ok(&ctx, tn_buffer_read(d[0], 0, (size_t)count * D * 4, dq));
    ck_ok(&ctx, tn_buffer_read(d[1], 0, (size_t)keys * D * 4, dk));
    for (int i = 0; i < 3; i++)
        tn_buffer_destroy(d[i]);
}

/* A row's dq does not depend on the rows beside it, and no gradient on whether chunks of keys are an item's
 * or many items'. */
START_TEST(test_gradient_bits) {
    static fixture f;
    static float o[T * D], whole[T * D], whole_dk[T * D], some[T * D], dk[T * D];
    static int32_t list[T];
    const int steps[] = {1, 7, 120, 600, 2000};
    if (_i)
        setenv("TURNOUT_KIND", "gpu", 1);
    setup(&f);
    for (size_t n = 0; n < sizeof steps / sizeof steps[0]; n++) {
        int count = 0, step = steps[n];
        for (int t = step - 1; t < T; t += step)
            list[count++] = t;
        attend(&f, list, count, T, o);
        differentiate(&f, count, list[count - 1] + 1, n ? some : whole, n ? dk : whole_dk);
        for (int r = 0; n && r < count; r++)
            ck_assert_msg(memcmp(some + r * D, whole + list[r] * D, D * 4) == 0,
                          "dq of row %d differs when every %d-th row is listed", list[r], step);
        if (n)
            continue;
        setenv("TURNOUT_TUNE", "flash_attention.HEADS=0", 1);
        ck_ok(&ctx, tn_device_settings_reload(f.dev));
        differentiate(&f, count, T, some, dk);
        unsetenv("TURNOUT_TUNE");
        ck_ok(&ctx, tn_device_settings_reload(f.dev));
        ck_assert_msg(memcmp(some, whole, sizeof whole) == 0, "dq differs when an item has all chunks");
        ck_assert_msg(memcmp(dk, whole_dk, sizeof dk) == 0, "dk differs when an item has all chunks");
    }
    ck_assert_str_eq(tn_variant_ran(f.dev, "flash_attention")->name, _i ? "groups" : "onepass");
    teardown(&f);
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* What one variant makes of `count` listed positions where all heads read the keys `shared` [T,DH], or have a
 * copy each. A pass that it lacks is left as it is. */
static void pass_both(fixture *f, const tn_variant *v, const int32_t *list, int count, bool copies,
                      const float *shared, float *o, float *dq, float *dk) {
    static float keys[T * D];
    for (int t = 0; t < T; t++)
        for (int h = 0; h < H; h++)
            memcpy(keys + (t * H + h) * DH, shared + t * DH, DH * 4);
    f->kv_heads = copies ? H : 1;
    ck_ok(&ctx, tn_buffer_write(f->k, 0, (copies ? sizeof keys : T * DH * 4), copies ? keys : shared));
    ck_ok(&ctx, tn_buffer_write(f->v, 0, (copies ? sizeof keys : T * DH * 4), copies ? keys : shared));
    attend(f, list, count, T, o); /* by any variant: what the backward pass takes */
    if (tn_variant_has_pass(v, 0)) {
        ck_ok(&ctx, tn_variant_try(f->dev, &tn_flash_attention_op, v));
        attend(f, list, count, T, o);
    }
    if (tn_variant_has_pass(v, 1)) {
        ck_ok(&ctx, tn_variant_try(f->dev, &tn_flash_attention_op, v));
        differentiate(f, count, list[count - 1] + 1, dq, dk);
    }
    tn_tunable_untry(f->dev, "flash_attention");
}

/* Heads that share keys have the o and dq, bit for bit, of heads that have a copy of them each, and the sum
 * of the copies' gradients. */
START_TEST(test_shared_keys) {
    static fixture f;
    static float shared[T * DH], o[2][T * D], dq[2][T * D], dk[2][T * D];
    static int32_t list[T];
    const int steps[] = {3, 700};
    if (_i)
        setenv("TURNOUT_KIND", "gpu", 1);
    setup(&f);
    ck_ok(&ctx, tn_buffer_read(f.k, 0, sizeof shared, shared));
    const tn_op *op = &tn_flash_attention_op;
    for (int i = 0; i < 2 * 3; i++) {
        const char *name = op->variants[i / 2]->name;
        int count = 0;
        if (_i && strcmp(name, "onepass") == 0)
            continue; /* it holds more than a GPU's items may */
        for (int t = 0; t < T; t += steps[i % 2])
            list[count++] = t;
        for (int copies = 0; copies < 2; copies++)
            pass_both(&f, op->variants[i / 2], list, count, copies, shared, o[copies], dq[copies],
                      dk[copies]);
        ck_assert_msg(memcmp(o[0], o[1], (size_t)count * D * 4) == 0, "%s: o differs", name);
        ck_assert_msg(memcmp(dq[0], dq[1], (size_t)count * D * 4) == 0, "%s: dq differs", name);
        for (int n = 0; n <= list[count - 1]; n++)
            for (int d = 0; d < DH; d++) {
                const float *both = dk[1] + n * D + d;
                float got = dk[0][n * DH + d], sum = both[0] + both[DH];
                ck_assert_msg(fabsf(got - sum) <= 1e-5f * (1 + fabsf(both[0]) + fabsf(both[DH])),
                              "%s: dk of key %d, column %d is %g, not %g", name, n, d, (double)got,
                              (double)sum);
            }
    }
    ck_assert(op->variants[3] == NULL);
    teardown(&f);
    unsetenv("TURNOUT_KIND");
}
END_TEST

START_TEST(test_many_chunks) {
    tn_device *dev;
    tn_verify_result result;
    setenv("TURNOUT_TUNE", "flash_attention.CHUNK=64,flash_attention.HEADS=0", 1);
    if (_i)
        setenv("TURNOUT_KIND", "gpu", 1);
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_verify_op(dev, tn_case_find("flash_attention"), 4, tn_test_seed(), &result));
    ck_assert_int_eq(result.cases, 4);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
    unsetenv("TURNOUT_KIND");
    unsetenv("TURNOUT_TUNE");
}
END_TEST

START_TEST(test_nothing_allowed) {
    static fixture f;
    static float o[T * D];
    static int32_t all[T];
    const float zero[D] = {0};
    setup(&f);
    for (int t = 0; t < T; t++)
        all[t] = t;
    attend(&f, all, T, 40, o);
    for (int t = 40; t < T; t++)
        ck_assert_msg(memcmp(o + t * D, zero, sizeof zero) == 0, "position %d past the length is not zero",
                      t);
    ck_assert(o[39 * D] != 0);
    teardown(&f);
}
END_TEST

static int64_t partial_floats(tn_device *dev, const tn_flash_attention_shape *s) {
    tn_flash_attention_layout layout;
    ck_ok(&ctx, tn_flash_attention_layout_of(dev, s, &layout));
    return layout.partial;
}

/* Kernels count elements in 32 bits: no more chunks of keys than leave sums that they can count, and no
 * tensor past that. As a GPU of 132 units sees it. */
START_TEST(test_sizes) {
    fixture f;
    setenv("TURNOUT_KIND", "gpu", 1);
    setup(&f);
    tn_device_info *info = (tn_device_info *)tn_device_get_info(f.dev);
    tn_device_info own = *info;
    tn_flash_attention_shape s = {
        .B = 1, .T = 1 << 20, .H = 4, .Dh = 64, .R = 8192, .Rkv = 1 << 20, .max_rows = 8192};
    info->compute_units = 132;
    info->max_alloc_bytes = (size_t)64 << 30;
    ck_assert_int_eq(partial_floats(f.dev, &s), 0); /* 4 429 185 024 would be too many */
    s.R = s.max_rows = 3500;
    ck_assert_int_eq(partial_floats(f.dev, &s), (int64_t)3500 * 4 * 2048 * 66);
    info->max_alloc_bytes = (size_t)2 << 30; /* nor what the device does not hold */
    ck_assert_int_eq(partial_floats(f.dev, &s), 0);
    *info = own;
    unsetenv("TURNOUT_KIND");
    s.Rkv = (int64_t)1 << 23;
    ck_assert_int_eq(tn_flash_attention_forward(f.dev, &s, f.o, f.lse, f.q, f.k, f.v, f.rows, f.q_start,
                                                f.kv_start, NULL, NULL),
                     TN_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ctx.message, "keys of 8388640 × 256 elements is past the 2013265919"));
    s.Rkv = 1;
    s.T = INT32_MAX;
    ck_assert_int_eq(tn_flash_attention_backward(f.dev, &s, f.o, f.o, f.o, f.o, f.q, f.k, f.v, f.o, f.lse,
                                                 f.rows, f.q_start, f.kv_start, NULL, NULL),
                     TN_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(ctx.message, "positions"));
    teardown(&f);
}
END_TEST

/* Scores far from zero. All below −1e30; all past fp32's range (−∞: no number, and no zeros); one of them
 * within it (it alone counts); one past it upwards. */
enum { ALL_LOW, ALL_INFINITE, ONE_FINITE, ONE_ABOVE, FAR_WAYS };

static double far_key(int way, int s) {
    return way == ALL_LOW                     ? -1e17 * (1 + s % 7)
           : way == ONE_FINITE && s % 50 == 3 ? -1e5 * (1 + s)
           : way == ONE_ABOVE                 ? (s == 70 ? 1e25 : -1)
                                              : -1e25;
}

static const float far_query = 1e18f;

/* Every `step`-th position attends; what the reference makes of it, o and NaN alike. */
static void check_far(fixture *f, int way, int step, const float *k, const float *v) {
    enum { LAST = 1300 };
    static float o[T * D], lse[T * H];
    static double q[T * D], keys[T * D], values[T * D], want[T * D], want_lse[T * H];
    static int32_t list[T];
    int32_t count = 0;
    for (int t = step - 1; t < LAST; t += step)
        list[count++] = t;
    attend(f, list, count, T, o);
    ck_ok(&ctx, tn_buffer_read(f->lse, 0, (size_t)count * H * 4, lse));
    for (int i = 0; i < count * D; i++)
        q[i] = (double)f->host_q[i];
    for (int i = 0; i < T * D; i++) {
        keys[i] = (double)k[i];
        values[i] = (double)v[i];
    }
    int32_t q_start[2] = {0, count}, kv_start[2] = {0, list[count - 1] + 1};
    tn_attention_rows a = {
        .B = 1, .T = T, .H = H, .Dh = DH, .rows = list, .q_start = q_start, .kv_start = kv_start};
    tn_flash_attention_forward_ref(&a, want, want_lse, q, keys, values);
    for (int i = 0; i < count * D; i++) {
        bool right = isnan(want[i]) ? isnan(o[i]) : fabs((double)o[i] - want[i]) <= 1e-5;
        ck_assert_msg(right, "way %d, every %d-th row: o[%d] is %g, the reference has %g", way, step, i,
                      (double)o[i], want[i]);
    }
    for (int i = 0; i < count * H; i++)
        ck_assert_msg(isnan(want_lse[i]) == isnan(lse[i]), "way %d: lse[%d] is %g, the reference has %g", way,
                      i, (double)lse[i], want_lse[i]);
}

START_TEST(test_far_scores) {
    static fixture f;
    static float k[T * D], v[T * D];
    const int steps[] = {1, 97, 1300};
    if (_i)
        setenv("TURNOUT_KIND", "gpu", 1);
    setup(&f);
    ck_ok(&ctx, tn_buffer_read(f.v, 0, sizeof v, v));
    for (int i = 0; i < T * D; i++)
        f.host_q[i] = i % DH ? 0 : far_query;
    for (int way = 0; way < FAR_WAYS; way++) {
        for (int i = 0; i < T * D; i++)
            k[i] = i % DH ? 0 : (float)far_key(way, i / D);
        ck_ok(&ctx, tn_buffer_write(f.k, 0, sizeof k, k));
        for (size_t n = 0; n < sizeof steps / sizeof steps[0]; n++)
            check_far(&f, way, steps[n], k, v);
    }
    teardown(&f);
    unsetenv("TURNOUT_KIND");
}
END_TEST

/* A list of no rows: keys have gradients of zero, and a variant that is tried still has to have the pass. */
START_TEST(test_empty_list) {
    static fixture f;
    static float dk[T * D];
    setup(&f);
    const tn_op *op = &tn_flash_attention_op;
    tn_flash_attention_shape s = {.B = 1, .T = T, .R = 0, .Rkv = T, .max_rows = 0, .H = H, .Dh = DH};
    for (int i = 0; op->variants[i]; i++)
        for (int pass = 0; pass < 2; pass++) {
            ck_ok(&ctx, tn_variant_try(f.dev, op, op->variants[i]));
            ck_ok(&ctx, tn_buffer_fill_u32(f.o, 0, sizeof dk, 1));
            tn_status got =
                pass ? tn_flash_attention_backward(f.dev, &s, f.lse, f.o, f.v, f.q, f.q, f.k, f.k, f.q, f.lse,
                                                   f.rows, f.q_start, f.kv_start, NULL, NULL)
                     : tn_flash_attention_forward(f.dev, &s, f.o, f.lse, f.q, f.k, f.v, f.rows, f.q_start,
                                                  f.kv_start, NULL, NULL);
            bool has = tn_variant_has_pass(op->variants[i], pass);
            ck_assert_msg(got == (has ? TN_OK : TN_ERR_UNSUPPORTED), "%s, pass %d: %d", op->variants[i]->name,
                          pass, (int)got);
            ck_ok(&ctx, tn_buffer_read(f.o, 0, sizeof dk, dk));
            for (int j = 0; pass && has && j < T * D; j++)
                ck_assert_msg(memcmp(&dk[j], &(float){0}, 4) == 0, "dk[%d] is %g", j, (double)dk[j]);
            tn_tunable_untry(f.dev, "flash_attention");
        }
    teardown(&f);
}
END_TEST

START_TEST(test_bad_width) {
    static fixture f;
    setup(&f);
    tn_flash_attention_shape s = {.B = 1, .T = T, .R = 1, .Rkv = 1, .max_rows = 1, .H = 1, .Dh = 18};
    ck_assert_int_eq(tn_flash_attention_forward(f.dev, &s, f.o, f.lse, f.q, f.k, f.v, f.rows, f.q_start,
                                                f.kv_start, NULL, NULL),
                     TN_ERR_UNSUPPORTED);
    s.H = 4;
    s.Dh = 16;
    s.Hkv = 3;
    ck_assert_int_eq(tn_flash_attention_forward(f.dev, &s, f.o, f.lse, f.q, f.k, f.v, f.rows, f.q_start,
                                                f.kv_start, NULL, NULL),
                     TN_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(ctx.message, "3 heads of keys and values for 4 heads"));
    teardown(&f);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("flash_attention", 3);
    TCase *more = tcase_create("rows");
    tcase_set_timeout(more, 200);
    tn_test_add_drawn(more, test_row_bits, 0, 2, 2);
    tn_test_add_drawn(more, test_gradient_bits, 0, 2, 2);
    tn_test_add_drawn(more, test_shared_keys, 0, 2, 2);
    tn_test_add_drawn(more, test_many_chunks, 0, 2, 2);
    tcase_add_test(more, test_nothing_allowed);
    tcase_add_test(more, test_sizes);
    tn_test_add_drawn(more, test_far_scores, 0, 2, 2);
    tcase_add_test(more, test_empty_list);
    tcase_add_test(more, test_bad_width);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}
