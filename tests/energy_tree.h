/* A made-up folder of counters, and an environment in which nothing else of the machine is looked at. */
#ifndef TN_TEST_ENERGY_TREE_H
#define TN_TEST_ENERGY_TREE_H

#include "energy.h"
#include "file.h"
#include "folder.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char tree[TEST_FOLDER];
static tn_context ctx;
static const tn_device_info cpu = {.kind = TN_KIND_CPU};
static const tn_device_info gpu = {.kind = TN_KIND_GPU, .pci = "0000:03:00.0"};

static const char *const tree_variables[] = {"TURNOUT_POWERCAP", "TURNOUT_HWMON", "TURNOUT_NVML",
                                             "TURNOUT_ROCM_SMI", "TURNOUT_LEVEL_ZERO"};

static inline void tree_make(void) {
    ctx = (tn_context){.quiet = true};
    ck_assert(folder_make(tree));
    ck_assert_int_eq(chmod(tree, 0755), 0);
    for (size_t i = 0; i < sizeof tree_variables / sizeof tree_variables[0]; i++)
        setenv(tree_variables[i], "/nonexistent", 1);
}

static inline void tree_remove(void) {
    ck_assert(folder_remove(tree));
    ck_assert_int_eq(ctx.live, 0);
}

/* Writes "folder/file" whole at once: a reader sees the old text or the new. */
static inline void tree_put(const char *folder, const char *file, const char *text) {
    char path[256], aside[280];
    snprintf(path, sizeof path, "%s/%s", tree, folder);
    ck_assert_int_eq(tn_folder_make(&ctx, path), TN_OK);
    snprintf(path, sizeof path, "%s/%s/%s", tree, folder, file);
    snprintf(aside, sizeof aside, "%s.new", path);
    FILE *stream = fopen(aside, "w");
    ck_assert_ptr_nonnull(stream);
    fputs(text, stream);
    fclose(stream);
    ck_assert_int_eq(rename(aside, path), 0);
}

static inline void tree_put_number(const char *folder, const char *file, double value) {
    char text[40];
    snprintf(text, sizeof text, "%.0f\n", value);
    tree_put(folder, file, text);
}

static inline void tree_use(const char *variable) {
    setenv(variable, tree, 1);
}

static inline void wait_s(double seconds) {
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&t, NULL);
}

static inline tn_energy *energy_open(const tn_device_info *info) {
    tn_energy *e = NULL;
    ck_assert_msg(tn_energy_open(&ctx, info, &e) == TN_OK, "%s", ctx.message);
    return e;
}

/* Nothing is measured for `info`, and `part` says why. */
static inline void energy_unmeasured(const tn_device_info *info, const char *part) {
    char why[TN_ENERGY_WHY];
    tn_energy_mark mark;
    double joules;
    tn_energy *e = energy_open(info);
    const char *text = tn_energy_source_text(e);
    ck_assert(!tn_energy_measured(e));
    ck_assert_msg(strncmp(text, "unmeasured: ", 12) == 0 && strstr(text, part), "'%s' lacks '%s'", text,
                  part);
    tn_energy_read(e, &mark);
    ck_assert(!mark.valid && !tn_energy_between(e, &mark, &mark, &joules, why));
    tn_energy_close(e);
}

/* No joules between the marks, and `part` says why. */
static inline void energy_refuses(const tn_energy *e, const tn_energy_mark *from, const tn_energy_mark *to,
                                  const char *part) {
    char why[TN_ENERGY_WHY] = "";
    double joules;
    ck_assert(!tn_energy_between(e, from, to, &joules, why));
    ck_assert_msg(strstr(why, part) != NULL, "'%s' lacks '%s'", why, part);
}

static inline double energy_joules(const tn_energy *e, const tn_energy_mark *from, const tn_energy_mark *to) {
    char why[TN_ENERGY_WHY] = "";
    double joules;
    ck_assert_msg(tn_energy_between(e, from, to, &joules, why), "%s", why);
    return joules;
}

#endif
