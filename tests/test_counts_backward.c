/* The passes of a step that trains, where the device alone knows how many rows are routed: sums over rows,
 * whose order must be that of so many rows, whatever the parts that there could be; attention's gradients;
 * rotation. */
#include "counts.h"

#include "flash_attention.h"
#include "gemm.h"
#include "partial_sums.h"
#include "rope.h"

enum { LONG_SUM = 5300 /* rows: eleven parts, which groups share among items */ };

static void destroy_all(tn_buffer *const *all, size_t count) {
    for (size_t i = 0; i < count; i++)
        tn_buffer_destroy(all[i]);
}
#define DESTROY(...)                                                                                         \
    destroy_all((tn_buffer *const[]){__VA_ARGS__},                                                           \
                sizeof((tn_buffer *const[]){__VA_ARGS__}) / sizeof(tn_buffer *))

/* dw = dyᵀ·x and, of two tensors side by side, another; at once or with those of other counts later. */
static tn_status sum_rows(const tn_buffer *count, int64_t rows, tn_partial_sums *later, tn_buffer *dw,
                          tn_buffer *both, const tn_buffer *dy, const tn_buffer *x) {
    const tn_buffer *two[] = {dy, x};
    TN_TRY(tn_gemm_weight_grad(dev, WIDE, WIDE, rows, count, dw, dy, x, later));
    if (!tn_gemm_can_group(dev, WIDE))
        return tn_gemm_weight_grad(dev, WIDE, WIDE, rows, count, both, x, dy, later);
    return tn_gemm_grouped(dev, &(tn_gemm_shape){TN_GEMM_TN, 2 * WIDE, WIDE, rows, count}, 2, &both, two, x,
                           NULL, NULL, later);
}

static const int32_t sums[] = {0, 1, 33, 512, 513, 2048, 2049, 4100, LONG_SUM};
enum { SUMS = sizeof sums / sizeof sums[0], RESULT = WIDE * WIDE };

/* A variant's sums of every count, each with two results in `counted` and `exact`. */
static void sum_all(const tn_variant *variant, tn_buffer *all_counts, tn_partial_sums *later,
                    tn_buffer *const *counted, tn_buffer *const *exact) {
    const size_t step = tn_buffer_align(dev);
    tn_buffer *dy[SUMS], *x[SUMS], *count[SUMS];
    if (later)
        tn_partial_sums_begin(later);
    for (int i = 0; i < SUMS; i++) {
        const size_t rows = (size_t)sums[i];
        dy[i] = random_floats(LONG_SUM * WIDE, rows * WIDE, 2 * (uint64_t)i);
        x[i] = random_floats(LONG_SUM * WIDE, rows * WIDE, 2 * (uint64_t)i + 1);
        ck_ok(&ctx, tn_buffer_view(all_counts, (size_t)i * step, sizeof(int32_t), &count[i]));
        ck_ok(&ctx, tn_buffer_write(count[i], 0, sizeof sums[i], &sums[i]));
        const int64_t waits = tn_device_counted(dev).waits;
        ck_ok(&ctx, sum_rows(count[i], LONG_SUM, later, counted[2 * i], counted[2 * i + 1], dy[i], x[i]));
        ck_assert_msg(!later || tn_device_counted(dev).waits == waits, "variant %s waits", variant->name);
        ck_ok(&ctx, sum_rows(NULL, sums[i], NULL, exact[2 * i], exact[2 * i + 1], dy[i], x[i]));
    }
    if (later)
        ck_ok(&ctx, tn_partial_sums_finish(later));
    for (int i = 0; i < SUMS; i++)
        DESTROY(dy[i], x[i], count[i]);
}

static void sum_by(const tn_variant *variant, bool wait) {
    const size_t bytes = RESULT * 4 * 2, align = tn_buffer_align(dev),
                 step = (bytes + align - 1) / align * align;
    tn_buffer *whole, *counted[2 * SUMS], *exact[2 * SUMS], *all_counts = filled(SUMS * align / 4, 0);
    tn_partial_sums *later = NULL;
    char what[80];
    ck_ok(&ctx, tn_buffer_create(dev, 2 * SUMS * step, &whole));
    ck_ok(&ctx, tn_buffer_fill_u32(whole, 0, 2 * SUMS * step, 0x7fc00000));
    if (wait)
        ck_ok(&ctx, tn_partial_sums_create(dev, &later));
    for (int i = 0; i < 2 * SUMS; i++) {
        ck_ok(&ctx, tn_buffer_view(whole, (size_t)i * step, bytes, &counted[i]));
        exact[i] = filled(2 * RESULT, NAN);
    }
    sum_all(variant, all_counts, later, counted, exact);
    for (int i = 0; i < 2 * SUMS; i++) {
        static float a[2 * RESULT], b[2 * RESULT];
        snprintf(what, sizeof what, "variant %s, %d rows of %d, sum %d%s", variant->name, sums[i / 2],
                 LONG_SUM, i % 2, wait ? ", later" : "");
        ck_ok(&ctx, tn_buffer_read(counted[i], 0, bytes, a));
        ck_ok(&ctx, tn_buffer_read(exact[i], 0, bytes, b));
        ck_assert_msg(memcmp(a, b, bytes) == 0, "%s: not the bits of so many rows", what);
        for (int k = 0; k < RESULT; k++)
            ck_assert_msg(sums[i / 2] == 0 ? a[k] == 0 : a[k] - a[k] == 0, "%s: %g", what, (double)a[k]);
        DESTROY(counted[i], exact[i]);
    }
    tn_partial_sums_destroy(later);
    DESTROY(whole, all_counts);
}

START_TEST(test_sums_over_rows) {
    static const char *const variants[] = {"groups", "threads"};
    open_device(_i % 2);
    for (int v = 0; v < 2; v++) {
        const tn_variant *variant = tn_variant_find(&tn_gemm_op, variants[v]);
        ck_ok(&ctx, tn_variant_try(dev, &tn_gemm_op, variant));
        sum_by(variant, _i / 2);
        tn_tunable_untry(dev, "gemm");
    }
    close_device();
}
END_TEST

/* Parts that were never written are NaN here, and a lone part of −0 stays what it is. */
START_TEST(test_parts) {
    enum { PARTS = 40, RESULTS = 90, EACH = 7 };
    static float values[PARTS * RESULTS], a[RESULTS], b[RESULTS];
    open_device(_i);
    for (int32_t there = 1; there <= PARTS; there++) {
        const int32_t rows = there * EACH - there % EACH;
        tn_rng rng = tn_rng_make((uint64_t)there, TN_RNG_MEASURE, 4);
        for (int i = 0; i < PARTS * RESULTS; i++)
            values[i] = i >= there * RESULTS ? NAN : i == 3 ? -0.0f : (float)tn_rng_normal(&rng);
        tn_buffer *partial = of(values, sizeof values), *count = of(&rows, sizeof rows),
                  *counted = filled(RESULTS, 7), *exact = filled(RESULTS, 7);
        ck_ok(&ctx,
              tn_partial_sums_forward(dev, &(tn_partial_sums_shape){PARTS, RESULTS, RESULTS, count, EACH},
                                      counted, partial, 0));
        ck_ok(&ctx, tn_partial_sums_forward(dev, &(tn_partial_sums_shape){there, RESULTS, RESULTS}, exact,
                                            partial, 0));
        ck_ok(&ctx, tn_buffer_read(counted, 0, sizeof a, a));
        ck_ok(&ctx, tn_buffer_read(exact, 0, sizeof b, b));
        ck_assert_msg(memcmp(a, b, sizeof a) == 0, "%d parts of %d: not the bits of so many", there, PARTS);
        ck_assert(there > 1 || memcmp(a, values, sizeof a) == 0);
        DESTROY(partial, count, counted, exact);
    }
    close_device();
}
END_TEST

/* Attention's gradients of some sequences, of keys up to the last listed row. */
typedef struct gradients {
    int64_t B, T, heads, kv_heads, Dh, R, keys, longest;
    tn_buffer *q, *k, *v, *o, *dout, *lse, *rows, *q_start, *kv_start;
} gradients;

static tn_status attend_back(const gradients *g, bool counted, tn_buffer *const to[3]) {
    const tn_flash_attention_shape s = {.B = g->B,
                                        .T = g->T,
                                        .R = counted ? MOST : g->R,
                                        .Rkv = counted ? g->B * g->T : g->keys,
                                        .max_rows = !counted      ? g->longest
                                                    : g->T < MOST ? g->T
                                                                  : MOST,
                                        .H = g->heads,
                                        .Hkv = g->kv_heads,
                                        .Dh = g->Dh,
                                        .at_most = counted};
    return tn_flash_attention_backward(dev, &s, to[0], to[1], to[2], g->dout, g->q, g->k, g->v, g->o, g->lse,
                                       g->rows, g->q_start, g->kv_start, NULL, NULL);
}

static int hold_variant(const gradients *g, const tn_variant *variant) {
    static const char *const names[] = {"dq", "dk", "dv"};
    const size_t width = (size_t)(g->heads * g->Dh), narrow = (size_t)(g->kv_heads * g->Dh),
                 room[] = {MOST * width, (size_t)(g->B * g->T) * narrow},
                 there[] = {(size_t)g->R * width, (size_t)g->keys * narrow};
    tn_buffer *counted[3], *exact[3];
    char what[120];
    for (int i = 0; i < 3; i++) {
        counted[i] = filled(room[i > 0], 7);
        exact[i] = filled(room[i > 0], 7);
    }
    ck_ok(&ctx, tn_variant_try(dev, &tn_flash_attention_op, variant));
    const int64_t waits = tn_device_counted(dev).waits;
    tn_status status = attend_back(g, true, counted);
    const bool unfit = status == TN_ERR_UNSUPPORTED && tn_variant_unfit(dev, &tn_flash_attention_op);
    ck_assert_msg(status == TN_OK || unfit, "%s: %s", variant->name, ctx.message);
    if (!unfit) {
        ck_assert_int_eq(tn_device_counted(dev).waits, waits);
        ck_ok(&ctx, attend_back(g, false, exact));
    }
    for (int i = 0; i < 3; i++) {
        snprintf(what, sizeof what, "flash_attention backward, variant %s, T = %lld, %lld rows, %s",
                 variant->name, (long long)g->T, (long long)g->R, names[i]);
        if (!unfit)
            hold(what, counted[i], exact[i], there[i > 0]);
        DESTROY(counted[i], exact[i]);
    }
    tn_tunable_untry(dev, "flash_attention");
    return !unfit;
}

/* Of `count` rows a part in each of B sequences, `step` positions apart; by every variant. Returns how many
 * fitted. */
static int hold_gradients(int64_t B, int64_t T, int64_t heads, int64_t kv_heads, int64_t Dh, int32_t count,
                          int32_t step) {
    int32_t rows[MOST], q_start[3] = {0}, kv_start[3] = {0}, longest = 0;
    int fitted = 0;
    for (int32_t b = 0, r = 0; b < B; b++) {
        const int32_t end = (int32_t)(count * (b + 1) / B), have = end - r;
        longest = have > longest ? have : longest;
        q_start[b + 1] = end;
        kv_start[b + 1] = kv_start[b] + have * step;
        for (int32_t i = 0; i < have; i++)
            rows[r++] = (int32_t)(b * T) + i * step + step - 1;
    }
    for (int32_t r = count; r < MOST; r++)
        rows[r] = INT32_MIN / 2;
    const size_t width = (size_t)(heads * Dh), narrow = (size_t)(kv_heads * Dh), q = (size_t)count * width,
                 all = (size_t)(B * T) * narrow, keys = (size_t)kv_start[B] * narrow;
    gradients g = {.B = B,
                   .T = T,
                   .heads = heads,
                   .kv_heads = kv_heads,
                   .Dh = Dh,
                   .R = count,
                   .keys = kv_start[B],
                   .longest = longest,
                   .q = random_floats(MOST * width, q, 6),
                   .k = random_floats(all, keys, 7),
                   .v = random_floats(all, keys, 8),
                   .o = random_floats(MOST * width, q, 9),
                   .dout = random_floats(MOST * width, q, 10),
                   .lse = random_floats((size_t)(MOST * heads), (size_t)(count * heads), 11),
                   .rows = of(rows, sizeof rows),
                   .q_start = of(q_start, sizeof q_start),
                   .kv_start = of(kv_start, sizeof kv_start)};
    for (int v = 0; tn_flash_attention_op.variants[v]; v++)
        if (tn_variant_has_pass(tn_flash_attention_op.variants[v], 1))
            fitted += hold_variant(&g, tn_flash_attention_op.variants[v]);
    DESTROY(g.q, g.k, g.v, g.o, g.dout, g.lse, g.rows, g.q_start, g.kv_start);
    return fitted;
}

START_TEST(test_attention) {
    open_device(_i);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        ck_assert_int_ge(hold_gradients(2, MOST / 2, 2, 2, 20, counts[c], 1), 2);
        ck_assert_int_ge(hold_gradients(1, MOST, 2, 1, 32, counts[c], 1), 2);
        if (counts[c] <= MOST / 2)
            ck_assert_int_ge(hold_gradients(2, MOST, 3, 3, 16, counts[c], 3), 2);
    }
    close_device();
}
END_TEST

/* Keys of several chunks, whose sums are added up in their order. */
START_TEST(test_long_attention) {
    open_device(_i);
    for (size_t c = 1; c < sizeof counts / sizeof counts[0]; c++)
        ck_assert_int_ge(hold_gradients(1, 2300, 2, 2, 16, counts[c], 2300 / MOST), 2);
    close_device();
}
END_TEST

typedef struct turn_data {
    tn_buffer *x, *rows;
} turn_data;

static tn_status turn(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data) {
    const turn_data *d = data;
    const tn_rope_shape s = {.R = rows, .T = 50, .H = 2, .Dh = WIDE / 2, .base = 10000, .count = count};
    return pass ? tn_rope_backward(dev, &s, to, d->x, d->rows) : tn_rope_forward(dev, &s, to, d->x, d->rows);
}

START_TEST(test_rotation) {
    open_device(_i);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        int32_t rows[MOST];
        for (int32_t i = 0; i < MOST; i++)
            rows[i] = i < counts[c] ? 2 * i : INT32_MIN / 2;
        turn_data d = {random_floats(MOST * WIDE, (size_t)counts[c] * WIDE, 5), of(rows, sizeof rows)};
        ck_assert_int_gt(run_variants(&tn_rope_op, 0, turn, WIDE, &d, counts[c]), 0);
        ck_assert_int_gt(run_variants(&tn_rope_op, 1, turn, WIDE, &d, counts[c]), 0);
        DESTROY(d.x, d.rows);
    }
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("counts_backward");
    TCase *t = tcase_create("counts_backward");
    tcase_set_timeout(t, 300);
    tn_test_add_drawn(t, test_sums_over_rows, 0, 4, 2);
    tn_test_add_drawn(t, test_parts, 0, 2, 2);
    tn_test_add_drawn(t, test_attention, 0, 2, 2);
    tn_test_add_drawn(t, test_long_attention, 0, 2, 2);
    tn_test_add_drawn(t, test_rotation, 0, 2, 2);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
