/* ROCm SMI with two GPUs, the second at 0000:03:00.0; a count is 15.3 uJ and moves every millisecond. */
#include "fake_counter.h"

int rsmi_init(uint64_t flags);
int rsmi_shut_down(void);
int rsmi_num_monitor_devices(uint32_t *devices);
int rsmi_dev_pci_id_get(uint32_t index, uint64_t *bdfid);
int rsmi_dev_energy_count_get(uint32_t index, uint64_t *count, float *microjoules, uint64_t *timestamp);

int rsmi_init(uint64_t flags) {
    int code = flags ? 1 : fake_fails("rsmi_init", 8);
    fake_users += !code;
    return code;
}

int rsmi_shut_down(void) {
    fake_users--;
    return 0;
}

int rsmi_num_monitor_devices(uint32_t *devices) {
    *devices = 2;
    return 0;
}

int rsmi_dev_pci_id_get(uint32_t index, uint64_t *bdfid) {
    *bdfid = index ? UINT64_C(0x300) : UINT64_C(0x10000c341); /* 0000:03:00.0, 0001:c3:08.1 */
    return 0;
}

int rsmi_dev_energy_count_get(uint32_t index, uint64_t *count, float *microjoules, uint64_t *timestamp) {
    *microjoules = 15.3f;
    *timestamp = 1;
    *count = (uint64_t)(1e6 * fake_energy(0.001) / (index ? 15.3 : 1));
    if (fake_fails("uncounted", 1))
        *count = UINT64_MAX;
    return fake_fails("rsmi_dev_energy_count_get", 2);
}
