/* The end of every suite's main. */
#ifndef TN_TEST_SUITE_H
#define TN_TEST_SUITE_H

#include <check.h>

/* Runs it and frees it; EXIT_FAILURE where a test failed. CK_FORK=no under sanitizers and valgrind works as
 * Check documents. */
int tn_test_main(Suite *suite);

#endif
