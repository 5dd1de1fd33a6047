/* What of a device's name survives an update of its driver. */
#include "device_name.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *stable;
} names[] = {
    {"llvmpipe (LLVM 15.0.6, 256 bits)", "llvmpipe"},
    {"llvmpipe (LLVM 19.1.7, 512 bits)", "llvmpipe"},
    {"AMD Radeon RX 7900 XTX (radeonsi, navi31, LLVM 15.0.6, DRM 3.54, 6.5.0-1)",
     "AMD Radeon RX 7900 XTX (navi31)"},
    {"AMD Radeon RX 7900 XTX (radeonsi, navi31, ACO, DRM 3.57, 6.8.0-31-generic)",
     "AMD Radeon RX 7900 XTX (navi31)"},
    {"AMD Radeon RX 7900 XTX (navi31, LLVM 14.0.0, DRM 3.42, 5.15.0-91-amd64)",
     "AMD Radeon RX 7900 XTX (navi31)"},
    {"AMD Radeon Graphics (radeonsi, renoir, LLVM 15.0.6, DRM 3.49, 6.1.0)", "AMD Radeon Graphics (renoir)"},
    {"AMD Radeon Graphics (radeonsi, raphael_mendocino, LLVM 15.0.6)",
     "AMD Radeon Graphics (raphael_mendocino)"},
    {"zink Vulkan 1.3(AMD Radeon RX 6800 (RADV NAVI21))",
     "zink Vulkan 1.3(AMD Radeon RX 6800 (RADV NAVI21))"},
    {"virgl (LLVMPIPE (LLVM 15.0.7, 256 bits))", "virgl (LLVMPIPE)"},
    {"Mesa Intel(R) UHD Graphics 630 (CFL GT2)", "Mesa Intel(R) UHD Graphics 630 (CFL GT2)"},
    {"pthread-skylake-avx512-Intel(R) Xeon(R) Processor @ 2.60GHz", "Intel(R) Xeon(R) Processor @ 2.60GHz"},
    {"cpu-sapphirerapids-Intel(R) Xeon(R) Processor @ 2.60GHz", "Intel(R) Xeon(R) Processor @ 2.60GHz"},
    {"pthread-Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz"},
    {"pthread-znver4-AMD EPYC 9R14", "AMD EPYC 9R14"},
    {"pthread-cortex-a72", "pthread-cortex-a72"},
    {"cpu-minimal-haswell-Intel(R) Xeon(R)", "cpu-minimal-haswell-Intel(R) Xeon(R)"}, /* one thread */
    {"basic-haswell-Intel(R) Xeon(R)", "basic-haswell-Intel(R) Xeon(R)"},
    {"NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3"},
    {"gfx90a:sramecc+:xnack-", "gfx90a:sramecc+:xnack-"},
    {"gfx1100 (AMD Radeon RX 7900 XTX)", "gfx1100 (AMD Radeon RX 7900 XTX)"}, /* the board, no driver */
    {"Intel(R) Data Center GPU Max 1100", "Intel(R) Data Center GPU Max 1100"},
    {"GeForce GTX 1060 (3 GB)", "GeForce GTX 1060 (3 GB)"},
    {"(LLVM 15.0.6)", "(LLVM 15.0.6)"}, /* nothing would be left */
    {"a ((b", "a ((b))"},
    {"", ""},
};

START_TEST(test_table) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char stable[TN_STABLE_NAME], again[TN_STABLE_NAME];
        tn_device_stable_name(names[i].name, stable);
        ck_assert_str_eq(stable, names[i].stable);
        tn_device_stable_name(stable, again);
        ck_assert_str_eq(again, stable);
    }
}
END_TEST

START_TEST(test_any_length) {
    char name[600], stable[TN_STABLE_NAME];
    for (size_t length = 0; length < sizeof name; length++) {
        static const char signs[] = "(,) aX1.";
        for (size_t i = 0; i < length; i++)
            name[i] = signs[(i * i + length) % (sizeof signs - 1)];
        name[length] = '\0';
        tn_device_stable_name(name, stable);
        ck_assert_uint_lt(strlen(stable), sizeof stable);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("device_name");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_table);
    tcase_add_test(tests, test_any_length);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
