#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* TURNOUT_TUNE="gemm.TILE_M=8,gemm.LOCAL=1": true and the value when `op.name` stands in it. */
static bool from_environment(const char *op, const char *name, int *value) {
    const char *text = getenv("TURNOUT_TUNE");
    char wanted[96];
    int length = snprintf(wanted, sizeof wanted, "%s.%s=", op, name);
    if (!text || length < 0 || (size_t)length >= sizeof wanted)
        return false;
    while (*text) {
        if (strncmp(text, wanted, (size_t)length) == 0) {
            *value = atoi(text + length);
            return true;
        }
        const char *comma = strchr(text, ',');
        if (!comma)
            return false;
        text = comma + 1;
    }
    return false;
}

int tn_tunable(const tn_device *dev, const char *op, const char *name, int cpu_default, int gpu_default) {
    int value;
    if (from_environment(op, name, &value))
        return value;
    /* TURNOUT_KIND=gpu: a GPU's schedules on a CPU device, so that they are tested where no GPU is. */
    const char *kind = getenv("TURNOUT_KIND");
    if (kind && kind[0])
        return strcmp(kind, "gpu") == 0 ? gpu_default : cpu_default;
    bool much_an_item = dev->info.kind == TN_KIND_CPU && !(dev->info.quirks & TN_QUIRK_SHORT_LOOPS);
    return much_an_item ? cpu_default : gpu_default;
}

int tn_stream(const tn_device *dev, const char *op, double bytes) {
    /* A kernel reading right after finds 16 MiB and less in a CPU's cache, and loses more than the store won.
     */
    int least = tn_tunable(dev, op, "STREAM", 32 << 20, 0);
    return least > 0 && bytes >= least;
}
