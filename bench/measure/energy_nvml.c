/* NVIDIA GPUs through NVML; prototypes from the "NVML API Reference Guide", chapters Initialization and
 * Cleanup, Device Queries, Error Reporting. */
#include "energy_source.h"

typedef struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*by_pci)(const char *address, void **device);
    int (*energy)(void *device, unsigned long long *millijoules);
    int (*power)(void *device, unsigned *milliwatts);
    const char *(*error)(int code);
    bool up;
    void *device;
} nvml;

enum { NVML_ERROR_NOT_SUPPORTED = 3, NVML_ERROR_NOT_FOUND = 6 };

static bool failed(const nvml *n, const char *call, int code, char why[TN_ENERGY_WHY]) {
    return tn_energy_no(why, "NVML's %s fails: %.80s (%d)", call, n->error ? n->error(code) : "no text",
                        code);
}

static bool watts(void *data, double *out, char why[TN_ENERGY_WHY]) {
    const nvml *n = data;
    unsigned milliwatts = 0;
    int code = n->power(n->device, &milliwatts);
    *out = 1e-3 * milliwatts;
    return code ? failed(n, "nvmlDeviceGetPowerUsage", code, why) : true;
}

static bool connect(nvml *n, const char *pci, char why[TN_ENERGY_WHY]) {
    int code = n->init();
    n->up = code == 0;
    if (!n->up)
        return failed(n, "nvmlInit_v2", code, why);
    code = n->by_pci(pci, &n->device);
    if (code == NVML_ERROR_NOT_FOUND)
        return tn_energy_no(why, "no NVML device at %.20s", pci);
    return code ? failed(n, "nvmlDeviceGetHandleByPciBusId_v2", code, why) : true;
}

static bool open(tn_energy *energy, const tn_device_info *info, char why[TN_ENERGY_WHY]) {
    static const char *const names[] = {"libnvidia-ml.so.1", "libnvidia-ml.so", NULL};
    unsigned long long now;
    nvml *n;
    if (tn_alloc(energy->ctx, 1, sizeof *n, &energy->state) != TN_OK)
        return tn_energy_no(why, "no memory for NVML");
    n = energy->state;
    const tn_energy_symbol symbols[] = {{"nvmlInit_v2", &n->init, false},
                                        {"nvmlShutdown", &n->shutdown, false},
                                        {"nvmlDeviceGetHandleByPciBusId_v2", &n->by_pci, false},
                                        {"nvmlDeviceGetTotalEnergyConsumption", &n->energy, true},
                                        {"nvmlDeviceGetPowerUsage", &n->power, false},
                                        {"nvmlErrorString", &n->error, true},
                                        {NULL, NULL, false}};
    if (!tn_energy_library(energy, "TURNOUT_NVML", names, symbols, why) || !connect(n, info->pci, why))
        return false;
    snprintf(energy->source, sizeof energy->source, "nvml gpu %s", info->pci);
    /* Counted from Volta on; before it only power is told. */
    int code = n->energy ? n->energy(n->device, &now) : NVML_ERROR_NOT_SUPPORTED;
    if (code == NVML_ERROR_NOT_SUPPORTED)
        return tn_energy_sample(energy, watts, n, why);
    if (code)
        return failed(n, "nvmlDeviceGetTotalEnergyConsumption", code, why);
    energy->count = 1;
    energy->counter[0].unit_j = 1e-3;
    energy->update_s = 0.1; /* not documented; 20 to 100 ms are seen, by generation */
    return true;
}

static bool read(tn_energy *energy, uint64_t *raw, char why[TN_ENERGY_WHY]) {
    const nvml *n = energy->state;
    unsigned long long millijoules = 0;
    if (energy->sampler)
        return tn_sampler_microjoules(energy->sampler, raw, why);
    int code = n->energy(n->device, &millijoules);
    *raw = millijoules;
    return code ? failed(n, "nvmlDeviceGetTotalEnergyConsumption", code, why) : true;
}

static void close(tn_energy *energy) {
    const nvml *n = energy->state;
    if (n && n->up)
        n->shutdown();
}

const tn_energy_source tn_energy_nvml = {open, read, close};
