/* The end of every suite's main, and what a run draws. */
#ifndef TN_TEST_SUITE_H
#define TN_TEST_SUITE_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

/* Runs it and frees it; EXIT_FAILURE where a test failed. CK_FORK=no under sanitizers and valgrind works as
 * Check documents. */
int tn_test_main(Suite *suite);

/* Of what a run draws: TURNOUT_TEST_SEED, else drawn anew; printed. A suite asks in main first, so that all
 * its tests have the same. */
uint64_t tn_test_seed(void);

/* Whether this run holds number `number` of a list of which a run holds one in `share`: of each `share`
 * neighbours one, drawn anew by tn_test_seed and `list`, which keeps lists of a suite apart. All with
 * TURNOUT_TEST_ALL. */
bool tn_test_drawn(const char *list, int number, int share);

/* tcase_add_loop_test from start to end, but of the loop only what is drawn. In main, where tests are added.
 */
#define tn_test_add_drawn(tcase, test, start, end, share)                                                    \
    do {                                                                                                     \
        for (int drawn_ = (start); drawn_ < (end); drawn_++)                                                 \
            if (tn_test_drawn(#test, drawn_, share))                                                         \
                tcase_add_loop_test(tcase, test, drawn_, drawn_ + 1);                                        \
    } while (0)

#endif
