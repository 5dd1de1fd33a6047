#include "internal.h"

#include "utf8.h"

#include <stdarg.h>
#include <string.h>

/* Of NVIDIA's driver, outside OpenCL: a kernel has faulted, or work was asked of a context that it has
 * broken. */
enum { NVIDIA_FAULT = -9999 };

const char *tn_cl_error_name(cl_int code) {
#define NAME(x)                                                                                              \
    case x:                                                                                                  \
        return #x
    switch (code) {
        NAME(CL_SUCCESS);
        NAME(CL_DEVICE_NOT_FOUND);
        NAME(CL_DEVICE_NOT_AVAILABLE);
        NAME(CL_COMPILER_NOT_AVAILABLE);
        NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE);
        NAME(CL_OUT_OF_RESOURCES);
        NAME(CL_OUT_OF_HOST_MEMORY);
        NAME(CL_PROFILING_INFO_NOT_AVAILABLE);
        NAME(CL_MEM_COPY_OVERLAP);
        NAME(CL_BUILD_PROGRAM_FAILURE);
        NAME(CL_MAP_FAILURE);
        NAME(CL_MISALIGNED_SUB_BUFFER_OFFSET);
        NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
        NAME(CL_INVALID_VALUE);
        NAME(CL_INVALID_DEVICE_TYPE);
        NAME(CL_INVALID_PLATFORM);
        NAME(CL_INVALID_DEVICE);
        NAME(CL_INVALID_CONTEXT);
        NAME(CL_INVALID_QUEUE_PROPERTIES);
        NAME(CL_INVALID_COMMAND_QUEUE);
        NAME(CL_INVALID_HOST_PTR);
        NAME(CL_INVALID_MEM_OBJECT);
        NAME(CL_INVALID_BINARY);
        NAME(CL_INVALID_BUILD_OPTIONS);
        NAME(CL_INVALID_PROGRAM);
        NAME(CL_INVALID_PROGRAM_EXECUTABLE);
        NAME(CL_INVALID_KERNEL_NAME);
        NAME(CL_INVALID_KERNEL_DEFINITION);
        NAME(CL_INVALID_KERNEL);
        NAME(CL_INVALID_ARG_INDEX);
        NAME(CL_INVALID_ARG_VALUE);
        NAME(CL_INVALID_ARG_SIZE);
        NAME(CL_INVALID_KERNEL_ARGS);
        NAME(CL_INVALID_WORK_DIMENSION);
        NAME(CL_INVALID_WORK_GROUP_SIZE);
        NAME(CL_INVALID_WORK_ITEM_SIZE);
        NAME(CL_INVALID_GLOBAL_OFFSET);
        NAME(CL_INVALID_EVENT_WAIT_LIST);
        NAME(CL_INVALID_EVENT);
        NAME(CL_INVALID_OPERATION);
        NAME(CL_INVALID_BUFFER_SIZE);
        NAME(CL_INVALID_GLOBAL_WORK_SIZE);
        NAME(CL_INVALID_PROPERTY);
        NAME(CL_INVALID_COMPILER_OPTIONS);
        NAME(CL_INVALID_LINKER_OPTIONS);
        NAME(CL_INVALID_DEVICE_PARTITION_COUNT);
    case -1001:
        return "CL_PLATFORM_NOT_FOUND_KHR";
    default:
        return code == NVIDIA_FAULT ? "NVIDIA's code for a kernel that faulted"
                                    : "an error code unknown to OpenCL 1.2";
    }
#undef NAME
}

static tn_status status_of(cl_int code) {
    switch (code) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_OUT_OF_RESOURCES:
        return TN_ERR_MEMORY;
    case CL_COMPILER_NOT_AVAILABLE:
    case CL_INVALID_WORK_GROUP_SIZE:
    case CL_INVALID_WORK_ITEM_SIZE:
        return TN_ERR_UNSUPPORTED;
    default:
        return TN_ERR_DEVICE;
    }
}

static tn_status fail(tn_context *ctx, cl_int code, const char *file, int line, const char *what) {
    tn_status status = status_of(code);
    return tn_fail_at(ctx, status, file, line, "%s: %s (%d)%s", what, tn_cl_error_name(code), code,
                      status == TN_ERR_MEMORY ? "; try a smaller batch or length" : "");
}

tn_status tn_cl_fail_at(tn_context *ctx, cl_int code, const char *file, int line, const char *format, ...) {
    char what[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return fail(ctx, code, file, line, what);
}

/* Whether a call that ended in `code` has lost the device. A queue or a context that was good cannot turn
 * invalid otherwise; running out of resources is how a fault shows at the first wait, and then the queue
 * fails again. */
bool tn_device_loses(const tn_device *dev, cl_int code) {
    if (dev->lost[0] || code == NVIDIA_FAULT || code == CL_INVALID_COMMAND_QUEUE ||
        code == CL_INVALID_CONTEXT || code == CL_DEVICE_NOT_AVAILABLE)
        return true;
    return code == CL_OUT_OF_RESOURCES && clFinish(dev->queue) != CL_SUCCESS;
}

tn_status tn_device_check(const tn_device *dev) {
    return dev->lost[0] ? tn_fail(dev->ctx, TN_ERR_LOST, "%s", dev->lost) : TN_OK;
}

tn_status tn_device_fail_at(tn_device *dev, cl_int code, const char *file, int line, const char *format,
                            ...) {
    char what[2048];
    const tn_kernel *k = dev->running;
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (!tn_device_loses(dev, code))
        return fail(dev->ctx, code, file, line, what);
    if (!dev->lost[0]) {
        char running[400] = "";
        if (!k)
            snprintf(running, sizeof running, "; no kernel was running");
        else if (!strstr(what, k->name)) /* a launch that fails says itself which it is */
            snprintf(running, sizeof running, "; running last: kernel %s of %s (%s)", k->name, k->op,
                     k->options);
        snprintf(dev->lost, sizeof dev->lost,
                 "%s is lost: %.300s: %s (%d)%s. A kernel that faults does this, or a reset of the driver; "
                 "another "
                 "process can go on",
                 dev->info.name, what, tn_cl_error_name(code), code, running);
        tn_utf8_clean(dev->lost);
    }
    return tn_fail_at(dev->ctx, TN_ERR_LOST, file, line, "%s", dev->lost);
}
