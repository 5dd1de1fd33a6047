/* AMD GPUs through ROCm SMI; prototypes from the "ROCm System Management Interface (ROCm SMI) Library"
 * manual: Initialization and Shutdown, Identifier Queries, PCIe Queries, Power Queries. */
#include "energy_source.h"

typedef struct rocm_smi {
    int (*init)(uint64_t flags);
    int (*shut_down)(void);
    int (*count)(uint32_t *devices);
    int (*pci)(uint32_t index, uint64_t *bdfid);
    int (*energy)(uint32_t index, uint64_t *count, float *microjoules, uint64_t *timestamp);
    bool up;
    uint32_t index;
} rocm_smi;

/* Domain in bits 32 to 63, bus in 8 to 15, device in 3 to 7, function in 0 to 2. */
static bool is_at(uint64_t bdfid, const char *pci) {
    unsigned domain, bus, device, function;
    return sscanf(pci, "%x:%x:%x.%x", &domain, &bus, &device, &function) == 4 && bdfid >> 32 == domain &&
           (bdfid >> 8 & 0xff) == bus && (bdfid >> 3 & 0x1f) == device && (bdfid & 7) == function;
}

static bool find(rocm_smi *r, const char *pci, char why[TN_ENERGY_WHY]) {
    uint32_t count = 0;
    uint64_t at;
    int code = r->init(0);
    r->up = code == 0;
    if (!r->up)
        return tn_energy_no(why, "ROCm SMI's rsmi_init fails (%d)", code);
    code = r->count(&count);
    if (code)
        return tn_energy_no(why, "ROCm SMI's rsmi_num_monitor_devices fails (%d)", code);
    for (r->index = 0; r->index < count; r->index++)
        if (r->pci(r->index, &at) == 0 && is_at(at, pci))
            return true;
    return tn_energy_no(why, "no ROCm SMI device at %.20s", pci);
}

static bool counted(const rocm_smi *r, uint64_t *raw, float *microjoules, char why[TN_ENERGY_WHY]) {
    uint64_t when;
    int code = r->energy(r->index, raw, microjoules, &when);
    return code ? tn_energy_no(why, "ROCm SMI's rsmi_dev_energy_count_get fails (%d)", code) : true;
}

static bool open(tn_energy *energy, const tn_device_info *info, char why[TN_ENERGY_WHY]) {
    static const char *const names[] = {"librocm_smi64.so.7", "librocm_smi64.so.6", "librocm_smi64.so.5",
                                        "librocm_smi64.so.1", "librocm_smi64.so",   NULL};
    uint64_t now;
    float microjoules = 0;
    rocm_smi *r;
    if (tn_alloc(energy->ctx, 1, sizeof *r, &energy->state) != TN_OK)
        return tn_energy_no(why, "no memory for ROCm SMI");
    r = energy->state;
    const tn_energy_symbol symbols[] = {{"rsmi_init", &r->init, false},
                                        {"rsmi_shut_down", &r->shut_down, false},
                                        {"rsmi_num_monitor_devices", &r->count, false},
                                        {"rsmi_dev_pci_id_get", &r->pci, false},
                                        {"rsmi_dev_energy_count_get", &r->energy, false},
                                        {NULL, NULL, false}};
    if (!tn_energy_library(energy, "TURNOUT_ROCM_SMI", names, symbols, why) || !find(r, info->pci, why) ||
        !counted(r, &now, &microjoules, why))
        return false;
    /* Cards whose firmware does not count leave the field at nothing or at all ones. */
    if (now == 0 || now == UINT64_MAX || !(microjoules > 0))
        return tn_energy_no(why, "%.20s counts no energy", info->pci);
    snprintf(energy->source, sizeof energy->source, "rocm-smi gpu %s", info->pci);
    energy->count = 1;
    energy->counter[0].unit_j = 1e-6 * (double)microjoules;
    energy->update_s = 0.01;
    return true;
}

static bool read(tn_energy *energy, uint64_t *raw, char why[TN_ENERGY_WHY]) {
    float microjoules;
    return counted(energy->state, raw, &microjoules, why);
}

static void close(tn_energy *energy) {
    const rocm_smi *r = energy->state;
    if (r && r->up)
        r->shut_down();
}

const tn_energy_source tn_energy_rocm_smi = {open, read, close};
