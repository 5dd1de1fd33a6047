/* Energy and power files of hwmon drivers (amd_energy, xe, i915, amdgpu): Documentation/hwmon/sysfs-interface
 * and Documentation/ABI/testing/sysfs-driver-intel-xe-hwmon of Linux. Energy in microjoules, power in
 * microwatts. */
#include "energy_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The device that an entry belongs to is where its link leads. */
static bool belongs_to(const char *folder, const char *pci) {
    char path[400], whole[4096];
    snprintf(path, sizeof path, "%s/device", folder);
    if (!pci[0] || !realpath(path, whole))
        return false;
    const char *last = strrchr(whole, '/');
    return last && strcasecmp(last + 1, pci) == 0;
}

static bool add_file(tn_energy *energy, const char *folder, const char *file, char why[TN_ENERGY_WHY]) {
    tn_energy_counter *c = &energy->counter[energy->count];
    uint64_t now;
    if (energy->count == TN_ENERGY_COUNTERS)
        return tn_energy_no(why, "more than %d counters", TN_ENERGY_COUNTERS);
    snprintf(c->path, sizeof c->path, "%.260s/%.50s", folder, file);
    if (!tn_energy_number(c->path, &now, why))
        return false;
    c->unit_j = 1e-6;
    energy->count++;
    return true;
}

/* "energy2_input" → what energy2_label says, "" without one. */
static void label_of(const char *folder, const char *file, char *text, size_t size) {
    char name[64];
    snprintf(name, sizeof name, "%.*s_label", (int)strcspn(file, "_"), file);
    if (!tn_energy_line(folder, name, text, size))
        text[0] = '\0';
}

static bool is_input(const char *file) {
    return strcmp(file + strcspn(file, "_"), "_input") == 0;
}

/* amd_energy counts cores ("Ecore000") and sockets ("Esocket0"), which contain them. */
static bool add_sockets(tn_energy *energy, const char *folder, char why[TN_ENERGY_WHY]) {
    char files[1024][64], label[64];
    int count = tn_energy_entries(folder, "energy", files, 1024);
    for (int i = 0; i < count; i++) {
        label_of(folder, files[i], label, sizeof label);
        if (!is_input(files[i]) || strncmp(label, "Esocket", 7) != 0)
            continue;
        size_t used = strlen(energy->source);
        if (!add_file(energy, folder, files[i], why))
            return false;
        snprintf(energy->source + used, sizeof energy->source - used, "%s%.40s", used ? "+" : "hwmon ",
                 label);
    }
    return true;
}

static bool watts(void *data, double *out, char why[TN_ENERGY_WHY]) {
    const tn_energy_counter *c = data;
    uint64_t microwatts;
    if (!tn_energy_number(c->path, &microwatts, why))
        return false;
    *out = 1e-6 * (double)microwatts;
    return true;
}

/* Counters of one device may contain each other ("card" and "pkg" of xe): the first is the widest. */
static bool take_device(tn_energy *energy, const char *folder, const char *pci, char why[TN_ENERGY_WHY]) {
    static const char *const power[] = {"power1_average", "power1_input"};
    char files[64][64], name[32] = "", label[32];
    int count = tn_energy_entries(folder, "energy", files, 64);
    tn_energy_line(folder, "name", name, sizeof name);
    int used =
        snprintf(energy->source, sizeof energy->source, "hwmon %s gpu %s", name[0] ? name : "driver", pci);
    for (int i = 0; i < count; i++) {
        if (!is_input(files[i]))
            continue;
        label_of(folder, files[i], label, sizeof label);
        if (label[0])
            snprintf(energy->source + used, sizeof energy->source - (size_t)used, " %s", label);
        return add_file(energy, folder, files[i], why);
    }
    for (size_t i = 0; i < sizeof power / sizeof power[0]; i++) {
        char *path = energy->counter[0].path;
        uint64_t now;
        snprintf(path, sizeof energy->counter[0].path, "%.260s/%s", folder, power[i]);
        if (tn_energy_number(path, &now, why))
            return tn_energy_sample(energy, watts, &energy->counter[0], why);
    }
    return tn_energy_no(why, "hwmon's %.30s has neither energy nor power of %.20s", name, pci);
}

static bool open(tn_energy *energy, const tn_device_info *info, char why[TN_ENERGY_WHY]) {
    char names[256][64], folder[280], name[32];
    const char *root = tn_energy_place("TURNOUT_HWMON", "/sys/class/hwmon");
    bool processor = info->kind == TN_KIND_CPU;
    int count = tn_energy_entries(root, "hwmon", names, 256);
    for (int i = 0; i < count; i++) {
        snprintf(folder, sizeof folder, "%.200s/%.63s", root, names[i]);
        if (!processor && belongs_to(folder, info->pci)) {
            energy->update_s = 0.01;
            return take_device(energy, folder, info->pci, why);
        }
        if (processor && tn_energy_line(folder, "name", name, sizeof name) &&
            strcmp(name, "amd_energy") == 0 && !add_sockets(energy, folder, why))
            return false;
    }
    if (energy->count == 0)
        return processor ? tn_energy_no(why, "no hwmon counter of a socket")
                         : tn_energy_no(why, "no hwmon entry of %.20s", info->pci);
    size_t used = strlen(energy->source);
    snprintf(energy->source + used, sizeof energy->source - used,
             " (whole sockets, everything that ran on them)");
    energy->update_s = 0.01;
    return true;
}

static bool read(tn_energy *energy, uint64_t *raw, char why[TN_ENERGY_WHY]) {
    return energy->sampler ? tn_sampler_microjoules(energy->sampler, raw, why)
                           : tn_energy_read_files(energy, raw, why);
}

const tn_energy_source tn_energy_hwmon = {open, read, NULL};
