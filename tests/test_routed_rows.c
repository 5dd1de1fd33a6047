#include "support.h"

#include "routed_rows.h"

#include <math.h>
#include <stdlib.h>

START_TEST(test_ends) {
    for (int64_t T = 1; T <= 1000000; T *= 10) {
        ck_assert_int_eq(tn_routed_rows(0, T), 0);
        ck_assert_int_eq(tn_routed_rows(1, T), T);
        ck_assert_int_eq(tn_routed_rows(1.0 / (double)T, T), 1);
    }
    ck_assert_int_eq(tn_routed_rows(0, 0), 0);
}
END_TEST

/* A part of a row is a row. */
START_TEST(test_rounds_up) {
    ck_assert_int_eq(tn_routed_rows(0.0001, 100), 1);
    ck_assert_int_eq(tn_routed_rows(0.011, 100), 2);
    ck_assert_int_eq(tn_routed_rows(0.5, 7), 4);
    ck_assert_int_eq(tn_routed_rows(0.999, 100), 100);
}
END_TEST

/* 0.07 · 100 is 7.000000000000001, and 0.29 · 100 is 28.999999999999996. */
START_TEST(test_rounding_noise) {
    ck_assert(0.07 * 100 > 7 && 0.29 * 100 < 29);
    ck_assert_int_eq(tn_routed_rows(0.01, 100), 1);
    ck_assert_int_eq(tn_routed_rows(0.01, 4100), 41);
    ck_assert_int_eq(tn_routed_rows(0.07, 100), 7);
    ck_assert_int_eq(tn_routed_rows(0.29, 100), 29);
    ck_assert_int_eq(tn_routed_rows(nextafter(0.5, 1), 64), 32);
    ck_assert_int_eq(tn_routed_rows(nextafter(0.5, 0), 64), 32);
}
END_TEST

/* Rows, their share as a row of a CSV has it, and back. */
START_TEST(test_there_and_back) {
    for (int64_t T = 1; T <= 3000; T = T * 3 / 2 + 1)
        for (int64_t rows = 0; rows <= T; rows++)
            ck_assert_int_eq(tn_routed_rows((double)rows / (double)T, T), rows);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("routed_rows");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_ends);
    tcase_add_test(tests, test_rounds_up);
    tcase_add_test(tests, test_rounding_noise);
    tcase_add_test(tests, test_there_and_back);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
