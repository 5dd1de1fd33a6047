/* A number of rows that the device alone knows: every op that takes one gives the bits of a call of so many
 * rows, and leaves what lies past them alone; by every variant, in both styles. */
#include "counts.h"

#include "flash_attention.h"
#include "gemm.h"
#include "route_mix.h"
#include "row_gather.h"
#include "row_scatter.h"

typedef struct product_data {
    tn_buffer *a, *b, *bias, *add;
} product_data;

static tn_status product(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data) {
    const product_data *d = data;
    return tn_gemm_forward(dev, &(tn_gemm_shape){(tn_gemm_form)pass, rows, WIDE, DEEP, count}, to, d->a, d->b,
                           d->bias, d->add);
}

START_TEST(test_products) {
    open_device(_i);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        const size_t rows = (size_t)counts[c];
        product_data d = {random_floats(MOST * DEEP, rows * DEEP, 1),
                          random_floats(WIDE * DEEP, WIDE * DEEP, 2), random_floats(WIDE, WIDE, 3),
                          random_floats(MOST * WIDE, rows * WIDE, 4)};
        ck_assert_int_gt(run_variants(&tn_gemm_op, TN_GEMM_NN, product, WIDE, &d, counts[c]), 0);
        ck_assert_int_gt(run_variants(&tn_gemm_op, TN_GEMM_NT, product, WIDE, &d, counts[c]), 0);
        tn_buffer_destroy(d.a);
        tn_buffer_destroy(d.b);
        tn_buffer_destroy(d.bias);
        tn_buffer_destroy(d.add);
    }
    close_device();
}
END_TEST

/* Every row of A counts in a sum over rows: one that is not there must not. */
START_TEST(test_sums_over_rows) {
    open_device(_i);
    const int32_t rows = 33;
    tn_buffer *count = of(&rows, sizeof rows), *a = random_floats(MOST * WIDE, (size_t)rows * WIDE, 1),
              *b = random_floats(MOST * DEEP, (size_t)rows * DEEP, 2), *counted = filled(WIDE * DEEP, 7),
              *exact = filled(WIDE * DEEP, 7);
    ck_ok(&ctx, tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_TN, WIDE, DEEP, MOST, count}, counted, a, b,
                                NULL, NULL));
    ck_ok(&ctx,
          tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_TN, WIDE, DEEP, rows}, exact, a, b, NULL, NULL));
    hold("gemm tn", counted, exact, WIDE * DEEP);
    tn_buffer_destroy(count);
    tn_buffer_destroy(a);
    tn_buffer_destroy(b);
    tn_buffer_destroy(counted);
    tn_buffer_destroy(exact);
    close_device();
}
END_TEST

typedef struct list_data {
    tn_buffer *rows, *x;
} list_data;

static tn_status gather(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data) {
    const list_data *d = data;
    (void)pass;
    return tn_row_gather_forward(dev, &(tn_row_gather_shape){rows, ROWS, WIDE, count}, to, d->x, d->rows);
}

static tn_status take_back(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data) {
    const list_data *d = data;
    (void)pass;
    return tn_row_scatter_backward(dev, &(tn_row_scatter_shape){rows, ROWS, WIDE, count}, to, d->x, d->rows);
}

/* Rows 0, 1, … themselves: what is not there stays 7. */
static tn_status add_in(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data) {
    const list_data *d = data;
    (void)pass;
    return tn_row_gather_backward(dev, &(tn_row_gather_shape){rows, MOST, WIDE, count}, to, d->x, d->rows);
}

static tn_status scatter(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data) {
    const list_data *d = data;
    (void)pass;
    return tn_row_scatter_forward(dev, &(tn_row_scatter_shape){rows, MOST, WIDE, count}, to, d->x, d->rows);
}

static tn_status mix_few(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data) {
    const list_data *d = data;
    (void)pass;
    return tn_route_mix_few(dev, &(tn_route_mix_shape){.N = MOST, .D = WIDE, .R = rows, .count = count}, to,
                            d->x, d->x, NULL, d->rows, NULL);
}

/* A list of which `seen` entries are there: what stands behind is no row at all. */
static tn_buffer *list_of(int32_t seen, int32_t step) {
    int32_t rows[MOST];
    for (int32_t i = 0; i < MOST; i++)
        rows[i] = i < seen ? i * step : INT32_MIN / 2;
    return of(rows, sizeof rows);
}

START_TEST(test_lists) {
    open_device(_i);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        list_data d = {list_of(counts[c], 1), random_floats(ROWS * WIDE, ROWS * WIDE, 5)};
        ck_assert_int_gt(run_variants(&tn_row_gather_op, 0, gather, WIDE, &d, counts[c]), 0);
        ck_assert_int_gt(run_variants(&tn_row_gather_op, 1, add_in, WIDE, &d, counts[c]), 0);
        ck_assert_int_gt(run_variants(&tn_row_scatter_op, 0, scatter, WIDE, &d, counts[c]), 0);
        ck_assert_int_gt(run_variants(&tn_row_scatter_op, 1, take_back, WIDE, &d, counts[c]), 0);
        ck_assert_int_gt(run_variants(&tn_route_mix_op, 0, mix_few, WIDE, &d, counts[c]), 0);
        tn_buffer_destroy(d.rows);
        tn_buffer_destroy(d.x);
    }
    close_device();
}
END_TEST

enum { B = 2, T = MOST / 2, HEADS = 2, DH = 20 };

typedef struct attention_data {
    tn_buffer *q, *k, *v, *lse, *rows, *q_start, *kv_start;
    int64_t sequences, length, keys, longest;
} attention_data;

static tn_status attend(const tn_buffer *count, int64_t rows, tn_buffer *to, int pass, void *data) {
    const attention_data *d = data;
    tn_flash_attention_shape s = {
        .B = d->sequences, .T = d->length, .R = rows, .Rkv = d->keys, .max_rows = d->longest};
    (void)pass;
    s.H = HEADS;
    s.Dh = DH;
    if (count) {
        s.Rkv = d->sequences * d->length;
        s.max_rows = d->length < MOST ? d->length : MOST;
        s.at_most = true;
    }
    return tn_flash_attention_forward(dev, &s, to, d->lse, d->q, d->k, d->v, d->rows, d->q_start, d->kv_start,
                                      NULL, NULL);
}

START_TEST(test_attention) {
    open_device(_i);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        int32_t rows[MOST], q_start[B + 1] = {0, counts[c] / 2, counts[c]}, kv_start[B + 1] = {0};
        const int32_t second = counts[c] - counts[c] / 2;
        for (int32_t i = 0; i < MOST; i++)
            rows[i] = i >= counts[c] ? INT32_MIN / 2 : i < q_start[1] ? i : T + i - q_start[1];
        kv_start[1] = q_start[1];
        kv_start[2] = q_start[1] + second;
        const size_t q = (size_t)counts[c] * WIDE;
        attention_data d = {.q = random_floats(MOST * WIDE, q, 6),
                            .k = random_floats(MOST * WIDE, q, 7),
                            .v = random_floats(MOST * WIDE, q, 8),
                            .lse = filled(MOST * HEADS, 7),
                            .rows = of(rows, sizeof rows),
                            .q_start = of(q_start, sizeof q_start),
                            .kv_start = of(kv_start, sizeof kv_start),
                            .sequences = B,
                            .length = T,
                            .keys = kv_start[B],
                            .longest = second};
        ck_assert_int_gt(run_variants(&tn_flash_attention_op, 0, attend, WIDE, &d, counts[c]), 0);
        tn_buffer *all[] = {d.q, d.k, d.v, d.lse, d.rows, d.q_start, d.kv_start};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            tn_buffer_destroy(all[i]);
    }
    close_device();
}
END_TEST

/* The same of a sequence so long that its keys are split among work-items, whose sums a second kernel joins.
 */
START_TEST(test_split_attention) {
    enum { LONG = 2300, STEP = LONG / MOST };
    open_device(_i);
    for (size_t c = 1; c < sizeof counts / sizeof counts[0]; c++) {
        int32_t rows[MOST];
        const int32_t start[] = {0, counts[c]}, keys[] = {0, (counts[c] - 1) * STEP + STEP};
        for (int32_t i = 0; i < MOST; i++)
            rows[i] = i < counts[c] ? i * STEP + STEP - 1 : INT32_MIN / 2;
        attention_data d = {.q = random_floats(MOST * WIDE, (size_t)counts[c] * WIDE, 6),
                            .k = random_floats(LONG * WIDE, (size_t)keys[1] * WIDE, 7),
                            .v = random_floats(LONG * WIDE, (size_t)keys[1] * WIDE, 8),
                            .lse = filled(MOST * HEADS, 7),
                            .rows = of(rows, sizeof rows),
                            .q_start = of(start, sizeof start),
                            .kv_start = of(keys, sizeof keys),
                            .sequences = 1,
                            .length = LONG,
                            .keys = keys[1],
                            .longest = counts[c]};
        ck_assert_int_gt(run_variants(&tn_flash_attention_op, 0, attend, WIDE, &d, counts[c]), 0);
        tn_buffer *all[] = {d.q, d.k, d.v, d.lse, d.rows, d.q_start, d.kv_start};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            tn_buffer_destroy(all[i]);
    }
    close_device();
}
END_TEST

/* A call that waits for the device for the count is what this spares; one of a variant that cannot waits. */
START_TEST(test_waits) {
    const int32_t rows = 3, too_many = 9;
    open_device(1);
    tn_buffer *count = of(&rows, sizeof rows), *wrong = of(&too_many, sizeof too_many),
              *a = random_floats(8 * DEEP, 8 * DEEP, 1), *b = random_floats(WIDE * DEEP, WIDE * DEEP, 2),
              *c = filled(8 * WIDE, 7);
    tn_gemm_shape s = {TN_GEMM_NT, 8, WIDE, DEEP, count};
    ck_ok(&ctx, tn_variant_try(dev, &tn_gemm_op, tn_variant_find(&tn_gemm_op, "threads")));
    ck_ok(&ctx, tn_gemm_forward(dev, &s, c, a, b, NULL, NULL));
    int64_t waits = tn_device_counted(dev).waits;
    ck_ok(&ctx, tn_gemm_forward(dev, &s, c, a, b, NULL, NULL));
    ck_assert_int_eq(tn_device_counted(dev).waits, waits);
    tn_tunable_untry(dev, "gemm");
    ck_ok(&ctx, tn_variant_try(dev, &tn_gemm_op, tn_variant_find(&tn_gemm_op, "few")));
    ck_ok(&ctx, tn_gemm_forward(dev, &s, c, a, b, NULL, NULL));
    ck_assert_int_eq(tn_device_counted(dev).waits, waits + 1);
    s.count = wrong;
    ck_assert_int_eq(tn_gemm_forward(dev, &s, c, a, b, NULL, NULL), TN_ERR_DEVICE);
    ck_assert_msg(strstr(ctx.message, "9 rows") != NULL, "%s", ctx.message);
    tn_tunable_untry(dev, "gemm");
    tn_buffer_destroy(count);
    tn_buffer_destroy(wrong);
    tn_buffer_destroy(a);
    tn_buffer_destroy(b);
    tn_buffer_destroy(c);
    close_device();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("counts");
    TCase *t = tcase_create("counts");
    tcase_set_timeout(t, 300);
    tn_test_add_drawn(t, test_products, 0, 2, 2);
    tn_test_add_drawn(t, test_sums_over_rows, 0, 2, 2);
    tn_test_add_drawn(t, test_lists, 0, 2, 2);
    tn_test_add_drawn(t, test_attention, 0, 2, 2);
    tn_test_add_drawn(t, test_split_attention, 0, 2, 2);
    tcase_add_test(t, test_waits);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
