#include "internal.h"

#include "clock.h"
#include "trace.h"

#include <limits.h>
#include <string.h>

tn_arg tn_arg_buffer(const tn_buffer *buffer) {
    return (tn_arg){.buffer = buffer, .absent = buffer == NULL, .size = sizeof(cl_mem)};
}

tn_arg tn_arg_i32(int64_t value) {
    if (value > INT_MAX || value < INT_MIN)
        return (tn_arg){.size = 0}; /* refused at the launch, where the kernel's name is known */
    return (tn_arg){.size = sizeof(int32_t), .value.i32 = (int32_t)value};
}

tn_arg tn_arg_f32(double value) {
    return (tn_arg){.size = sizeof(float), .value.f32 = (float)value};
}

tn_arg tn_arg_local(size_t bytes) {
    return (tn_arg){.local = true, .size = bytes};
}

tn_arg tn_arg_bytes(const void *value, size_t size) {
    return (tn_arg){.bytes = value, .size = size};
}

tn_range tn_range_1d(size_t global, size_t local) {
    return (tn_range){.dims = 1, .global = {global, 1, 1}, .local = {local, 1, 1}};
}

tn_range tn_range_2d(size_t global0, size_t global1, size_t local0, size_t local1) {
    return (tn_range){.dims = 2, .global = {global0, global1, 1}, .local = {local0, local1, 1}};
}

size_t tn_group_across(size_t local, int64_t vectors, int lanes) {
    const size_t least = lanes > 1 ? 4 : 32;
    size_t across = local;
    while (across > 1 && (int64_t)across / 2 >= vectors)
        across /= 2;
    while (across > least &&
           (tn_ceil_div(vectors, (int64_t)across) * (int64_t)across - vectors) * 8 > vectors)
        across /= 2;
    return across;
}

tn_range tn_range_3d(size_t global0, size_t global1, size_t global2, size_t local0, size_t local1,
                     size_t local2) {
    return (tn_range){.dims = 3, .global = {global0, global1, global2}, .local = {local0, local1, local2}};
}

static cl_int arg_set(tn_kernel *kernel, cl_uint index, const tn_arg *arg) {
    if (arg->absent)
        return clSetKernelArg(kernel->kernel, index, sizeof(cl_mem), NULL);
    if (arg->buffer)
        return clSetKernelArg(kernel->kernel, index, sizeof(cl_mem), &arg->buffer->mem);
    if (arg->local)
        return clSetKernelArg(kernel->kernel, index, arg->size, NULL);
    return clSetKernelArg(kernel->kernel, index, arg->size, arg->bytes ? arg->bytes : &arg->value);
}

static void range_text(const tn_range *range, char *text, size_t size) {
    snprintf(text, size, "%zu×%zu×%zu in groups of %zu×%zu×%zu", range->global[0], range->global[1],
             range->global[2], range->local[0], range->local[1], range->local[2]);
}

static tn_status check_private(tn_device *dev, const tn_kernel *kernel) {
    if (kernel->private_bytes > dev->private_seen)
        dev->private_seen = kernel->private_bytes;
    if (dev->private_most && kernel->private_bytes > dev->private_most)
        return tn_fail(
            dev->ctx, TN_ERR_UNSUPPORTED,
            "kernel %s of %s holds %zu bytes of private memory an item, and what is tried may hold "
            "%zu: it would spill",
            kernel->name, kernel->op, kernel->private_bytes, dev->private_most);
    return TN_OK;
}

tn_status tn_launch_args(tn_device *dev, tn_kernel *kernel, tn_range range, const tn_arg *args, int count) {
    char text[200];
    size_t group = 1, local = 0;
    if (!kernel)
        return tn_fail(dev->ctx, TN_ERR_ARG, "launch of a kernel that the variant's plan did not make");
    for (int i = 0; i < range.dims; i++) {
        if (range.global[i] == 0)
            return TN_OK;
        if (range.local[i] == 0)
            continue;
        group *= range.local[i];
        range.global[i] = (range.global[i] + range.local[i] - 1) / range.local[i] * range.local[i];
    }
    if (tn_launch_dropped(dev, kernel->name))
        return TN_OK;
    TN_TRY(check_private(dev, kernel));
    if (group > kernel->max_work_group)
        return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED,
                       "kernel %s of %s: a work-group of %zu is past the %zu that %s allows", kernel->name,
                       kernel->op, group, kernel->max_work_group, dev->info.name);
    for (int i = 0; i < count; i++) {
        if (args[i].size == 0)
            return tn_fail(dev->ctx, TN_ERR_UNSUPPORTED, "kernel %s of %s: argument %d does not fit 32 bits",
                           kernel->name, kernel->op, i);
        local += args[i].local ? args[i].size : 0;
        cl_int code = arg_set(kernel, (cl_uint)i, &args[i]);
        if (code != CL_SUCCESS)
            return tn_device_fail(dev, code, "kernel %s of %s: argument %d of %d", kernel->name, kernel->op,
                                  i, count);
    }
    if (local)
        TN_TRY(tn_kernel_check_local(dev, kernel, local));
    dev->running = kernel;
    cl_event event = NULL;
    bool trace = tn_trace_mode() == TN_TRACE_WAIT;
    double start = trace ? tn_clock_seconds() : 0;
    cl_int code =
        clEnqueueNDRangeKernel(dev->queue, kernel->kernel, (cl_uint)range.dims, NULL, range.global,
                               range.local[0] ? range.local : NULL, 0, NULL, dev->profiling ? &event : NULL);
    if (code != CL_SUCCESS) {
        range_text(&range, text, sizeof text);
        return tn_device_fail(dev, code, "kernel %s of %s over %s on %s (%s)", kernel->name, kernel->op, text,
                              dev->info.name, kernel->options);
    }
    dev->counts.launches++;
    if (trace) {
        TN_TRY(tn_device_finish(dev));
        tn_trace_add(kernel, tn_clock_seconds() - start);
    }
    if (dev->profiling) {
        TN_TRY(tn_device_profile_add(dev, event));
        dev->events[dev->event_count - 1].kernel = kernel;
    }
    return TN_OK;
}
