/* Energy through made-up libraries of the three vendors, opened as the real ones are: joules that grow at a
 * known power, and everything that can go wrong. */
#include "energy_tree.h"
#include "measure.h"

#include "clock.h"
#include "suite.h"

#include <dlfcn.h>
#include <math.h>

typedef struct fake {
    void *handle;
    void (*power)(double);
    void (*breaks)(const char *);
    void (*back)(double);
    void (*tiles)(int);
    int (*open)(void);
} fake;

/* The library stays open between the opens of the code under test, and with it the counter. */
static fake use(const char *variable, const char *path) {
    fake f = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    ck_assert_msg(f.handle != NULL, "%s", dlerror());
    setenv(variable, path, 1);
    const struct {
        const char *name;
        void *to;
    } symbols[] = {{"fake_power", &f.power},
                   {"fake_fail", &f.breaks},
                   {"fake_back", &f.back},
                   {"fake_tiles", &f.tiles},
                   {"fake_open", &f.open}};
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *address = dlsym(f.handle, symbols[i].name);
        ck_assert_ptr_nonnull(address);
        memcpy(symbols[i].to, &address, sizeof address);
    }
    f.power(100);
    return f;
}

static void gone(const fake *f) {
    ck_assert_int_eq(f->open(), 0);
    dlclose(f->handle);
}

/* `watts` over a stretch of `seconds`, within what the counter's steps leave open. */
static void counts(const char *source, double watts, double seconds) {
    tn_energy_mark from, to;
    tn_energy *e = energy_open(&gpu);
    ck_assert_str_eq(tn_energy_source_text(e), source);
    tn_energy_read(e, &from);
    wait_s(seconds);
    tn_energy_read(e, &to);
    double passed = to.seconds - from.seconds;
    ck_assert_double_eq_tol(energy_joules(e, &from, &to) / passed, watts, 0.05 * watts);
    tn_energy_close(e);
}

START_TEST(nvml_counts) {
    fake f = use("TURNOUT_NVML", FAKE_NVML);
    counts("nvml gpu 0000:03:00.0", 100, 1.05);
    gone(&f);
}
END_TEST

START_TEST(nvml_in_trouble) {
    tn_energy_mark from, to, back;
    fake f = use("TURNOUT_NVML", FAKE_NVML);
    energy_unmeasured(&(tn_device_info){.kind = TN_KIND_GPU, .pci = "0000:07:00.0"},
                      "no NVML device at 0000:07:00.0; no /nonexistent");
    f.breaks("nvmlInit_v2");
    energy_unmeasured(&gpu, "nvmlInit_v2 fails: Driver Not Loaded (9)");
    f.breaks(NULL);
    tn_energy *e = energy_open(&gpu);
    tn_energy_read(e, &from);
    tn_energy_read(e, &to);
    to.seconds = from.seconds + 0.9;
    energy_refuses(e, &from, &to, "less than 10 updates of the counter, 1e+03 ms");
    f.back(3000);
    tn_energy_read(e, &back);
    back.seconds = from.seconds + 2;
    energy_refuses(e, &from, &back, "went back");
    f.breaks("lost");
    tn_energy_read(e, &to);
    energy_refuses(e, &from, &to, "nvmlDeviceGetTotalEnergyConsumption fails: GPU is lost (15)");
    tn_energy_close(e);
    gone(&f);
}
END_TEST

START_TEST(nvml_without_a_counter_is_sampled) {
    fake f = use("TURNOUT_NVML", FAKE_NVML);
    f.breaks("nvmlDeviceGetTotalEnergyConsumption"); /* not supported, as before Volta */
    counts("nvml gpu 0000:03:00.0 (power sampled every 20 ms)", 100, 1.05);
    tn_energy_mark from, to;
    tn_energy *e = energy_open(&gpu);
    tn_energy_read(e, &from);
    f.breaks("nvmlDeviceGetPowerUsage");
    wait_s(0.05);
    tn_energy_read(e, &to);
    energy_refuses(e, &from, &to, "nvmlDeviceGetPowerUsage fails: Not Supported (3)");
    tn_energy_close(e);
    gone(&f);
}
END_TEST

START_TEST(libraries_that_are_none) {
    char path[100];
    tree_put(".", "text.so", "no library\n");
    snprintf(path, sizeof path, "%s/text.so", tree);
    setenv("TURNOUT_NVML", path, 1);
    energy_unmeasured(&gpu, "text.so: file too short");
    setenv("TURNOUT_NVML", FAKE_ZE_LOADER, 1);
    energy_unmeasured(&gpu, "libnvidia-ml.so.1 has no nvmlInit_v2");
    setenv("TURNOUT_NVML", "/nonexistent", 1);
    setenv("TURNOUT_LEVEL_ZERO", FAKE_NVML, 1);
    energy_unmeasured(&gpu, "no /nonexistent; no /nonexistent; libze_loader.so.1 has no zeInit; no hwmon");
}
END_TEST

START_TEST(rocm_smi_counts) {
    fake f = use("TURNOUT_ROCM_SMI", FAKE_ROCM_SMI);
    counts("rocm-smi gpu 0000:03:00.0", 100, 0.3);
    gone(&f);
}
END_TEST

START_TEST(rocm_smi_in_trouble) {
    tn_energy_mark from, to;
    fake f = use("TURNOUT_ROCM_SMI", FAKE_ROCM_SMI);
    energy_unmeasured(&(tn_device_info){.kind = TN_KIND_GPU, .pci = "0001:03:00.0"},
                      "no ROCm SMI device at 0001:03:00.0");
    f.breaks("rsmi_init");
    energy_unmeasured(&gpu, "rsmi_init fails (8)");
    f.breaks("uncounted");
    energy_unmeasured(&gpu, "0000:03:00.0 counts no energy");
    f.breaks(NULL);
    tn_energy *e = energy_open(&(tn_device_info){.kind = TN_KIND_GPU, .pci = "0001:c3:08.1"});
    ck_assert_str_eq(tn_energy_source_text(e), "rocm-smi gpu 0001:c3:08.1");
    tn_energy_read(e, &from);
    f.breaks("rsmi_dev_energy_count_get");
    tn_energy_read(e, &to);
    energy_refuses(e, &from, &to, "rsmi_dev_energy_count_get fails (2)");
    tn_energy_close(e);
    gone(&f);
}
END_TEST

START_TEST(level_zero_counts) {
    fake f = use("TURNOUT_LEVEL_ZERO", FAKE_ZE_LOADER);
    counts("level-zero gpu 0000:03:00.0 (card)", 100, 0.3);
    f.tiles(0);
    counts("level-zero gpu 0000:03:00.0 (device)", 100, 0.3);
    f.tiles(2);
    counts("level-zero gpu 0000:03:00.0 (sum of its parts)", 50, 0.3);
    gone(&f);
}
END_TEST

START_TEST(an_old_level_zero_counts) {
    unsetenv("ZES_ENABLE_SYSMAN");
    fake f = use("TURNOUT_LEVEL_ZERO", FAKE_OLD_ZE_LOADER);
    counts("level-zero gpu 0000:03:00.0 (card)", 100, 0.3);
    gone(&f);
}
END_TEST

START_TEST(level_zero_in_trouble) {
    tn_energy_mark from, to;
    fake f = use("TURNOUT_LEVEL_ZERO", FAKE_ZE_LOADER);
    energy_unmeasured(&(tn_device_info){.kind = TN_KIND_OTHER, .pci = "0000:04:00.0"},
                      "no Level Zero device at 0000:04:00.0");
    f.breaks("zesInit");
    energy_unmeasured(&gpu, "zesInit fails (0x78000001)");
    f.breaks("zesPowerGetEnergyCounter");
    energy_unmeasured(&gpu, "zesPowerGetEnergyCounter fails (0x70000001)");
    f.breaks(NULL);
    tn_energy *e = energy_open(&gpu);
    tn_energy_read(e, &from);
    f.breaks("zesPowerGetEnergyCounter");
    tn_energy_read(e, &to);
    energy_refuses(e, &from, &to, "zesPowerGetEnergyCounter fails");
    tn_energy_close(e);
    gone(&f);
}
END_TEST

/* ---- measuring with it ---- */

static tn_status sleeper(tn_device *d, void *data) {
    (void)d;
    wait_s(*(double *)data);
    return TN_OK;
}

static void measured(tn_device *dev, tn_energy *e, tn_sample *s) {
    double each = 0.002;
    tn_measure_options options = {.seconds = 1.1, .spread = 10, .energy = e};
    ck_assert_msg(tn_measure(dev, sleeper, &each, &options, s) == TN_OK, "%s", ctx.message);
}

START_TEST(what_calls_draw) {
    tn_device *dev;
    tn_sample s;
    fake f = use("TURNOUT_NVML", FAKE_NVML);
    ck_assert_msg(tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev) == TN_OK, "%s", ctx.message);
    tn_energy *e = energy_open(&gpu);
    measured(dev, e, &s);
    ck_assert(s.energy.ok && !s.energy.net_ok && isnan(s.energy.idle_watts));
    ck_assert_ptr_nonnull(strstr(s.energy.source, "no net energy: idle power was not measured"));
    f.power(40);
    ck_assert_int_eq(tn_energy_measure_idle(e, dev), TN_OK);
    ck_assert_double_eq_tol(tn_energy_idle(e), 40, 2);
    /* Its counter moves every 20 ms, which was seen meanwhile; NVML itself does not say. */
    ck_assert_double_lt(tn_energy_window(e), 0.99);
    ck_assert_double_ge(tn_energy_window(e), 0.2);
    f.power(100);
    measured(dev, e, &s);
    /* Nine batches of some 5 ms are enough for the time, not for the counter: calls went on. */
    ck_assert_int_lt(s.n * s.calls, 150);
    ck_assert(s.energy.ok && s.energy.net_ok);
    ck_assert_double_eq_tol(s.energy.net_joules / s.energy.joules, 0.6, 0.04);
    ck_assert_double_ge(s.energy.joules, 0.1 * 2 * 0.95); /* a call sleeps for 2 ms or longer */
    ck_assert_double_le(s.energy.joules, 0.1 * 20);
    f.power(30); /* less than it drew idle */
    measured(dev, e, &s);
    ck_assert(s.energy.ok && !s.energy.net_ok);
    ck_assert_ptr_nonnull(strstr(s.energy.source, "W of the idle device"));
    tn_energy_close(e);
    tn_device_close(dev);
    gone(&f);
}
END_TEST

START_TEST(a_short_look_does_not_wait_for_the_counter) {
    tn_device *dev;
    tn_sample s;
    double each = 0.002;
    fake f = use("TURNOUT_NVML", FAKE_NVML);
    ck_assert_msg(tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev) == TN_OK, "%s", ctx.message);
    tn_energy *e = energy_open(&gpu);
    double start = tn_clock_seconds();
    const double seconds = _i ? 0.4 : 0.05;
    ck_assert_int_eq(tn_measure(dev, sleeper, &each,
                                &(tn_measure_options){.seconds = seconds, .spread = 10, .energy = e}, &s),
                     TN_OK);
    ck_assert_double_lt(tn_clock_seconds() - start, 0.9); /* the window is a second */
    ck_assert(!s.energy.ok && s.n >= 3);
    ck_assert_msg(strstr(s.energy.source, "are less than 10 updates") != NULL &&
                      strstr(s.energy.source, "--seconds") != NULL,
                  "%s", s.energy.source);
    tn_energy_close(e);
    tn_device_close(dev);
    gone(&f);
}
END_TEST

static fake *losing;

static tn_status loses_the_card(tn_device *d, void *data) {
    losing->breaks("lost");
    return sleeper(d, data);
}

START_TEST(a_card_lost_in_the_middle) {
    tn_device *dev;
    tn_sample s;
    double each = 0.001;
    fake f = use("TURNOUT_NVML", FAKE_NVML);
    ck_assert_int_eq(tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev), TN_OK);
    tn_energy *e = energy_open(&gpu);
    losing = &f;
    ck_assert_int_eq(tn_measure(dev, loses_the_card, &each,
                                &(tn_measure_options){.seconds = 0.05, .spread = 10, .energy = e}, &s),
                     TN_OK);
    ck_assert(!s.energy.ok && !s.energy.net_ok);
    ck_assert_msg(strncmp(s.energy.source, "unmeasured: nvml gpu 0000:03:00.0: ", 35) == 0 &&
                      strstr(s.energy.source, "GPU is lost"),
                  "%s", s.energy.source);
    ck_assert_int_eq(tn_energy_measure_idle(e, dev), TN_OK);
    ck_assert(isnan(tn_energy_idle(e)));
    tn_energy_close(e);
    tn_device_close(dev);
    gone(&f);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("energy_cards");
    TCase *tests = tcase_create("libraries");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, tree_make, tree_remove);
    tcase_add_test(tests, nvml_counts);
    tcase_add_test(tests, nvml_in_trouble);
    tcase_add_test(tests, nvml_without_a_counter_is_sampled);
    tcase_add_test(tests, libraries_that_are_none);
    tcase_add_test(tests, rocm_smi_counts);
    tcase_add_test(tests, rocm_smi_in_trouble);
    tcase_add_test(tests, level_zero_counts);
    tcase_add_test(tests, an_old_level_zero_counts);
    tcase_add_test(tests, level_zero_in_trouble);
    tcase_add_test(tests, what_calls_draw);
    tcase_add_loop_test(tests, a_short_look_does_not_wait_for_the_counter, 0, 2);
    tcase_add_test(tests, a_card_lost_in_the_middle);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
