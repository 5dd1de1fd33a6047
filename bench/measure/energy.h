/* Energy that a device drew while it worked, from whatever counter covers it: the packages' powercap counters
 * (RAPL) for a CPU; NVML, ROCm SMI, Level Zero or hwmon, found by PCI address, for a GPU. Vendors' libraries
 * are opened when the program runs. Where nothing can be read the answer is "unmeasured" and why: never 0,
 * never an estimate. */
#ifndef TN_ENERGY_H
#define TN_ENERGY_H

#include "device.h"

enum { TN_ENERGY_COUNTERS = 16, TN_ENERGY_WHY = 200, TN_ENERGY_TEXT = 400 };

typedef struct tn_energy tn_energy;

typedef struct tn_energy_mark {
    bool valid;
    double seconds; /* when */
    uint64_t raw[TN_ENERGY_COUNTERS];
    char why[TN_ENERGY_WHY]; /* it is not valid */
} tn_energy_mark;

/* What a stretch of calls drew, for one of them. */
typedef struct tn_energy_result {
    bool ok, net_ok;
    double joules;               /* when ok: all that the domain drew */
    double net_joules;           /* when net_ok: what it drew above its idle power */
    double idle_watts;           /* NaN where it was not measured */
    char source[TN_ENERGY_TEXT]; /* which counter, of what domain, or "unmeasured: reason" */
} tn_energy_result;

/* Fails for want of memory alone: without a counter there is an energy that is not measured. The environment
 * moves what is looked at: TURNOUT_POWERCAP and TURNOUT_HWMON are folders, TURNOUT_NVML, TURNOUT_ROCM_SMI and
 * TURNOUT_LEVEL_ZERO libraries. Close with tn_energy_close. */
tn_status tn_energy_open(tn_context *ctx, const tn_device_info *info, tn_energy **out);
void tn_energy_close(tn_energy *energy); /* NULL is fine */

/* Each of these takes NULL for an energy that nobody asked for. */
bool tn_energy_measured(const tn_energy *energy); /* there is a counter */
/* "rapl package-0 (…)", "nvml gpu 0000:01:00.0", "unmeasured: reason" */
const char *tn_energy_source_text(const tn_energy *energy);
/* Seconds that a stretch must last: ten updates of the counter. A shorter one is not measured. */
double tn_energy_window(const tn_energy *energy);

/* The power of the idle device, in half a second or a window without work, once an opened device: costs
 * nothing where there is no counter, or when it was tried before. How often the counter moves is watched
 * meanwhile, and the window is as short as that allows. Fails on Ctrl-C and when the device does. */
tn_status tn_energy_measure_idle(tn_energy *energy, tn_device *dev);
/* What somebody else measured, and back: watts, NaN for unknown; seconds between two moves of the counter, 0
 * for what its source says. It is not measured again. */
void tn_energy_set_idle(tn_energy *energy, double watts, double update_s);
double tn_energy_idle(const tn_energy *energy);
double tn_energy_update(const tn_energy *energy); /* 0 without a counter */

void tn_energy_read(tn_energy *energy, tn_energy_mark *out);
/* Joules between two readings, or false and why: a reading that failed, too short a stretch, a counter that
 * stood still or went back. A counter that wraps is put right where it cannot have wrapped twice. */
bool tn_energy_between(const tn_energy *energy, const tn_energy_mark *from, const tn_energy_mark *to,
                       double *joules, char why[TN_ENERGY_WHY]);
void tn_energy_of_calls(const tn_energy *energy, const tn_energy_mark *from, const tn_energy_mark *to,
                        double calls, tn_energy_result *out);

#endif
