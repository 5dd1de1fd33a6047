/* A folder of its own for a test that writes files: entered before, removed with all in it after. */
#ifndef TN_TEST_FOLDER_H
#define TN_TEST_FOLDER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char test_folder[64];

static inline void test_folder_enter(void) {
    snprintf(test_folder, sizeof test_folder, "/tmp/turnout-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(test_folder));
    ck_assert_int_eq(chdir(test_folder), 0);
}

static inline void test_folder_leave(void) {
    char line[128];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(line, sizeof line, "rm -rf %s", test_folder);
    ck_assert_int_eq(system(line), 0);
}

#endif
