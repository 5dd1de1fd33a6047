/* The kernel's powercap counters of processor packages (RAPL, on Intel and AMD):
 * Documentation/power/powercap/powercap.rst and Documentation/ABI/testing/sysfs-class-powercap of Linux. */
#include "energy_source.h"

#include <string.h>

/* "intel-rapl:0" is a package; "intel-rapl:0:1" a part of one. "intel-rapl-mmio:0", the same counter once
 * more, does not begin like them. */
static const char *const prefix = "intel-rapl:";

/* False where a package is there and cannot be read: half the packages would be half the truth. */
static bool add_domain(tn_energy *energy, const char *root, const char *entry, char why[TN_ENERGY_WHY]) {
    char folder[384], name[64], range[420];
    tn_energy_counter *c = &energy->counter[energy->count];
    uint64_t now;
    if (strchr(entry + strlen(prefix), ':'))
        return true;
    snprintf(folder, sizeof folder, "%.200s/%.63s", root, entry);
    if (!tn_energy_line(folder, "name", name, sizeof name) || strncmp(name, "package", 7) != 0)
        return true; /* "psys" holds the packages once more */
    if (energy->count == TN_ENERGY_COUNTERS)
        return tn_energy_no(why, "more than %d packages", TN_ENERGY_COUNTERS);
    snprintf(c->path, sizeof c->path, "%.280s/energy_uj", folder);
    snprintf(range, sizeof range, "%s/max_energy_range_uj", folder);
    if (!tn_energy_number(c->path, &now, why) || !tn_energy_number(range, &c->range, why))
        return false;
    size_t used = strlen(energy->source);
    snprintf(energy->source + used, sizeof energy->source - used, "%s%s", energy->count ? "+" : "rapl ",
             name);
    c->unit_j = 1e-6;
    energy->count++;
    return true;
}

static bool open(tn_energy *energy, const tn_device_info *info, char why[TN_ENERGY_WHY]) {
    char names[128][64];
    const char *root = tn_energy_place("TURNOUT_POWERCAP", "/sys/class/powercap");
    int count = tn_energy_entries(root, prefix, names, 128);
    (void)info;
    if (count < 0)
        return tn_energy_no(why, "this kernel has no powercap counters");
    for (int i = 0; i < count; i++)
        if (!add_domain(energy, root, names[i], why))
            return false;
    if (energy->count == 0)
        return tn_energy_no(why, "no package counter in %.100s", root);
    size_t used = strlen(energy->source);
    snprintf(energy->source + used, sizeof energy->source - used,
             " (whole package%s, everything that ran on %s)", energy->count > 1 ? "s" : "",
             energy->count > 1 ? "them" : "it");
    energy->update_s = 0.001;
    return true;
}

const tn_energy_source tn_energy_powercap = {open, tn_energy_read_files, NULL};
