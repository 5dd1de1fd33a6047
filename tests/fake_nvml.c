/* NVML with one GPU at 0000:03:00.0 whose counter moves every 20 ms. */
#include "fake_counter.h"

#include <string.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules);
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts);
const char *nvmlErrorString(int code);

static int card;

int nvmlInit_v2(void) {
    int code = fake_fails("nvmlInit_v2", 9);
    fake_users += !code;
    return code;
}

int nvmlShutdown(void) {
    fake_users--;
    return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device) {
    *device = &card;
    return strcmp(address, "0000:03:00.0") == 0 ? 0 : 6;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
    if (device != &card || fake_fails("lost", 1))
        return 15;
    *millijoules = (unsigned long long)(1e3 * fake_energy(0.02));
    return fake_fails("nvmlDeviceGetTotalEnergyConsumption", 3);
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
    *milliwatts = (unsigned)(1e3 * fake_watts);
    return device == &card ? fake_fails("nvmlDeviceGetPowerUsage", 3) : 2;
}

const char *nvmlErrorString(int code) {
    return code == 15  ? "GPU is lost"
           : code == 9 ? "Driver Not Loaded"
           : code == 3 ? "Not Supported"
                       : "Other";
}
