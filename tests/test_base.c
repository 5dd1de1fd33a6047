/* The floor everything stands on: random numbers as published, files whole or absent, memory counted. */
#include "folder.h"
#include "support.h"

#include "file.h"
#include "rng.h"
#include "utf8.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static tn_context ctx;

/* Known answers of Philox4x32-10 from Random123's kat_vectors. */
START_TEST(test_philox) {
    tn_rng zero = tn_rng_make(0, 0, 0);
    static const uint32_t want[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(tn_rng_u32(&zero), want[i]);
    tn_rng pi = tn_rng_make(0x299f31d0a4093822ull, 0x85a308d3, 0x0370734413198a2eull);
    static const uint32_t want_pi[4] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
    pi.counter[0] = 0x243f6a88;
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(tn_rng_u32(&pi), want_pi[i]);
}
END_TEST

START_TEST(test_distributions) {
    enum { N = 200000 };
    tn_rng rng = tn_rng_make(5, TN_RNG_CASE, 0);
    double sum = 0, squares = 0;
    int counts[7] = {0};
    for (int i = 0; i < N; i++) {
        double x = tn_rng_normal(&rng);
        sum += x;
        squares += x * x;
        counts[tn_rng_below(&rng, 7)]++;
        double u = tn_rng_uniform(&rng);
        ck_assert(u >= 0 && u < 1);
        int64_t r = tn_rng_range(&rng, -3, 4);
        ck_assert(r >= -3 && r <= 4);
    }
    ck_assert(fabs(sum / N) < 0.01 && fabs(squares / N - 1) < 0.02);
    for (int k = 0; k < 7; k++)
        ck_assert(fabs(counts[k] / (N / 7.0) - 1) < 0.03);
    ck_assert_uint_eq(tn_rng_below(&rng, 1), 0);
}
END_TEST

static void contains(const char *path, const char *text) {
    char *bytes;
    size_t size;
    ck_ok(&ctx, tn_file_read(&ctx, path, &bytes, &size));
    ck_assert_str_eq(bytes, text);
    tn_free(&ctx, bytes);
}

START_TEST(test_files) {
    tn_outfile file;
    char path[64];
    test_folder_make();
    snprintf(path, sizeof path, "%s/out", test_folder);
    ck_ok(&ctx, tn_outfile_open(&ctx, path, &file));
    fputs("old", file.stream);
    ck_assert(!tn_file_exists(path));
    ck_ok(&ctx, tn_outfile_commit(&ctx, &file));
    contains(path, "old");
    ck_ok(&ctx, tn_outfile_open(&ctx, path, &file));
    fputs("new", file.stream);
    tn_outfile_abandon(&ctx, &file);
    contains(path, "old");
    ck_assert_int_eq(tn_outfile_open(&ctx, test_folder, &file), TN_ERR_OUTPUT);
    ck_assert_int_eq(tn_outfile_open(&ctx, "/proc/nowhere/out", &file), TN_ERR_OUTPUT);
    ck_assert(strstr(ctx.message, "/proc/nowhere/out") != NULL);
    /* A full disk shows at commit, and nothing comes to stand under the name. */
    if (access("/dev/full", W_OK) == 0) {
        ck_ok(&ctx, tn_outfile_open(&ctx, path, &file));
        fclose(file.stream);
        file.stream = fopen("/dev/full", "wb");
        fputs("lost", file.stream);
        ck_assert_int_eq(tn_outfile_commit(&ctx, &file), TN_ERR_WRITE);
        contains(path, "old");
    }
    char *bytes;
    size_t size;
    ck_assert_int_eq(tn_file_read(&ctx, test_folder, &bytes, &size), TN_ERR_INPUT);
    unlink(path);
    snprintf(path, sizeof path, "%s/a/b/c", test_folder);
    ck_ok(&ctx, tn_folder_make(&ctx, path));
    ck_ok(&ctx, tn_folder_make(&ctx, path));
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(rmdir(path), 0); /* empty: no temporary was left anywhere */
        *strrchr(path, '/') = '\0';
    }
    ck_assert_int_eq(ctx.live, 0);
}
END_TEST

START_TEST(test_memory) {
    int *block = NULL;
    size_t capacity = 0;
    for (size_t n = 1; n < 1000; n += 37) {
        ck_ok(&ctx, tn_grow(&ctx, &block, &capacity, n, sizeof *block));
        ck_assert(capacity >= n && block[n - 1] == 0);
        block[n - 1] = 7;
    }
    ck_assert_int_eq(ctx.live, 1);
    tn_free(&ctx, block);
    tn_free(&ctx, NULL);
    ck_assert_int_eq(tn_alloc(&ctx, SIZE_MAX / 2, 4, &block), TN_ERR_MEMORY);
    ck_assert(block == NULL && ctx.live == 0);
}
END_TEST

START_TEST(test_messages) {
    ck_assert_int_eq(tn_fail(&ctx, TN_ERR_ARG, "no %s", "luck"), TN_ERR_ARG);
    ck_assert_str_eq(ctx.message, "no luck");
    ck_assert_int_eq(tn_fail_prefix(&ctx, "op %d", 3), TN_ERR_ARG);
    ck_assert_str_eq(ctx.message, "op 3: no luck");
    static const struct {
        tn_status status;
        int code;
    } codes[] = {{TN_OK, 0},
                 {TN_ERR_CHECK, 1},
                 {TN_ERR_ARG, 2},
                 {TN_ERR_INPUT, 2},
                 {TN_ERR_OUTPUT, 2},
                 {TN_ERR_MEMORY, 3},
                 {TN_ERR_WRITE, 3},
                 {TN_ERR_DEVICE, 3},
                 {TN_ERR_UNSUPPORTED, 3},
                 {TN_ERR_INTERRUPTED, 3}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        ck_assert_int_eq(tn_status_exit_code(codes[i].status), codes[i].code);
}
END_TEST

static void cleaned(const char *dirty, const char *clean) {
    char text[64];
    snprintf(text, sizeof text, "%s", dirty);
    tn_utf8_clean(text);
    ck_assert_str_eq(text, clean);
    for (size_t i = 0, n = strlen(text); i < n;) {
        size_t length = tn_utf8_length(text + i, n - i);
        ck_assert_uint_gt(length, 0);
        i += length;
    }
}

START_TEST(test_utf8) {
    cleaned("", "");
    cleaned("Xeon\xC2\xAE \xE2\x82\xAC \xF0\x9F\x98\x80", "Xeon\xC2\xAE \xE2\x82\xAC \xF0\x9F\x98\x80");
    cleaned("a\xAE", "a?");      /* Latin 1 */
    cleaned("a\xE2\x82", "a??"); /* cut in a character */
    cleaned("\xF0\x9F\x98z", "???z");
    cleaned("\xC0\xAF", "??"); /* overlong */
    cleaned("\xE0\x80\xAF", "???");
    cleaned("\xF0\x80\x80\xAF", "????");
    cleaned("\xED\xA0\x80", "???");      /* a surrogate */
    cleaned("\xF4\x90\x80\x80", "????"); /* beyond Unicode */
    cleaned("\xF5\xFF\xFE", "???");
    cleaned("a\tb\nc\x01\x7F\xC2\x85"
            "d",
            "a b c   d"); /* control characters, one of two bytes */
    char any[3] = "";
    for (int i = 1; i < 65536; i++) { /* every pair of bytes comes out as text */
        any[0] = (char)(i & 255);
        any[1] = (char)(i >> 8);
        char text[3] = {any[0], any[1], 0};
        tn_utf8_clean(text);
        size_t n = strlen(text);
        ck_assert_uint_le(n, strlen(any));
        for (size_t k = 0, length; k < n; k += length)
            ck_assert_uint_gt(length = tn_utf8_length(text + k, n - k), 0);
    }
    ck_assert_uint_eq(tn_utf8_length("\xE2\x82\xAC", 2), 0);
    ck_assert_uint_eq(tn_utf8_length("", 1), 1);
    ck_assert_uint_eq(tn_utf8_length("a", 0), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base");
    TCase *t = tcase_create("base");
    tcase_add_test(t, test_philox);
    tcase_add_test(t, test_distributions);
    tcase_add_test(t, test_files);
    tcase_add_test(t, test_memory);
    tcase_add_test(t, test_messages);
    tcase_add_test(t, test_utf8);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}
