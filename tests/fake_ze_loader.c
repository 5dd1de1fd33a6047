/* Level Zero's loader with two drivers, the second with a GPU at 0000:03:00.0. Built with FAKE_OLD it has no
 * zesInit and gives PCI addresses only when ZES_ENABLE_SYSMAN was set before zeInit. The structures are those
 * of the specification, written down once more: a slip in one place would show. */
#include "fake_counter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct pci {
    int32_t stype;
    void *pNext;
    struct {
        uint32_t domain, bus, device, function;
    } address;
    struct {
        int32_t gen, width;
        int64_t maxBandwidth;
    } maxSpeed;
    uint8_t haveBandwidthCounters, havePacketCounters, haveReplayCounters;
} pci;

typedef struct power {
    int32_t stype;
    void *pNext;
    uint8_t onSubdevice;
    uint32_t subdeviceId;
    uint8_t canControl, isEnergyThresholdSupported;
    int32_t defaultLimit, minLimit, maxLimit;
} power;

typedef struct counter {
    uint64_t energy, timestamp;
} counter;

int zeInit(uint32_t flags);
int zesInit(uint32_t flags);
int zeDriverGet(uint32_t *count, void **drivers);
int zesDriverGet(uint32_t *count, void **drivers);
int zeDeviceGet(void *driver, uint32_t *count, void **devices);
int zesDeviceGet(void *driver, uint32_t *count, void **devices);
int zesDevicePciGetProperties(void *device, pci *out);
int zesDeviceGetCardPowerDomain(void *device, void **domain);
int zesDeviceEnumPowerDomains(void *device, uint32_t *count, void **domains);
int zesPowerGetProperties(void *domain, power *out);
int zesPowerGetEnergyCounter(void *domain, counter *out);

static char drivers_at[2], device_at, card_at, domains_at[4];
static bool sysman;

static int drivers(uint32_t *count, void **out) {
    for (uint32_t i = 0; i < 2 && i < *count; i++)
        out[i] = &drivers_at[i];
    *count = 2;
    return 0;
}

static int devices(void *driver, uint32_t *count, void **out) {
    *count = driver == &drivers_at[1];
    if (*count)
        out[0] = &device_at;
    return 0;
}

int zeInit(uint32_t flags) {
    sysman = getenv("ZES_ENABLE_SYSMAN") != NULL;
    return (int)flags;
}

int zeDriverGet(uint32_t *count, void **out) {
    return drivers(count, out);
}

int zeDeviceGet(void *driver, uint32_t *count, void **out) {
    return devices(driver, count, out);
}

#ifndef FAKE_OLD
int zesInit(uint32_t flags) {
    sysman = true;
    return flags ? 1 : fake_fails("zesInit", 0x78000001);
}

int zesDriverGet(uint32_t *count, void **out) {
    return drivers(count, out);
}

int zesDeviceGet(void *driver, uint32_t *count, void **out) {
    return devices(driver, count, out);
}
#endif

int zesDevicePciGetProperties(void *device, pci *out) {
    if (!sysman || device != &device_at || out->stype != 0x2)
        return 0x78000001;
    memset(&out->address, 0, sizeof *out - offsetof(pci, address));
    out->address.bus = 3;
    return 0;
}

int zesDeviceGetCardPowerDomain(void *device, void **domain) {
    *domain = &card_at;
    return device == &device_at && fake_tile_count < 0 ? 0 : 0x78000003;
}

/* A package and two tiles in it, or tiles alone. */
int zesDeviceEnumPowerDomains(void *device, uint32_t *count, void **domains) {
    uint32_t all = fake_tile_count > 0 ? (uint32_t)fake_tile_count : 3;
    for (uint32_t i = 0; i < all && i < *count; i++)
        domains[i] = &domains_at[i];
    *count = all;
    return device == &device_at ? 0 : 0x78000003;
}

static bool is_tile(const void *domain) {
    return domain != &card_at && (fake_tile_count > 0 || domain != &domains_at[1]);
}

int zesPowerGetProperties(void *domain, power *out) {
    if (out->stype != 0xd)
        return 0x78000003;
    memset(&out->onSubdevice, 0, sizeof *out - offsetof(power, onSubdevice));
    out->onSubdevice = is_tile(domain);
    return 0;
}

int zesPowerGetEnergyCounter(void *domain, counter *out) {
    out->energy = (uint64_t)(1e6 * fake_energy(0.001) * (is_tile(domain) ? 0.25 : 1));
    out->timestamp = 1;
    return fake_fails("zesPowerGetEnergyCounter", 0x70000001);
}
