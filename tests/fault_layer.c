/* An OpenCL layer (OPENCL_LAYERS) that numbers the calls of every function that the program and CLBlast use,
 * and fails the one that fault_count.h names. What releases does so before it fails, so that a leak which a
 * test finds is the program's. */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl_layer.h>

#include "fault_count.h"

static struct _cl_icd_dispatch table;
static const struct _cl_icd_dispatch *target;

/* Functions that return a status: CODE instead of the call. */
#define STATUS(name, code, parameters, arguments)                                                            \
    static cl_int CL_API_CALL name parameters {                                                              \
        return tn_fault_now("cl" #name) ? (code) : target->cl##name arguments;                               \
    }

/* The same, but what is to be released goes all the same. */
#define RELEASE(name, code, parameters, arguments)                                                           \
    static cl_int CL_API_CALL name parameters {                                                              \
        cl_int got = target->cl##name arguments;                                                             \
        return tn_fault_now("cl" #name) ? (code) : got;                                                      \
    }

/* Functions that return an object and leave the status in the last argument, `out`. */
#define OBJECT(type, name, code, parameters, arguments)                                                      \
    static type CL_API_CALL name parameters {                                                                \
        if (!tn_fault_now("cl" #name))                                                                       \
            return target->cl##name arguments;                                                               \
        if (out)                                                                                             \
            *out = (code);                                                                                   \
        return NULL;                                                                                         \
    }

/* clang-format off */
STATUS(GetPlatformIDs, CL_OUT_OF_HOST_MEMORY, (cl_uint n, cl_platform_id *p, cl_uint *k), (n, p, k))
STATUS(GetPlatformInfo, CL_OUT_OF_HOST_MEMORY, (cl_platform_id p, cl_platform_info i, size_t n, void *v, size_t *k), (p, i, n, v, k))
STATUS(GetDeviceIDs, CL_OUT_OF_RESOURCES, (cl_platform_id p, cl_device_type t, cl_uint n, cl_device_id *d, cl_uint *k), (p, t, n, d, k))
STATUS(GetDeviceInfo, CL_OUT_OF_RESOURCES, (cl_device_id d, cl_device_info i, size_t n, void *v, size_t *k), (d, i, n, v, k))
STATUS(CreateSubDevices, CL_DEVICE_PARTITION_FAILED, (cl_device_id d, const cl_device_partition_property *p, cl_uint n, cl_device_id *s, cl_uint *k), (d, p, n, s, k))
RELEASE(ReleaseDevice, CL_OUT_OF_RESOURCES, (cl_device_id d), (d))
OBJECT(cl_context, CreateContext, CL_DEVICE_NOT_AVAILABLE, (const cl_context_properties *p, cl_uint n, const cl_device_id *d, void (CL_CALLBACK *f)(const char *, const void *, size_t, void *), void *u, cl_int *out), (p, n, d, f, u, out))
RELEASE(ReleaseContext, CL_OUT_OF_RESOURCES, (cl_context c), (c))
STATUS(GetContextInfo, CL_OUT_OF_RESOURCES, (cl_context c, cl_context_info i, size_t n, void *v, size_t *k), (c, i, n, v, k))
OBJECT(cl_command_queue, CreateCommandQueue, CL_OUT_OF_RESOURCES, (cl_context c, cl_device_id d, cl_command_queue_properties p, cl_int *out), (c, d, p, out))
RELEASE(ReleaseCommandQueue, CL_OUT_OF_RESOURCES, (cl_command_queue q), (q))
STATUS(GetCommandQueueInfo, CL_OUT_OF_RESOURCES, (cl_command_queue q, cl_command_queue_info i, size_t n, void *v, size_t *k), (q, i, n, v, k))
OBJECT(cl_mem, CreateBuffer, CL_MEM_OBJECT_ALLOCATION_FAILURE, (cl_context c, cl_mem_flags f, size_t n, void *h, cl_int *out), (c, f, n, h, out))
OBJECT(cl_mem, CreateSubBuffer, CL_MEM_OBJECT_ALLOCATION_FAILURE, (cl_mem m, cl_mem_flags f, cl_buffer_create_type t, const void *r, cl_int *out), (m, f, t, r, out))
RELEASE(ReleaseMemObject, CL_OUT_OF_RESOURCES, (cl_mem m), (m))
STATUS(GetMemObjectInfo, CL_OUT_OF_RESOURCES, (cl_mem m, cl_mem_info i, size_t n, void *v, size_t *k), (m, i, n, v, k))
OBJECT(cl_program, CreateProgramWithSource, CL_OUT_OF_HOST_MEMORY, (cl_context c, cl_uint n, const char **s, const size_t *l, cl_int *out), (c, n, s, l, out))
OBJECT(cl_program, CreateProgramWithBinary, CL_INVALID_BINARY, (cl_context c, cl_uint n, const cl_device_id *d, const size_t *l, const unsigned char **b, cl_int *s, cl_int *out), (c, n, d, l, b, s, out))
STATUS(BuildProgram, CL_BUILD_PROGRAM_FAILURE, (cl_program p, cl_uint n, const cl_device_id *d, const char *o, void (CL_CALLBACK *f)(cl_program, void *), void *u), (p, n, d, o, f, u))
STATUS(GetProgramInfo, CL_OUT_OF_RESOURCES, (cl_program p, cl_program_info i, size_t n, void *v, size_t *k), (p, i, n, v, k))
STATUS(GetProgramBuildInfo, CL_OUT_OF_RESOURCES, (cl_program p, cl_device_id d, cl_program_build_info i, size_t n, void *v, size_t *k), (p, d, i, n, v, k))
RELEASE(ReleaseProgram, CL_OUT_OF_RESOURCES, (cl_program p), (p))
OBJECT(cl_kernel, CreateKernel, CL_INVALID_KERNEL_NAME, (cl_program p, const char *name, cl_int *out), (p, name, out))
RELEASE(ReleaseKernel, CL_OUT_OF_RESOURCES, (cl_kernel k), (k))
STATUS(SetKernelArg, CL_OUT_OF_RESOURCES, (cl_kernel k, cl_uint i, size_t n, const void *v), (k, i, n, v))
STATUS(GetKernelWorkGroupInfo, CL_OUT_OF_RESOURCES, (cl_kernel k, cl_device_id d, cl_kernel_work_group_info i, size_t n, void *v, size_t *s), (k, d, i, n, v, s))
STATUS(GetKernelInfo, CL_OUT_OF_RESOURCES, (cl_kernel k, cl_kernel_info i, size_t n, void *v, size_t *s), (k, i, n, v, s))
STATUS(WaitForEvents, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, (cl_uint n, const cl_event *e), (n, e))
STATUS(GetEventInfo, CL_OUT_OF_RESOURCES, (cl_event e, cl_event_info i, size_t n, void *v, size_t *k), (e, i, n, v, k))
STATUS(GetEventProfilingInfo, CL_PROFILING_INFO_NOT_AVAILABLE, (cl_event e, cl_profiling_info i, size_t n, void *v, size_t *k), (e, i, n, v, k))
RELEASE(ReleaseEvent, CL_OUT_OF_RESOURCES, (cl_event e), (e))
STATUS(Flush, CL_OUT_OF_RESOURCES, (cl_command_queue q), (q))
STATUS(Finish, CL_OUT_OF_RESOURCES, (cl_command_queue q), (q))
STATUS(EnqueueReadBuffer, CL_OUT_OF_RESOURCES, (cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, void *v, cl_uint w, const cl_event *l, cl_event *e), (q, m, b, o, n, v, w, l, e))
STATUS(EnqueueWriteBuffer, CL_OUT_OF_RESOURCES, (cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, const void *v, cl_uint w, const cl_event *l, cl_event *e), (q, m, b, o, n, v, w, l, e))
STATUS(EnqueueFillBuffer, CL_OUT_OF_RESOURCES, (cl_command_queue q, cl_mem m, const void *p, size_t s, size_t o, size_t n, cl_uint w, const cl_event *l, cl_event *e), (q, m, p, s, o, n, w, l, e))
STATUS(EnqueueCopyBuffer, CL_OUT_OF_RESOURCES, (cl_command_queue q, cl_mem a, cl_mem b, size_t x, size_t y, size_t n, cl_uint w, const cl_event *l, cl_event *e), (q, a, b, x, y, n, w, l, e))
STATUS(EnqueueNDRangeKernel, CL_OUT_OF_RESOURCES, (cl_command_queue q, cl_kernel k, cl_uint d, const size_t *o, const size_t *g, const size_t *s, cl_uint w, const cl_event *l, cl_event *e), (q, k, d, o, g, s, w, l, e))
/* clang-format on */

#define EVERY(use)                                                                                           \
    use(GetPlatformIDs) use(GetPlatformInfo) use(GetDeviceIDs) use(GetDeviceInfo) use(CreateSubDevices)      \
        use(ReleaseDevice) use(CreateContext) use(ReleaseContext) use(GetContextInfo)                        \
            use(CreateCommandQueue) use(ReleaseCommandQueue) use(GetCommandQueueInfo) use(CreateBuffer)      \
                use(CreateSubBuffer) use(ReleaseMemObject) use(GetMemObjectInfo)                             \
                    use(CreateProgramWithSource) use(CreateProgramWithBinary) use(BuildProgram)              \
                        use(GetProgramInfo) use(GetProgramBuildInfo) use(ReleaseProgram) use(CreateKernel)   \
                            use(ReleaseKernel) use(SetKernelArg) use(GetKernelWorkGroupInfo)                 \
                                use(GetKernelInfo) use(WaitForEvents) use(GetEventInfo)                      \
                                    use(GetEventProfilingInfo) use(ReleaseEvent) use(Flush) use(Finish)      \
                                        use(EnqueueReadBuffer) use(EnqueueWriteBuffer)                       \
                                            use(EnqueueFillBuffer) use(EnqueueCopyBuffer)                    \
                                                use(EnqueueNDRangeKernel)

CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *value,
                                               size_t *size_out) {
    static const char name[] = "faults";
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    const void *from = what == CL_LAYER_API_VERSION ? (const void *)&version : name;
    size_t bytes = what == CL_LAYER_API_VERSION ? sizeof version : sizeof name;
    if ((what != CL_LAYER_API_VERSION && what != CL_LAYER_NAME) || (value && size < bytes))
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, from, bytes);
    if (size_out)
        *size_out = bytes;
    return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch *below,
                                            cl_uint *entries_out, const cl_icd_dispatch **out) {
    if (!below || !entries_out || !out || entries < sizeof table / sizeof(void *))
        return CL_INVALID_VALUE;
    target = below;
    memcpy(&table, below, sizeof table);
#define TAKE(name) table.cl##name = name;
    EVERY(TAKE)
    *entries_out = sizeof table / sizeof(void *);
    *out = &table;
    return CL_SUCCESS;
}
