/* The queue of a device: waiting for it, and the times of launches from their events. */
#include "internal.h"

#include "trace.h"

void tn_events_release(tn_device *dev) {
    for (size_t i = 0; i < dev->event_count; i++)
        clReleaseEvent(dev->events[i].event);
    dev->event_count = 0;
}

tn_device_counts tn_device_counted(const tn_device *dev) {
    return dev->counts;
}

void tn_device_count_launch(tn_device *dev) {
    dev->counts.launches++;
}

tn_status tn_device_finish(tn_device *dev) {
    cl_int code = clFinish(dev->queue);
    if (code != CL_SUCCESS)
        return tn_device_fail(dev, code, "waiting for %s", dev->info.name);
    tn_device_waited(dev);
    return TN_OK;
}

tn_status tn_device_flush(tn_device *dev) {
    cl_int code = clFlush(dev->queue);
    return code == CL_SUCCESS ? TN_OK : tn_device_fail(dev, code, "flushing the queue of %s", dev->info.name);
}

tn_status tn_device_profile_begin(tn_device *dev) {
    tn_events_release(dev);
    dev->profiling = true;
    return TN_OK;
}

bool tn_device_profiling(const tn_device *dev) {
    return dev->profiling;
}

tn_status tn_device_profile_add(tn_device *dev, void *event) {
    TN_TRY(tn_grow(dev->ctx, &dev->events, &dev->event_capacity, dev->event_count + 1, sizeof *dev->events));
    dev->events[dev->event_count++] = (tn_event){event, NULL};
    return TN_OK;
}

static tn_status event_seconds(tn_device *dev, size_t i, double *seconds) {
    cl_ulong start = 0, end = 0;
    cl_int code =
        clGetEventProfilingInfo(dev->events[i].event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
    if (code == CL_SUCCESS)
        code =
            clGetEventProfilingInfo(dev->events[i].event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    /* Signed: an END before its START (seen on ROCm) must show up, not wrap to centuries. */
    *seconds = 1e-9 * (double)(cl_long)(end - start);
    return code == CL_SUCCESS ? TN_OK
                              : tn_device_fail(dev, code, "reading event times on %s", dev->info.name);
}

int tn_device_profile_launches(const tn_device *dev) {
    return (int)dev->event_count;
}

tn_status tn_device_profile_end_split(tn_device *dev, const int *ends, int count, double *seconds) {
    double one;
    dev->profiling = false;
    tn_status status = tn_device_finish(dev);
    size_t i = 0;
    for (int k = 0; k < count; k++) {
        seconds[k] = 0;
        for (; status == TN_OK && i < (size_t)ends[k] && i < dev->event_count; i++) {
            status = event_seconds(dev, i, &one);
            seconds[k] += one;
            if (tn_trace_mode() == TN_TRACE_EVENTS && dev->events[i].kernel)
                tn_trace_add(dev->events[i].kernel, one);
        }
    }
    tn_events_release(dev);
    return status;
}

tn_status tn_device_profile_end(tn_device *dev, double *seconds, int *launches) {
    *launches = tn_device_profile_launches(dev);
    return tn_device_profile_end_split(dev, launches, 1, seconds);
}
