/* What drivers get wrong, in one table (quirks.c), each line with its reason. Op code asks for a bit, never
 * for a vendor. */
#ifndef TN_QUIRKS_H
#define TN_QUIRKS_H

#include "device.h"

enum tn_quirk {
    TN_QUIRK_EVENTS_USELESS = 1u << 0, /* END − START says nothing: never report event times */
    TN_QUIRK_NO_BINARIES = 1u << 1,    /* reading program binaries back is broken or useless */
    TN_QUIRK_CLBLAST_UNSAFE = 1u << 2, /* CLBlast crashes the process here: never try it */
    TN_QUIRK_SKIP_DEVICE = 1u << 3,    /* the device is listed and left out */
    TN_QUIRK_CHECKS_BOUNDS =
        1u << 4, /* an interpreter that reports out-of-bounds access: give it exact buffers */
    TN_QUIRK_SHORT_LOOPS =
        1u << 5, /* long loops are cut short without an error: little work an item, as a GPU has it */
    TN_QUIRK_KERNEL_LIMITS =
        1u << 6, /* what a kernel reports of its work-groups is wrong: the device's limits hold */
    TN_QUIRK_KEEPS_KERNELS =
        1u << 7 /* the driver keeps what it builds: binaries go to a folder that TURNOUT_CACHE names alone */
};

typedef struct tn_quirk_row {
    const char *platform, *device, *driver; /* substrings, NULL for any */
    uint32_t bits;
    const char *reason;
} tn_quirk_row;

const tn_quirk_row *tn_quirk_table(int *count);
bool tn_quirk_matches(const tn_quirk_row *row, const char *platform, const char *device, const char *driver);
/* Does the compiler take what only CPUs' compilers do, prefetches and stores past the caches? Intel's for
 * GPUs ends the program at a prefetch. */
bool tn_quirk_cpu_builtins(const tn_device_info *info);
uint32_t tn_quirk_lookup(const char *platform, const char *device, const char *driver, const char **reason);

#endif
