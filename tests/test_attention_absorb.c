#include "support.h"

#include "attention_absorb.h"

/* Every listed row stands H times, in order, whatever the list's length. */
START_TEST(rows_repeat) {
    enum { MOST = 37 };
    int32_t rows[MOST], got[MOST * 3];
    static tn_context ctx;
    tn_device *dev;
    tn_buffer *from, *to;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    for (int n = 0; n < MOST; n++)
        rows[n] = 3 * n + 1;
    for (int R = 1; R <= MOST; R += 6) {
        ck_ok(&ctx, tn_buffer_create(dev, sizeof rows, &from));
        ck_ok(&ctx, tn_buffer_create(dev, sizeof got, &to));
        ck_ok(&ctx, tn_buffer_write(from, 0, sizeof rows, rows));
        ck_ok(&ctx, tn_buffer_fill_u32(to, 0, sizeof got, 7));
        ck_ok(&ctx, tn_attention_absorb_rows(dev, R, 3, to, from));
        ck_ok(&ctx, tn_buffer_read(to, 0, sizeof got, got));
        for (int i = 0; i < MOST * 3; i++)
            ck_assert_int_eq(got[i], i < R * 3 ? rows[i / 3] : 7);
        tn_buffer_destroy(from);
        tn_buffer_destroy(to);
    }
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("attention_absorb", 8);
    TCase *lists = tcase_create("rows");
    tcase_add_test(lists, rows_repeat);
    suite_add_tcase(suite, lists);
    return tn_test_main(suite);
}
