/* What the program makes of what drivers say and of what they do not: addresses, names, entries that do not
 * load, CPUs that the process may not use, devices that lack something, devices that are lost. Layers
 * (bad_layer.c, lying_layer.c) stand in for drivers that are not here. */
#include "folder.h"
#include "program.h"
#include "suite.h"

#include <jansson.h>
#include <sched.h>
#include <sys/stat.h>

/* A row of an op, without the ceilings that `bench` measures first. */
#define CELL(op, pass, shape) "cell --op=" op " --pass=" pass " --seconds=0.001 --shape=" shape

static void copy_in(const char *path) {
    char line[256];
    snprintf(line, sizeof line, "cp %s %s/", path, test_folder);
    ck_assert_int_eq(system(line), 0);
}

static void lie(const char *what) {
    setenv("OPENCL_LAYERS", LYING_LAYER_FILE, 1);
    setenv("LYING_LAYER", what, 1);
}

static void misbehave(const char *how) {
    setenv("OPENCL_LAYERS", BAD_LAYER_FILE, 1);
    setenv("BAD_LAYER", how, 1);
}

/* The first device of `devices --json`, to be released with *root. */
static json_t *first_device(json_t **root) {
    json_error_t error;
    ck_assert_int_eq(program_run("devices --json"), 0);
    *root = json_loads(program_output, 0, &error);
    ck_assert_msg(*root != NULL, "%s: %s", error.text, program_output);
    json_t *device = json_array_get(json_object_get(*root, "devices"), 0);
    ck_assert_msg(device != NULL, "no device in %s", program_output);
    return device;
}

static void expect_text(json_t *object, const char *key, const char *text) {
    const char *got = json_string_value(json_object_get(object, key));
    ck_assert_msg(got && strcmp(got, text) == 0, "%s is '%s', not '%s'", key, got ? got : "null", text);
}

START_TEST(addresses_of_each_vendor) {
    static const char *const lies[] = {"amd", "amd_khr", "nvidia"}, *const places[] = {"0000:83:00.0",
                                                                                       "0010:83:00.0",
                                                                                       "0002:17:01.1"};
    json_t *root;
    for (int i = 0; i < 3; i++) {
        lie(lies[i]);
        json_t *device = first_device(&root);
        expect_text(device, "pci", places[i]);
        if (i < 2) {
            expect_text(device, "board", "AMD Radeon RX 7900 XTX");
            expect_text(device, "name", "gfx1100 (AMD Radeon RX 7900 XTX)");
        }
        json_decref(root);
    }
    lie("amd");
    program_gives(0, "devices", "gfx1100 (AMD Radeon RX 7900 XTX)", "PCI 0000:83:00.0");
    program_gives(0, CELL("row_gather", "forward", "R=8,N=64,D=16") " -d 83:00.0",
                  ",gfx1100 (AMD Radeon RX 7900 XTX),", ",0000:83:00.0,");
}
END_TEST

START_TEST(names_of_any_bytes) {
    json_t *root;
    lie("names");
    json_t *device = first_device(&root); /* jansson reads UTF-8 alone */
    expect_text(device, "vendor", "Soci?t? G?n?rale");
    const char *name = json_string_value(json_object_get(device, "name"));
    ck_assert_msg(strlen(name) >= 250 && strncmp(name + 250, "\xc3\xa9\xc3\xa9?", 5) == 0, "'%s'", name);
    json_decref(root);
    program_gives(0, CELL("row_gather", "forward", "R=8,N=64,D=16"), "\xc3\xa9?,"); /* the row's device */
}
END_TEST

START_TEST(a_build_log_of_any_bytes) {
    misbehave("clBuildProgram:1:-11:");
    setenv("BAD_LAYER_LOG", "1:1: error: caf\xe9 is not declared\n^\n", 1);
    setenv("TURNOUT_CACHE", "off", 1);
    program_gives(0, CELL("row_gather", "forward", "R=8,N=64,D=16"), ",error,",
                  "error: caf? is not declared ^");
}
END_TEST

START_TEST(broken_entries_are_named) {
    setenv("OCL_ICD_VENDORS", test_folder, 1);
    program_gives(3, "devices", test_folder, "holds no .icd file", "pocl-opencl-icd");
    test_folder_write("missing.icd", "/nowhere/libgone.so.1\n");
    test_folder_write("text.icd", "/etc/passwd");
    test_folder_write("empty.icd", "");
    test_folder_write("other.icd", "libc.so.6");
    program_gives(3, "devices", "/missing.icd: /nowhere/libgone.so.1 does not load",
                  "No such file or directory", "/text.icd: /etc/passwd does not load",
                  "/empty.icd names no library", "libc.so.6 is no OpenCL driver");
    program_gives(3, "verify --op gelu", "missing.icd", "turnout devices");
    if (system("test -f /etc/OpenCL/vendors/pocl.icd") != 0) {
        puts("not held here: a broken entry beside PoCL's (pocl-opencl-icd is not installed)");
        return;
    }
    copy_in("/etc/OpenCL/vendors/pocl.icd");
    program_gives(0, "devices", "missing.icd: /nowhere/libgone.so.1 does not load",
                  "Portable Computing Language");
    program_gives(0, "devices --json", "\"notes\"", "libgone.so.1 does not load");
}
END_TEST

START_TEST(a_cache_that_cannot_be_written) {
    if (program_run("devices") != 0 || !strstr(program_output, "Portable Computing Language")) {
        puts("not held here: a cache that PoCL cannot write (pocl-opencl-icd is not installed)");
        return;
    }
    setenv("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd", 1);
    setenv("POCL_CACHE_DIR", "/proc/none/cache", 1);
    program_gives(3, "verify --op gelu", "PoCL cannot write its cache, /proc/none/cache", "POCL_CACHE_DIR");
    ck_assert_msg(!strstr(program_output, "install"), "PoCL is there: %s", program_output);
    unsetenv("POCL_CACHE_DIR");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", "/proc/none", 1);
    program_gives(3, "devices", "PoCL cannot write its cache, /proc/none/.cache/pocl/kcache",
                  "POCL_CACHE_DIR");
}
END_TEST

START_TEST(only_the_cpus_of_the_mask) {
    cpu_set_t set, one;
    json_t *root;
    int first = 0;
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET(first, &set))
        first++;
    if (CPU_COUNT(&set) < 2) {
        puts("not held here: part of the CPUs (this process has one)");
        return;
    }
    for (int second = first + 1; CPU_COUNT(&set) > 1; second++) /* the last of them */
        if (CPU_ISSET(second, &set)) {
            CPU_CLR(first, &set);
            first = second;
        }
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    json_t *device = first_device(&root);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(root, "host"), "threads")), 1);
    if (strcmp(json_string_value(json_object_get(device, "kind")), "cpu") == 0)
        ck_assert_int_eq(json_integer_value(json_object_get(device, "compute_units")), 1);
    json_decref(root);
    program_gives(0, CELL("row_gather", "forward", "R=8,N=64,D=16") " -d cpu --cores=2", ",unsupported,",
                  "this process may run on 1 core (CPU ");
    program_gives(0, CELL("row_gather", "forward", "R=8,N=64,D=16") " -d cpu --cores=1", ",ok,");
}
END_TEST

/* Once, with the kernel that was running, whichever call shows it. */
START_TEST(a_lost_device_is_said_once) {
    static const char *const how[] = {
        "clEnqueueNDRangeKernel:2:lost:", "clFinish:2:lost:", "clEnqueueReadBuffer:2:lost:"};
    setenv("TURNOUT_CACHE", "off", 1);
    for (int i = 0; i < 3; i++) {
        misbehave(how[i]);
        program_gives(3, "verify --cases 2", "is lost", "-9999", "kernel rms_norm_", "another process");
        const char *first = strstr(program_output, "is lost");
        ck_assert_msg(!strstr(first + 1, "is lost") && !strstr(program_output, "-36"), "said again: %s",
                      program_output);
        ck_assert_msg(!strstr(program_output, "gelu"), "other ops were tried: %s", program_output);
    }
    misbehave("clEnqueueNDRangeKernel:300:lost:");
    program_gives(3, "bench --seconds 0.001", "is lost");
    ck_assert_msg(!strstr(strstr(program_output, "is lost") + 1, "is lost"), "said again: %s",
                  program_output);
}
END_TEST

/* Each ends with words on what is lacking, and no build log. */
START_TEST(what_a_device_lacks) {
    lie("no_compiler");
    program_gives(3, "verify --op gelu", "left out: it has no kernel compiler");
    lie("old");
    program_gives(3, "verify --op gelu", "its OpenCL C is 1.1, and the kernels are written in 1.2");
    setenv("TURNOUT_KIND", "gpu", 1);
    lie("no_local");
    program_gives(0, CELL("softmax_cross_entropy", "forward", "L=8,V=200"), ",ok,", ",threads,");
    program_gives(0,
                  "bench --op softmax_cross_entropy --variant groups --shape L=8,V=200 --seconds 0.001 "
                  "--format csv",
                  ",unsupported,", "of local memory, and");
    lie("one_item"); /* every op has a way without groups */
    program_gives(0, CELL("softmax_cross_entropy", "forward", "L=8,V=200"), ",ok,");
    unsetenv("TURNOUT_KIND");
    setenv("TURNOUT_CACHE", "off", 1);
    misbehave("clBuildProgram:1:-11:");
    setenv("BAD_LAYER_LOG",
           "warning: one\nptxas error : Entry function 'f' uses too much shared data (0xd000 bytes)\n", 1);
    program_gives(0, CELL("row_gather", "forward", "R=8,N=64,D=16"), ",unsupported,",
                  "uses too much shared data");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("devices");
    TCase *tests = tcase_create("devices");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, test_folder_make, test_folder_remove);
    tcase_add_test(tests, addresses_of_each_vendor);
    tcase_add_test(tests, names_of_any_bytes);
    tcase_add_test(tests, a_build_log_of_any_bytes);
    tcase_add_test(tests, broken_entries_are_named);
    tcase_add_test(tests, a_cache_that_cannot_be_written);
    tcase_add_test(tests, only_the_cpus_of_the_mask);
    tcase_add_test(tests, a_lost_device_is_said_once);
    tcase_add_test(tests, what_a_device_lacks);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
