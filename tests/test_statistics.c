#include "statistics.h"
#include "suite.h"

#include <math.h>

START_TEST(quantiles) {
    double v[] = {4, 1, 3, 2};
    tn_summary s;
    tn_summarise(v, 4, &s);
    ck_assert_int_eq(s.n, 4);
    ck_assert_double_eq_tol(s.median, 2.5, 1e-15);
    ck_assert_double_eq_tol(s.q1, 1.75, 1e-15);
    ck_assert_double_eq_tol(s.q3, 3.25, 1e-15);
    ck_assert_double_eq_tol(tn_spread(&s), 0.6, 1e-15);
}
END_TEST

START_TEST(small_samples) {
    tn_summary s;
    tn_summarise(NULL, 0, &s);
    ck_assert_int_eq(s.n, 0);
    ck_assert(s.median == 0 && tn_spread(&s) == 0);
    double one[] = {7};
    tn_summarise(one, 1, &s);
    ck_assert(s.median == 7 && s.q1 == 7 && s.q3 == 7 && tn_spread(&s) == 0);
    double zeros[] = {0, 0, 0};
    tn_summarise(zeros, 3, &s);
    ck_assert(tn_spread(&s) == 0);
}
END_TEST

START_TEST(median_ignores_outliers) {
    double v[101];
    tn_summary s;
    for (int i = 0; i < 101; i++)
        v[i] = i % 10 == 0 ? 1e6 : 10;
    tn_summarise(v, 101, &s);
    ck_assert(s.median == 10 && s.q3 == 10);
}
END_TEST

START_TEST(median_alone) {
    double odd[] = {5, 1, 9}, even[] = {8, 1, 2, 4};
    ck_assert(tn_median(odd, 3) == 5 && odd[0] == 1 && odd[2] == 9);
    ck_assert(tn_median(even, 4) == 3);
    ck_assert(tn_median(even, 1) == 1);
    ck_assert(isnan(tn_median(NULL, 0)));
}
END_TEST

START_TEST(trend) {
    double flat[] = {5, 5, 5, 5, 5}, rising[10], short_one[] = {1, 2, 3};
    for (int i = 0; i < 10; i++)
        rising[i] = 95 + i * 10.0 / 9; /* 95 … 105: 10 % of the mean over 9 steps */
    ck_assert(tn_trend(flat, 5) == 0);
    ck_assert_double_eq_tol(tn_trend(rising, 10), 0.111, 0.001);
    ck_assert(tn_trend(short_one, 3) == 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("statistics");
    TCase *tests = tcase_create("statistics");
    tcase_add_test(tests, quantiles);
    tcase_add_test(tests, small_samples);
    tcase_add_test(tests, median_ignores_outliers);
    tcase_add_test(tests, median_alone);
    tcase_add_test(tests, trend);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
