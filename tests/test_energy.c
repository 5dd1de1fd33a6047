/* RAPL against a made-up powercap folder: packages summed, parts and psys left out, wrap-around, reasons. */
#include "energy.h"

#include "file.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static tn_context ctx;
static const tn_device_info cpu = {.kind = TN_KIND_CPU}, gpu = {.kind = TN_KIND_GPU};

static void put(const char *domain, const char *file, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, domain);
    ck_assert_int_eq(tn_folder_make(&ctx, path), TN_OK);
    snprintf(path, sizeof path, "%s/%s/%s", root, domain, file);
    unlink(path);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    fputs(text, stream);
    fclose(stream);
}

static void domain(const char *folder, const char *name, const char *energy) {
    char line[64];
    snprintf(line, sizeof line, "%s\n", name);
    put(folder, "name", line);
    put(folder, "energy_uj", energy);
    put(folder, "max_energy_range_uj", "1000000\n");
}

static void make_root(void) {
    snprintf(root, sizeof root, "/tmp/turnout-energy-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void) {
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", root);
    ck_assert_int_eq(system(line), 0);
}

START_TEST(packages_are_summed) {
    tn_energy e;
    tn_energy_mark from, to;
    double joules;
    domain("intel-rapl:0", "package-0", "100\n");
    domain("intel-rapl:1", "package-1", "900000\n");
    domain("intel-rapl:0:0", "core", "5\n");
    domain("intel-rapl:2", "psys", "7\n");
    domain("intel-rapl-mmio:0", "package-0", "100\n");
    tn_energy_open(&cpu, root, &e);
    ck_assert_int_eq(e.count, 2);
    ck_assert_str_eq(e.source, "rapl package-0+package-1");
    tn_energy_read(&e, &from);
    put("intel-rapl:0", "energy_uj", "500100\n");
    put("intel-rapl:1", "energy_uj", "100000\n"); /* wrapped: 100000 + 100000 */
    tn_energy_read(&e, &to);
    ck_assert(tn_energy_between(&e, &from, &to, &joules));
    ck_assert_double_eq_tol(joules, 0.7, 1e-12);
}
END_TEST

static void unmeasured(const tn_device_info *info, const char *folder, const char *why) {
    tn_energy e;
    tn_energy_mark mark;
    double joules;
    tn_energy_open(info, folder, &e);
    ck_assert_int_eq(e.count, 0);
    ck_assert_msg(strncmp(e.source, "unmeasured: ", 12) == 0 && strstr(e.source, why), "%s", e.source);
    tn_energy_read(&e, &mark);
    ck_assert(!mark.valid && !tn_energy_between(&e, &mark, &mark, &joules));
}

START_TEST(reasons) {
    unmeasured(&cpu, "/nonexistent", "no powercap");
    unmeasured(&cpu, root, "no package counter");
    unmeasured(&gpu, root, "this kind of device");
    domain("intel-rapl:0", "package-0", "garbage\n");
    unmeasured(&cpu, root, "no numbers");
    domain("intel-rapl:1", "package-1", "17\n");
    unmeasured(&cpu, root, "no numbers"); /* one of two packages is not the machine */
}
END_TEST

START_TEST(a_counter_that_goes_away) {
    tn_energy e;
    tn_energy_mark from, to;
    double joules;
    char path[128];
    domain("intel-rapl:0", "package-0", "100\n");
    tn_energy_open(&cpu, root, &e);
    tn_energy_read(&e, &from);
    snprintf(path, sizeof path, "%s/intel-rapl:0/energy_uj", root);
    ck_assert_int_eq(unlink(path), 0);
    tn_energy_read(&e, &to);
    ck_assert(!tn_energy_between(&e, &from, &to, &joules));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("energy");
    TCase *tests = tcase_create("energy");
    tcase_add_checked_fixture(tests, make_root, remove_root);
    tcase_add_test(tests, packages_are_summed);
    tcase_add_test(tests, reasons);
    tcase_add_test(tests, a_counter_that_goes_away);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
