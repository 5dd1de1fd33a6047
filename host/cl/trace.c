#include "trace.h"

#include <stdlib.h>
#include <string.h>

tn_trace tn_trace_mode(void) {
    const char *text = getenv("TURNOUT_TRACE");
    if (!text)
        return TN_TRACE_OFF;
    return strcmp(text, "1") == 0        ? TN_TRACE_WAIT
           : strcmp(text, "events") == 0 ? TN_TRACE_EVENTS
                                         : TN_TRACE_OFF;
}

void tn_trace_add(tn_kernel *kernel, double seconds) {
    kernel->trace_launches++;
    kernel->trace_seconds += seconds;
}

static int slower(const void *a, const void *b) {
    double x = (*(tn_kernel *const *)a)->trace_seconds, y = (*(tn_kernel *const *)b)->trace_seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

void tn_trace_print(tn_device *dev) {
    if (tn_trace_mode() == TN_TRACE_OFF)
        return;
    double all = 0;
    qsort(dev->kernels, dev->kernel_count, sizeof *dev->kernels, slower);
    for (size_t i = 0; i < dev->kernel_count; i++)
        all += dev->kernels[i]->trace_seconds;
    fprintf(stderr, "%-34s %9s %11s %10s %6s  options\n", "kernel", "launches", "ms", "us/launch", "%");
    for (size_t i = 0; i < dev->kernel_count; i++) {
        const tn_kernel *k = dev->kernels[i];
        if (k->trace_launches)
            fprintf(stderr, "%-34s %9ld %11.2f %10.1f %6.1f  %s\n", k->name, k->trace_launches,
                    1e3 * k->trace_seconds, 1e6 * k->trace_seconds / (double)k->trace_launches,
                    100 * k->trace_seconds / all, k->options);
    }
}
