/* Energy of the processor packages from the kernel's powercap counters (RAPL, on Intel and AMD). Where no
 * counter can be read the answer is "unmeasured" and why: never 0, never an estimate. */
#ifndef TN_ENERGY_H
#define TN_ENERGY_H

#include "device.h"

enum { TN_ENERGY_DOMAINS = 16 };

typedef struct tn_energy {
    int count;                            /* counters; 0: unmeasured */
    char path[TN_ENERGY_DOMAINS][256];    /* of energy_uj */
    uint64_t range_uj[TN_ENERGY_DOMAINS]; /* max_energy_range_uj: the counter wraps past it */
    char source[160];                     /* "rapl package-0+package-1" or "unmeasured: reason" */
} tn_energy;

typedef struct tn_energy_mark {
    uint64_t uj[TN_ENERGY_DOMAINS];
    bool valid;
} tn_energy_mark;

/* Counters that cover `info`: the packages for a CPU device; for others none yet. `root` is NULL for
 * /sys/class/powercap. Never fails: what is missing stands in `source`. */
void tn_energy_open(const tn_device_info *info, const char *root, tn_energy *out);
void tn_energy_read(const tn_energy *energy, tn_energy_mark *out);
/* Joules between two readings. false when either is invalid. A counter that wrapped once is put right; a
 * range may not wrap twice, which at 300 W and the usual 262 kJ takes 14 minutes. */
bool tn_energy_between(const tn_energy *energy, const tn_energy_mark *from, const tn_energy_mark *to,
                       double *joules);

#endif
