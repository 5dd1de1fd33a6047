/* Inputs that a fuzzer found worth keeping, the crashes of their day among them, once more:
 * data/fuzz/TARGET/. Every target has some, and each is also tried cut short and with a byte changed. */
#include "fuzz_targets.h"

#include "file.h"
#include "rng.h"
#include "support.h"

#include <dirent.h>
#include <string.h>

static void run_file(const tn_fuzz_target *target, const char *path) {
    tn_context ctx = {.quiet = true};
    char *bytes;
    size_t size;
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 0);
    ck_ok(&ctx, tn_file_read(&ctx, path, &bytes, &size));
    target->run((const uint8_t *)bytes, size);
    for (int i = 0; i < 4 && size > 0; i++) {
        size_t at = tn_rng_below(&rng, (uint32_t)size);
        target->run((const uint8_t *)bytes, at);
        char kept = bytes[at];
        bytes[at] = (char)tn_rng_below(&rng, 256);
        target->run((const uint8_t *)bytes, size);
        bytes[at] = kept;
    }
    tn_free(&ctx, bytes);
    ck_assert_int_eq(ctx.live, 0);
}

START_TEST(kept_inputs) {
    const tn_fuzz_target *target = &tn_fuzz_targets[_i];
    char folder[512], path[1024];
    int files = 0;
    snprintf(folder, sizeof folder, "%s/fuzz/%s", TN_TEST_DATA, target->name);
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "no inputs of %s", target->name);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        run_file(target, path);
        files++;
    }
    closedir(dir);
    ck_assert_int_gt(files, 0);
}
END_TEST

int main(void) {
    int targets = 0;
    while (tn_fuzz_targets[targets].name)
        targets++;
    Suite *suite = suite_create("fuzz");
    TCase *kept = tcase_create("kept inputs");
    tcase_set_timeout(kept, 200);
    tcase_add_loop_test(kept, kept_inputs, 0, targets);
    suite_add_tcase(suite, kept);
    return tn_test_main(suite);
}
