/* Intel GPUs through Level Zero's Sysman; prototypes and structures from the "oneAPI Level Zero
 * Specification", part "Sysman API": Driver, Device, PCI, Power. */
#include "energy_source.h"

#include <stdlib.h>

typedef struct pci_properties {
    uint32_t type;
    void *next;
    uint32_t domain, bus, device, function;
    int32_t generation, width;
    int64_t bandwidth;
    uint8_t counts[3];
} pci_properties;

typedef struct power_properties {
    uint32_t type;
    void *next;
    uint8_t on_subdevice;
    uint32_t subdevice;
    uint8_t can_control, has_threshold;
    int32_t limits[3];
} power_properties;

typedef struct energy_counter {
    uint64_t microjoules, timestamp;
} energy_counter;

enum { PCI_PROPERTIES = 0x2, POWER_PROPERTIES = 0xd, MOST = 32 };

typedef struct level_zero {
    int (*zes_init)(uint32_t flags); /* since 1.5 of the specification */
    int (*ze_init)(uint32_t flags);
    int (*zes_drivers)(uint32_t *count, void **drivers), (*ze_drivers)(uint32_t *count, void **drivers);
    int (*zes_devices)(void *driver, uint32_t *count, void **devices);
    int (*ze_devices)(void *driver, uint32_t *count, void **devices);
    int (*pci)(void *device, pci_properties *out);
    int (*card)(void *device, void **domain);
    int (*domains)(void *device, uint32_t *count, void **domains);
    int (*properties)(void *domain, power_properties *out);
    int (*energy)(void *domain, energy_counter *out);
} level_zero;

static bool is_at(const level_zero *z, void *device, const char *pci) {
    unsigned domain, bus, slot, function;
    pci_properties p = {.type = PCI_PROPERTIES};
    return z->pci(device, &p) == 0 && sscanf(pci, "%x:%x:%x.%x", &domain, &bus, &slot, &function) == 4 &&
           p.domain == domain && p.bus == bus && p.device == slot && p.function == function;
}

/* Loaders older than zesInit have Sysman behind a variable, and hand out its devices as ordinary ones. */
static bool find(const level_zero *z, const char *pci, void **device, char why[TN_ENERGY_WHY]) {
    void *drivers[MOST], *devices[MOST];
    bool sysman = z->zes_init && z->zes_drivers && z->zes_devices;
    uint32_t driver_count = MOST;
    if (!sysman)
        setenv("ZES_ENABLE_SYSMAN", "1", 1);
    int code = sysman ? z->zes_init(0) : z->ze_init(0);
    if (code)
        return tn_energy_no(why, "Level Zero's %s fails (0x%x)", sysman ? "zesInit" : "zeInit",
                            (unsigned)code);
    code = (sysman ? z->zes_drivers : z->ze_drivers)(&driver_count, drivers);
    if (code)
        return tn_energy_no(why, "Level Zero gives no drivers (0x%x)", (unsigned)code);
    for (uint32_t d = 0; d < driver_count; d++) {
        uint32_t count = MOST;
        if ((sysman ? z->zes_devices : z->ze_devices)(drivers[d], &count, devices) != 0)
            continue;
        for (uint32_t i = 0; i < count; i++)
            if (is_at(z, devices[i], pci)) {
                *device = devices[i];
                return true;
            }
    }
    return tn_energy_no(why, "no Level Zero device at %.20s", pci);
}

static bool counted(const level_zero *z, void *domain, uint64_t *raw, char why[TN_ENERGY_WHY]) {
    energy_counter now;
    int code = z->energy(domain, &now);
    *raw = now.microjoules;
    return code ? tn_energy_no(why, "Level Zero's zesPowerGetEnergyCounter fails (0x%x)", (unsigned)code)
                : true;
}

/* Domains contain each other: the card's alone, else the first of the device, else all of its parts. Returns
 * what was taken. */
static const char *take_domains(tn_energy *energy, const level_zero *z, void *device) {
    void *domains[MOST], *card = NULL;
    uint32_t count = MOST;
    if (z->card && z->card(device, &card) == 0 && card) {
        energy->counter[energy->count++].handle = card;
        return "card";
    }
    if (z->domains(device, &count, domains) != 0)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        power_properties p = {.type = POWER_PROPERTIES};
        if (z->properties(domains[i], &p) != 0)
            continue;
        if (!p.on_subdevice) {
            energy->count = 1;
            energy->counter[0].handle = domains[i];
            return "device";
        }
        if (energy->count < TN_ENERGY_COUNTERS)
            energy->counter[energy->count++].handle = domains[i];
    }
    return energy->count ? "sum of its parts" : NULL;
}

static bool open(tn_energy *energy, const tn_device_info *info, char why[TN_ENERGY_WHY]) {
    static const char *const names[] = {"libze_loader.so.1", "libze_loader.so", NULL};
    void *device = NULL;
    uint64_t now;
    level_zero *z;
    if (tn_alloc(energy->ctx, 1, sizeof *z, &energy->state) != TN_OK)
        return tn_energy_no(why, "no memory for Level Zero");
    z = energy->state;
    const tn_energy_symbol symbols[] = {{"zesInit", &z->zes_init, true},
                                        {"zeInit", &z->ze_init, false},
                                        {"zesDriverGet", &z->zes_drivers, true},
                                        {"zeDriverGet", &z->ze_drivers, false},
                                        {"zesDeviceGet", &z->zes_devices, true},
                                        {"zeDeviceGet", &z->ze_devices, false},
                                        {"zesDevicePciGetProperties", &z->pci, false},
                                        {"zesDeviceGetCardPowerDomain", &z->card, true},
                                        {"zesDeviceEnumPowerDomains", &z->domains, false},
                                        {"zesPowerGetProperties", &z->properties, false},
                                        {"zesPowerGetEnergyCounter", &z->energy, false},
                                        {NULL, NULL, false}};
    if (!tn_energy_library(energy, "TURNOUT_LEVEL_ZERO", names, symbols, why) ||
        !find(z, info->pci, &device, why))
        return false;
    const char *what = take_domains(energy, z, device);
    if (!what)
        return tn_energy_no(why, "Level Zero has no power domain of %.20s", info->pci);
    for (int i = 0; i < energy->count; i++) {
        energy->counter[i].unit_j = 1e-6;
        if (!counted(z, energy->counter[i].handle, &now, why))
            return false;
    }
    snprintf(energy->source, sizeof energy->source, "level-zero gpu %s (%s)", info->pci, what);
    energy->update_s = 0.01;
    return true;
}

static bool read(tn_energy *energy, uint64_t *raw, char why[TN_ENERGY_WHY]) {
    for (int i = 0; i < energy->count; i++)
        if (!counted(energy->state, energy->counter[i].handle, &raw[i], why))
            return false;
    return true;
}

/* Level Zero has nothing to shut down. */
const tn_energy_source tn_energy_level_zero = {open, read, NULL};
