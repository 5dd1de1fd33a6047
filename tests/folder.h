/* A folder of its own for a test that writes files: made before, removed with all in it after. */
#ifndef TN_TEST_FOLDER_H
#define TN_TEST_FOLDER_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEST_FOLDER = 32 };
static char test_folder[TEST_FOLDER];

/* One more, for what several tests share: also where no test runs yet. false: it cannot be made, or removed.
 */
static inline bool folder_make(char name[TEST_FOLDER]) {
    snprintf(name, TEST_FOLDER, "/tmp/turnout-test-XXXXXX");
    return mkdtemp(name) != NULL;
}

static inline bool folder_remove(const char *name) {
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", name);
    return system(line) == 0;
}

static inline void test_folder_make(void) {
    ck_assert(folder_make(test_folder));
}

static inline void test_folder_remove(void) {
    ck_assert(folder_remove(test_folder));
}

/* The same, with the test in the folder while it runs. */
static inline void test_folder_enter(void) {
    test_folder_make();
    ck_assert_int_eq(chdir(test_folder), 0);
}

static inline void test_folder_leave(void) {
    ck_assert_int_eq(chdir("/"), 0);
    test_folder_remove();
}

/* The file `name` in it; `text` may hold any bytes but NUL. */
static inline void test_folder_write(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

#endif
