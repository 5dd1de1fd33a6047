#include "internal.h"

#include <string.h>

/* Bits of all matching rows are OR-ed. */
static const tn_quirk_row rows[] = {
    {"rusticl", "llvmpipe", NULL, TN_QUIRK_EVENTS_USELESS,
     "llvmpipe reports END - START = 1 ns for every kernel"},
    {"rusticl", "llvmpipe", NULL, TN_QUIRK_SHORT_LOOPS,
     "llvmpipe leaves a work-item's loops after 65535 rounds in all, without an error: long shapes come out "
     "wrong"},
    {"rusticl", NULL, NULL, TN_QUIRK_NO_BINARIES,
     "rusticl of Mesa 22.3 returns binaries it cannot load again"},
    {"rusticl", "llvmpipe", "22.3", TN_QUIRK_KERNEL_LIMITS,
     "rusticl of Mesa 22.3 says that no kernel takes more than 32 work-items in a work-group, and counts "
     "local memory twice; groups of 1024 and all of the local memory run right"},
    {"Oclgrind", NULL, NULL, TN_QUIRK_NO_BINARIES | TN_QUIRK_EVENTS_USELESS,
     "Oclgrind interprets: its binaries are bitcode and its times mean nothing"},
    {"Oclgrind", NULL, NULL, TN_QUIRK_CHECKS_BOUNDS,
     "Oclgrind sees reads past a buffer, but not past a view of one"},
    {"Oclgrind", NULL, NULL, TN_QUIRK_CLBLAST_UNSAFE,
     "CLBlast tunes its work-group sizes for real devices; under the interpreter one call takes minutes"},
    {"Portable Computing Language", NULL, NULL, TN_QUIRK_KEEPS_KERNELS,
     "PoCL keeps what it builds, and builds every kernel once more for a binary: twice the first run's time "
     "to save half a second of later ones"},
    {"Clover", NULL, NULL, TN_QUIRK_SKIP_DEVICE,
     "Clover is retired upstream and miscompiles float16 kernels"},
};

const tn_quirk_row *tn_quirk_table(int *count) {
    *count = (int)(sizeof rows / sizeof rows[0]);
    return rows;
}

static bool matches(const char *part, const char *text) {
    return !part || strstr(text, part);
}

bool tn_quirk_matches(const tn_quirk_row *row, const char *platform, const char *device, const char *driver) {
    return matches(row->platform, platform) && matches(row->device, device) && matches(row->driver, driver);
}

uint32_t tn_quirk_lookup(const char *platform, const char *device, const char *driver, const char **reason) {
    uint32_t bits = 0;
    *reason = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!tn_quirk_matches(&rows[i], platform, device, driver))
            continue;
        bits |= rows[i].bits;
        if (rows[i].bits & TN_QUIRK_SKIP_DEVICE)
            *reason = rows[i].reason;
    }
    return bits;
}

bool tn_quirk_cpu_builtins(const tn_device_info *info) {
    return info->kind == TN_KIND_CPU;
}
