/* Counters that are files, in a made-up folder: powercap's packages, hwmon's sockets and cards. */
#include "energy_sampler.h"
#include "energy_tree.h"

#include "clock.h"
#include "suite.h"

#include <stdatomic.h>

static void package(const char *folder, const char *name, const char *energy) {
    char line[64];
    snprintf(line, sizeof line, "%s\n", name);
    tree_put(folder, "name", line);
    tree_put(folder, "energy_uj", energy);
    tree_put(folder, "max_energy_range_uj", "262143328850\n");
}

/* An entry of hwmon, whose link leads to a device of that name. */
static void hwmon(const char *entry, const char *name, const char *device) {
    char line[64], target[200], link[200];
    snprintf(line, sizeof line, "%s\n", name);
    tree_put(entry, "name", line);
    snprintf(target, sizeof target, "%s/devices/%s", tree, device);
    ck_assert_int_eq(tn_folder_make(&ctx, target), TN_OK);
    snprintf(link, sizeof link, "%s/%s/device", tree, entry);
    ck_assert_int_eq(symlink(target, link), 0);
}

START_TEST(packages_are_summed) {
    tn_energy_mark from, to;
    tree_use("TURNOUT_POWERCAP");
    package("intel-rapl:0", "package-0", "100\n");
    package("intel-rapl:1", "package-1", "262143228850\n");
    package("intel-rapl:0:0", "core", "5\n");
    package("intel-rapl:2", "psys", "7\n");
    package("intel-rapl-mmio:0", "package-0", "100\n");
    tn_energy *e = energy_open(&cpu);
    ck_assert_str_eq(tn_energy_source_text(e),
                     "rapl package-0+package-1 (whole packages, everything that ran on them)");
    tn_energy_read(e, &from);
    tree_put("intel-rapl:0", "energy_uj", "500100\n");
    tree_put("intel-rapl:1", "energy_uj", "100000\n"); /* wrapped: 100000 + 100000 */
    wait_s(0.011);
    tn_energy_read(e, &to);
    ck_assert_double_eq_tol(energy_joules(e, &from, &to), 0.7, 1e-12);
    tn_energy_close(e);
}
END_TEST

START_TEST(packages_that_cannot_be_read) {
    tree_use("TURNOUT_POWERCAP");
    energy_unmeasured(&cpu, "no package counter");
    package("intel-rapl:0", "package-0", "garbage\n");
    energy_unmeasured(&cpu, "no numbers");
    package("intel-rapl:1", "package-1", "17\n");
    energy_unmeasured(&cpu, "no numbers"); /* one of two packages is not the machine */
    package("intel-rapl:0", "package-0", "-5\n");
    energy_unmeasured(&cpu, "no numbers");
    package("intel-rapl:0", "package-0", "");
    energy_unmeasured(&cpu, "cannot be read");
    setenv("TURNOUT_POWERCAP", "/nonexistent", 1);
    energy_unmeasured(&cpu, "no powercap counters; no hwmon counter");
}
END_TEST

START_TEST(counters_for_root_alone) {
    char path[200];
    tree_use("TURNOUT_POWERCAP");
    package("intel-rapl:0", "package-0", "17\n");
    snprintf(path, sizeof path, "%s/intel-rapl:0/energy_uj", tree);
    ck_assert_int_eq(chmod(path, 0400), 0);
    bool root = geteuid() == 0;
    if (root)
        ck_assert_int_eq(seteuid(65534), 0);
    else
        ck_assert_int_eq(chmod(path, 0), 0);
    energy_unmeasured(&cpu, "only root may read");
    if (root)
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(a_counter_that_goes_away) {
    tn_energy_mark from, to;
    char path[128];
    tree_use("TURNOUT_POWERCAP");
    package("intel-rapl:0", "package-0", "100\n");
    tn_energy *e = energy_open(&cpu);
    tn_energy_read(e, &from);
    snprintf(path, sizeof path, "%s/intel-rapl:0/energy_uj", tree);
    ck_assert_int_eq(unlink(path), 0);
    tn_energy_read(e, &to);
    ck_assert(from.valid && !to.valid);
    energy_refuses(e, &from, &to, "cannot be read");
    tn_energy_close(e);
}
END_TEST

START_TEST(stretches_that_say_nothing) {
    tn_energy_mark from, to;
    tree_use("TURNOUT_POWERCAP");
    package("intel-rapl:0", "package-0", "100\n");
    tn_energy *e = energy_open(&cpu);
    tn_energy_read(e, &from);
    tree_put("intel-rapl:0", "energy_uj", "200\n");
    tn_energy_read(e, &to);
    to.seconds = from.seconds + 0.009;
    energy_refuses(e, &from, &to, "less than 10 updates");
    to.seconds = from.seconds + 0.011;
    ck_assert_double_eq_tol(energy_joules(e, &from, &to), 1e-4, 1e-12);
    to.seconds = from.seconds + 300; /* at 1000 W the counter wraps after 262 s */
    energy_refuses(e, &from, &to, "wrapped twice");
    to.seconds = from.seconds + 1;
    to.raw[0] = from.raw[0];
    energy_refuses(e, &from, &to, "stood still");
    tn_energy_close(e);
}
END_TEST

START_TEST(sockets_of_hwmon) {
    tn_energy_mark from, to;
    tree_use("TURNOUT_HWMON");
    hwmon("hwmon0", "coretemp", "coretemp.0");
    hwmon("hwmon1", "amd_energy", "amd_energy.0");
    tree_put("hwmon1", "energy1_label", "Ecore000\n");
    tree_put("hwmon1", "energy1_input", "5\n");
    energy_unmeasured(&cpu, "no hwmon counter of a socket");
    tree_put("hwmon1", "energy2_label", "Esocket0\n");
    tree_put("hwmon1", "energy2_input", "1000000\n");
    tn_energy *e = energy_open(&cpu);
    ck_assert_str_eq(tn_energy_source_text(e), "hwmon Esocket0 (whole sockets, everything that ran on them)");
    tn_energy_read(e, &from);
    tree_put("hwmon1", "energy2_input", "4500000\n");
    wait_s(0.11);
    tn_energy_read(e, &to);
    ck_assert_double_eq_tol(energy_joules(e, &from, &to), 3.5, 1e-9);
    energy_refuses(e, &to, &(tn_energy_mark){true, to.seconds + 1, {10}, ""}, "went back");
    tn_energy_close(e);
}
END_TEST

START_TEST(a_card_by_its_address) {
    tn_energy_mark from, to;
    tree_use("TURNOUT_HWMON");
    hwmon("hwmon2", "xe", "0000:04:00.0");
    tree_put("hwmon2", "energy1_input", "1\n");
    energy_unmeasured(&gpu, "no hwmon entry of 0000:03:00.0");
    energy_unmeasured(&(tn_device_info){.kind = TN_KIND_GPU}, "no PCI address");
    hwmon("hwmon10", "xe", "0000:03:00.0");
    energy_unmeasured(&gpu, "neither energy nor power");
    tree_put("hwmon10", "energy2_input", "7\n"); /* a part of the card */
    tree_put("hwmon10", "energy2_label", "pkg\n");
    tree_put("hwmon10", "energy1_input", "1000000\n");
    tree_put("hwmon10", "energy1_label", "card\n");
    tree_put("hwmon10", "power1_input", "1000000\n");
    tn_energy *e = energy_open(&gpu);
    ck_assert_str_eq(tn_energy_source_text(e), "hwmon xe gpu 0000:03:00.0 card");
    tn_energy_read(e, &from);
    tree_put("hwmon10", "energy1_input", "3000000\n");
    wait_s(0.11);
    tn_energy_read(e, &to);
    ck_assert_double_eq_tol(energy_joules(e, &from, &to), 2, 1e-9);
    tn_energy_close(e);
    tn_device_info integrated = gpu;
    integrated.unified_memory = true; /* one package, one counter */
    e = energy_open(&integrated);
    ck_assert_ptr_nonnull(strstr(tn_energy_source_text(e), "card (integrated: the domain may hold"));
    tn_energy_close(e);
}
END_TEST

START_TEST(power_is_sampled) {
    tn_energy_mark from, middle, to, late;
    tree_use("TURNOUT_HWMON");
    hwmon("hwmon3", "amdgpu", "0000:03:00.0");
    tree_put("hwmon3", "power1_average", "40000000\n");
    tn_energy *e = energy_open(&gpu);
    ck_assert_str_eq(tn_energy_source_text(e), "hwmon amdgpu gpu 0000:03:00.0 (power sampled every 20 ms)");
    tn_energy_read(e, &from);
    wait_s(1.05);
    tn_energy_read(e, &middle);
    double first = middle.seconds - from.seconds;
    ck_assert_double_eq_tol(energy_joules(e, &from, &middle), 40 * first, 1);
    tree_put("hwmon3", "power1_average", "100000000\n");
    wait_s(1.05);
    tn_energy_read(e, &to);
    double second = to.seconds - middle.seconds; /* the step lies within one interval of a trapezoid */
    ck_assert_double_eq_tol(energy_joules(e, &middle, &to), 100 * second, 60 * 0.06);
    tree_put("hwmon3", "power1_average", "lost\n");
    wait_s(0.05);
    tree_put("hwmon3", "power1_average", "100000000\n"); /* what was missed stays missed */
    wait_s(1.05);
    tn_energy_read(e, &late);
    energy_refuses(e, &to, &late, "no numbers");
    tn_energy_close(e);
}
END_TEST

typedef struct slope {
    double start, watts_a_s;
    atomic_int pause_ms; /* before the next answer */
} slope;

static bool rising(void *data, double *watts, char why[TN_ENERGY_WHY]) {
    slope *s = data;
    (void)why;
    wait_s(1e-3 * atomic_exchange(&s->pause_ms, 0));
    *watts = s->watts_a_s * (tn_clock_seconds() - s->start);
    return true;
}

/* On a slope trapezoids are exact wherever the samples lie; steps of 20 ms would be 7 % off. */
START_TEST(trapezoids_follow_a_slope) {
    slope s = {tn_clock_seconds(), 1000, 0};
    tn_sampler *sampler;
    uint64_t from, to;
    char why[TN_ENERGY_WHY];
    ck_assert_int_eq(tn_sampler_start(&ctx, rising, &s, &sampler), TN_OK);
    double first = tn_clock_seconds() - s.start;
    ck_assert(tn_sampler_microjoules(sampler, &from, why));
    wait_s(0.3);
    ck_assert(tn_sampler_microjoules(sampler, &to, why));
    double last = tn_clock_seconds() - s.start, exact = 500 * (last * last - first * first);
    ck_assert_double_eq_tol(1e-6 * (double)(to - from), exact, 0.02 * exact);
    tn_sampler_stop(sampler);
}
END_TEST

START_TEST(samples_too_far_apart) {
    slope s = {tn_clock_seconds(), 1, 0};
    tn_sampler *sampler;
    uint64_t joules;
    char why[TN_ENERGY_WHY] = "";
    ck_assert_int_eq(tn_sampler_start(&ctx, rising, &s, &sampler), TN_OK);
    ck_assert(tn_sampler_microjoules(sampler, &joules, why));
    atomic_store(&s.pause_ms, 3 * TN_SAMPLER_GAP_MS / 2);
    wait_s(2e-3 * TN_SAMPLER_GAP_MS);
    ck_assert(!tn_sampler_microjoules(sampler, &joules, why));
    ck_assert_ptr_nonnull(strstr(why, "ms apart"));
    tn_sampler_stop(sampler);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("energy");
    TCase *tests = tcase_create("energy");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, tree_make, tree_remove);
    tcase_add_test(tests, packages_are_summed);
    tcase_add_test(tests, packages_that_cannot_be_read);
    tcase_add_test(tests, counters_for_root_alone);
    tcase_add_test(tests, a_counter_that_goes_away);
    tcase_add_test(tests, stretches_that_say_nothing);
    tcase_add_test(tests, sockets_of_hwmon);
    tcase_add_test(tests, a_card_by_its_address);
    tcase_add_test(tests, power_is_sampled);
    tcase_add_test(tests, trapezoids_follow_a_slope);
    tcase_add_test(tests, samples_too_far_apart);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
