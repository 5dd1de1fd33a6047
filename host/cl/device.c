/* An opened device: context, in-order queue with profiling, events, and what ops keep with it. */
#include "internal.h"

#include "trace.h"

#include <string.h>

/* Asked before it is tried: a driver that cannot may also not have the function, and crash. */
static bool can_partition(const tn_device_info *info, cl_device_partition_property how) {
    cl_device_partition_property ways[16] = {0};
    size_t size = 0;
    if (clGetDeviceInfo(info->cl_device, CL_DEVICE_PARTITION_PROPERTIES, sizeof ways, ways, &size) !=
        CL_SUCCESS)
        return false;
    for (size_t i = 0; i < size / sizeof ways[0]; i++)
        if (ways[i] == how)
            return true;
    return false;
}

/* `cores` compute units of `info`, as a device of its own. */
static tn_status partition(tn_context *ctx, const tn_device_info *info, int cores, cl_device_id *out) {
    const cl_device_partition_property counts[] = {CL_DEVICE_PARTITION_BY_COUNTS, cores,
                                                   CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
    const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, cores, 0};
    cl_uint made = 0;
    cl_device_id parts[256];
    cl_int code = CL_INVALID_VALUE;
    if (can_partition(info, CL_DEVICE_PARTITION_BY_COUNTS))
        code = clCreateSubDevices(info->cl_device, counts, 1, out, NULL);
    if (code == CL_SUCCESS)
        return TN_OK;
    if (!can_partition(info, CL_DEVICE_PARTITION_EQUALLY) ||
        clCreateSubDevices(info->cl_device, equally, 0, NULL, &made) != CL_SUCCESS || made == 0 ||
        made > 256 || clCreateSubDevices(info->cl_device, equally, made, parts, NULL) != CL_SUCCESS)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED,
                       "%s (%s) gives no sub-device of %d of its %u compute units; leave --cores out for it",
                       info->name, info->platform_name, cores, info->compute_units);
    *out = parts[0];
    for (cl_uint i = 1; i < made; i++)
        clReleaseDevice(parts[i]);
    return TN_OK;
}

/* `part`: a sub-device to open in its place, owned from here on; NULL for none. */
static tn_status device_open(tn_context *ctx, const tn_device_info *info, cl_device_id part,
                             tn_device **out) {
    tn_device *dev;
    tn_status status = tn_alloc(ctx, 1, sizeof *dev, &dev);
    if (status != TN_OK) {
        if (part)
            clReleaseDevice(part);
        return status;
    }
    dev->ctx = ctx;
    dev->info = *info;
    dev->part = part;
    if (part)
        dev->info.cl_device = part;
    cl_device_id id = dev->info.cl_device;
    cl_int code;
    cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)info->cl_platform, 0};
    dev->context = clCreateContext(properties, 1, &id, NULL, NULL, &code);
    if (!dev->context) {
        status = tn_cl_fail(ctx, code, "opening device %d:%d (%s)", info->platform, info->index, info->name);
        goto cleanup;
    }
    dev->queue = clCreateCommandQueue(dev->context, id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (!dev->queue) {
        status = tn_cl_fail(ctx, code, "making a queue on %s", info->name);
        goto cleanup;
    }
    TN_GO(tn_alloc(ctx, 1, sizeof *dev->tried_values, &dev->tried_values));
    tn_tuned_load(dev);
    TN_GO(tn_device_settings_reload(dev));
    *out = dev;
    return TN_OK;
cleanup:
    tn_device_close(dev);
    return status;
}

static tn_status check_usable(tn_context *ctx, const tn_device_info *info) {
    return info->skip_reason[0] ? tn_fail(ctx, TN_ERR_ARG, "device %d:%d (%s) is left out: %s",
                                          info->platform, info->index, info->name, info->skip_reason)
                                : TN_OK;
}

tn_status tn_device_open(tn_context *ctx, const tn_device_info *info, tn_device **out) {
    cl_device_id part = NULL;
    *out = NULL;
    TN_TRY(check_usable(ctx, info));
    if (info->compute_units < info->driver_units &&
        partition(ctx, info, (int)info->compute_units, &part) != TN_OK)
        part = NULL; /* then its threads share the CPUs there are */
    return device_open(ctx, info, part, out);
}

tn_status tn_device_open_cores(tn_context *ctx, const tn_device_info *info, int cores, tn_device **out) {
    tn_device_info fewer = *info;
    cl_device_id part = NULL;
    *out = NULL;
    if (cores == 0)
        return tn_device_open(ctx, info, out);
    TN_TRY(check_usable(ctx, info));
    if ((unsigned)cores != info->compute_units && info->kind != TN_KIND_CPU)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "%s is no CPU: its compute units are not cores to choose",
                       info->name);
    if ((unsigned)cores > info->compute_units)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "%s has %u compute units, not %d", info->name,
                       info->compute_units, cores);
    if ((unsigned)cores < info->driver_units)
        TN_TRY(partition(ctx, info, cores, &part));
    fewer.compute_units = (unsigned)cores;
    return device_open(ctx, &fewer, part, out);
}

tn_status tn_device_open_selected(tn_context *ctx, const char *selector, tn_device **out) {
    tn_device_list list;
    const tn_device_info *info;
    *out = NULL;
    TN_TRY(tn_device_list_make(ctx, &list));
    tn_status status = tn_device_select(ctx, &list, selector, &info);
    if (status == TN_OK)
        status = tn_device_open(ctx, info, out);
    tn_device_list_free(ctx, &list);
    return status;
}

void tn_device_close(tn_device *dev) {
    if (!dev)
        return;
    tn_context *ctx = dev->ctx;
    const bool done = !dev->queue || clFinish(dev->queue) == CL_SUCCESS;
    while (dev->at_close_count > 0) {
        dev->at_close_count--;
        dev->at_close[dev->at_close_count].run(dev, dev->at_close[dev->at_close_count].data);
    }
    for (int i = 0; i < dev->slot_count; i++)
        tn_free(ctx, dev->slots[i].data);
    for (int i = 0; i < TN_SCRATCH_SLOTS; i++)
        tn_buffer_destroy(dev->scratch[i]);
    tn_trace_print(dev);
    tn_kernels_release(dev);
    tn_events_release(dev);
    tn_free(ctx, dev->events);
    tn_free(ctx, dev->tried_values);
    tn_free(ctx, dev->tuned);
    tn_free(ctx, dev->plans);
    tn_staged_free(dev, done);
    tn_settings_free(dev);
    if (dev->queue)
        clReleaseCommandQueue(dev->queue);
    if (dev->context)
        clReleaseContext(dev->context);
    if (dev->part)
        clReleaseDevice(dev->part);
    tn_free(ctx, dev);
}

tn_context *tn_device_context(const tn_device *dev) {
    return dev->ctx;
}

const tn_device_info *tn_device_get_info(const tn_device *dev) {
    return &dev->info;
}

void *tn_device_raw_context(const tn_device *dev) {
    return dev->context;
}

void *tn_device_raw_queue(const tn_device *dev) {
    return dev->queue;
}

tn_status tn_device_at_close(tn_device *dev, void (*run)(tn_device *, void *), void *data) {
    if (dev->at_close_count == 4)
        return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "more than 4 close hooks on one device");
    dev->at_close[dev->at_close_count].run = run;
    dev->at_close[dev->at_close_count++].data = data;
    return TN_OK;
}

tn_status tn_device_state(tn_device *dev, const char *key, size_t bytes, void **out) {
    for (int i = 0; i < dev->slot_count; i++)
        if (strcmp(dev->slots[i].key, key) == 0) {
            *out = dev->slots[i].data;
            return TN_OK;
        }
    if (dev->slot_count == (int)(sizeof dev->slots / sizeof dev->slots[0]))
        return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "no room for the state of '%s' on the device", key);
    tn_device_slot *slot = &dev->slots[dev->slot_count];
    TN_TRY(tn_alloc(dev->ctx, 1, bytes, &slot->data));
    snprintf(slot->key, sizeof slot->key, "%s", key);
    dev->slot_count++;
    *out = slot->data;
    return TN_OK;
}
