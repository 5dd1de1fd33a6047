/* An OpenCL layer (OPENCL_LAYERS) that makes one device misbehave and leaves the others alone. BAD_LAYER says
 * how:
 *
 *     CALL:N:HOW:DEVICE
 *
 * The N-th call of CALL and all behind it, on devices whose name holds DEVICE, hang (HOW is `hang`), abort
 * the process (`crash`) or return HOW, an error code of OpenCL. CALL is clEnqueueNDRangeKernel,
 * clBuildProgram (which then leaves a build log, as a compiler does) or clCreateBuffer. A setting that cannot
 * be read aborts. */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl_layer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct _cl_icd_dispatch table;
static const struct _cl_icd_dispatch *target;
static char bad_call[64], bad_how[32], bad_device[128];
static long bad_from, seen;
static const char build_log[] = "common.cl:1:1: error: this compiler is broken on purpose\n";

static int is_bad_device(cl_device_id device) {
    char name[512] = "";
    return target->clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof name - 1, name, NULL) == CL_SUCCESS &&
           strstr(name, bad_device) != NULL;
}

static int is_bad_context(cl_context context) {
    cl_device_id devices[8];
    size_t size = 0;
    if (target->clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof devices, devices, &size) != CL_SUCCESS)
        return 0;
    for (size_t i = 0; i < size / sizeof devices[0]; i++)
        if (is_bad_device(devices[i]))
            return 1;
    return 0;
}

/* What becomes of one more call on the bad device: CL_SUCCESS where it may go on. */
static cl_int misbehave(const char *call) {
    if (strcmp(call, bad_call) != 0 || ++seen < bad_from)
        return CL_SUCCESS;
    if (strcmp(bad_how, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(bad_how, "crash") == 0)
        abort();
    return atoi(bad_how);
}

static cl_int CL_API_CALL enqueue(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                  const size_t *offset, const size_t *global, const size_t *local,
                                  cl_uint waits, const cl_event *wait_list, cl_event *event) {
    cl_device_id device;
    if (target->clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL) == CL_SUCCESS &&
        is_bad_device(device)) {
        cl_int code = misbehave("clEnqueueNDRangeKernel");
        if (code != CL_SUCCESS)
            return code;
    }
    return target->clEnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, waits, wait_list,
                                          event);
}

static cl_int CL_API_CALL build(cl_program program, cl_uint count, const cl_device_id *devices,
                                const char *options, void(CL_CALLBACK *notify)(cl_program, void *),
                                void *data) {
    if (count > 0 && is_bad_device(devices[0])) {
        cl_int code = misbehave("clBuildProgram");
        if (code != CL_SUCCESS)
            return code;
    }
    return target->clBuildProgram(program, count, devices, options, notify, data);
}

static cl_int CL_API_CALL build_info(cl_program program, cl_device_id device, cl_program_build_info what,
                                     size_t size, void *value, size_t *size_out) {
    if (what != CL_PROGRAM_BUILD_LOG || strcmp(bad_call, "clBuildProgram") != 0 || seen < bad_from ||
        !is_bad_device(device))
        return target->clGetProgramBuildInfo(program, device, what, size, value, size_out);
    if (value && size < sizeof build_log)
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, build_log, sizeof build_log);
    if (size_out)
        *size_out = sizeof build_log;
    return CL_SUCCESS;
}

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                                        cl_int *code_out) {
    cl_int code = is_bad_context(context) ? misbehave("clCreateBuffer") : CL_SUCCESS;
    if (code == CL_SUCCESS)
        return target->clCreateBuffer(context, flags, size, host, code_out);
    if (code_out)
        *code_out = code;
    return NULL;
}

static void read_setting(void) {
    const char *text = getenv("BAD_LAYER");
    if (!text ||
        sscanf(text, "%63[^:]:%ld:%31[^:]:%127[^\n]", bad_call, &bad_from, bad_how, bad_device) != 4) {
        fputs("bad_layer: BAD_LAYER must be CALL:N:hang|crash|CODE:DEVICE\n", stderr);
        abort();
    }
}

CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *value,
                                               size_t *size_out) {
    static const char name[] = "bad device";
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
    read_setting();
    target = below;
    memcpy(&table, below, sizeof table);
    table.clEnqueueNDRangeKernel = enqueue;
    table.clBuildProgram = build;
    table.clGetProgramBuildInfo = build_info;
    table.clCreateBuffer = create_buffer;
    *entries_out = sizeof table / sizeof(void *);
    *out = &table;
    return CL_SUCCESS;
}
