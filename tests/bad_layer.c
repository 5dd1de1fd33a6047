/* An OpenCL layer (OPENCL_LAYERS) that makes one device misbehave and leaves the others alone. BAD_LAYER says
 * how:
 *
 *     CALL:N:HOW:DEVICE
 *
 * The N-th call of CALL and all behind it, on devices whose name holds DEVICE (all, where that is
 * empty), hang (HOW is `hang`), abort
 * the process (`crash`), lose the device
 * (`lost`) or return HOW, an error code of OpenCL. Losing it is what NVIDIA's driver does when a kernel
 * faults: this call gives -9999, and from then on every one that needs the device fails, builds and waits
 * too. CALL is clEnqueueNDRangeKernel, clFinish, clEnqueueReadBuffer, clEnqueueWriteBuffer, clBuildProgram
 * (which then leaves a build log, as a compiler does; BAD_LAYER_LOG is another; with BAD_LAYER_OPTIONS
 * only builds with these options count) or clCreateBuffer. A setting
 * that cannot be read aborts. BAD_LAYER_PRIVATE, if set, says "BYTES OPTIONS": kernels built with these
 * options report so much private memory; BAD_LAYER_GPU, if set: every device is a GPU. */
#include "layer.h"

#include <unistd.h>

static char bad_call[64], bad_how[32], bad_device[128];
static long bad_from, seen;
static int is_lost;
static const char build_log[] = "gelu.cl:1:1: error: this compiler is broken on purpose\n";

static int is_bad_device(cl_device_id device) {
    return layer_is_device(device, bad_device);
}

static int is_bad_context(cl_context context) {
    cl_device_id devices[8];
    size_t size = 0;
    if (layer_target->clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof devices, devices, &size) !=
        CL_SUCCESS)
        return 0;
    for (size_t i = 0; i < size / sizeof devices[0]; i++)
        if (is_bad_device(devices[i]))
            return 1;
    return 0;
}

/* What becomes of one more call on the bad device: CL_SUCCESS where it may go on. */
static cl_int misbehave(const char *call) {
    if (is_lost)
        return strncmp(call, "clBuild", 7) == 0 || strncmp(call, "clCreate", 8) == 0
                   ? -9999
                   : CL_INVALID_COMMAND_QUEUE;
    if (strcmp(call, bad_call) != 0 || ++seen < bad_from)
        return CL_SUCCESS;
    if (strcmp(bad_how, "lost") == 0) {
        is_lost = 1;
        return -9999;
    }
    if (strcmp(bad_how, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(bad_how, "crash") == 0)
        abort();
    return atoi(bad_how);
}

static cl_int misbehave_on(cl_command_queue queue, const char *call) {
    cl_device_id device;
    return layer_target->clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL) ==
                       CL_SUCCESS &&
                   is_bad_device(device)
               ? misbehave(call)
               : CL_SUCCESS;
}

static cl_int CL_API_CALL enqueue(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                  const size_t *offset, const size_t *global, const size_t *local,
                                  cl_uint waits, const cl_event *wait_list, cl_event *event) {
    cl_int code = misbehave_on(queue, "clEnqueueNDRangeKernel");
    return code != CL_SUCCESS ? code
                              : layer_target->clEnqueueNDRangeKernel(queue, kernel, dims, offset, global,
                                                                     local, waits, wait_list, event);
}

static cl_int CL_API_CALL finish(cl_command_queue queue) {
    cl_int code = misbehave_on(queue, "clFinish");
    return code != CL_SUCCESS ? code : layer_target->clFinish(queue);
}

static cl_int CL_API_CALL read_buffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                                      size_t size, void *to, cl_uint waits, const cl_event *wait_list,
                                      cl_event *event) {
    cl_int code = misbehave_on(queue, "clEnqueueReadBuffer");
    return code != CL_SUCCESS ? code
                              : layer_target->clEnqueueReadBuffer(queue, buffer, blocking, offset, size, to,
                                                                  waits, wait_list, event);
}

static cl_int CL_API_CALL write_buffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                                       size_t size, const void *from, cl_uint waits,
                                       const cl_event *wait_list, cl_event *event) {
    cl_int code = misbehave_on(queue, "clEnqueueWriteBuffer");
    return code != CL_SUCCESS ? code
                              : layer_target->clEnqueueWriteBuffer(queue, buffer, blocking, offset, size,
                                                                   from, waits, wait_list, event);
}

static cl_int CL_API_CALL build(cl_program program, cl_uint count, const cl_device_id *devices,
                                const char *options, void(CL_CALLBACK *notify)(cl_program, void *),
                                void *data) {
    const char *which = getenv("BAD_LAYER_OPTIONS");
    if (count > 0 && is_bad_device(devices[0]) &&
        (is_lost || !which || (options && strstr(options, which)))) {
        cl_int code = misbehave("clBuildProgram");
        if (code != CL_SUCCESS)
            return code;
    }
    return layer_target->clBuildProgram(program, count, devices, options, notify, data);
}

static cl_int CL_API_CALL build_info(cl_program program, cl_device_id device, cl_program_build_info what,
                                     size_t size, void *value, size_t *size_out) {
    if (what != CL_PROGRAM_BUILD_LOG || strcmp(bad_call, "clBuildProgram") != 0 || seen < bad_from ||
        !is_bad_device(device))
        return layer_target->clGetProgramBuildInfo(program, device, what, size, value, size_out);
    const char *log = getenv("BAD_LAYER_LOG") ? getenv("BAD_LAYER_LOG") : build_log;
    return layer_answer(log, strlen(log) + 1, size, value, size_out);
}

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                                        cl_int *code_out) {
    cl_int code = is_bad_context(context) ? misbehave("clCreateBuffer") : CL_SUCCESS;
    if (code == CL_SUCCESS)
        return layer_target->clCreateBuffer(context, flags, size, host, code_out);
    if (code_out)
        *code_out = code;
    return NULL;
}

static cl_int CL_API_CALL group_info(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what,
                                     size_t size, void *value, size_t *size_out) {
    const char *lie = getenv("BAD_LAYER_PRIVATE");
    const cl_ulong bytes = lie ? strtoul(lie, NULL, 10) : 0;
    char options[1024] = "";
    cl_program program;
    if (lie && what == CL_KERNEL_PRIVATE_MEM_SIZE &&
        layer_target->clGetKernelInfo(kernel, CL_KERNEL_PROGRAM, sizeof program, &program, NULL) ==
            CL_SUCCESS &&
        layer_target->clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_OPTIONS, sizeof options,
                                            options, NULL) == CL_SUCCESS &&
        strstr(options, strchr(lie, ' ') + 1))
        return layer_answer(&bytes, sizeof bytes, size, value, size_out);
    return layer_target->clGetKernelWorkGroupInfo(kernel, device, what, size, value, size_out);
}

static cl_int CL_API_CALL device_info(cl_device_id device, cl_device_info what, size_t size, void *value,
                                      size_t *size_out) {
    const cl_device_type gpu = CL_DEVICE_TYPE_GPU;
    return what == CL_DEVICE_TYPE && getenv("BAD_LAYER_GPU")
               ? layer_answer(&gpu, sizeof gpu, size, value, size_out)
               : layer_target->clGetDeviceInfo(device, what, size, value, size_out);
}

static void layer_start(void) {
    const char *text = getenv("BAD_LAYER");
    if (!text ||
        sscanf(text, "%63[^:]:%ld:%31[^:]:%127[^\n]", bad_call, &bad_from, bad_how, bad_device) < 3) {
        fputs("bad_layer: BAD_LAYER must be CALL:N:hang|crash|lost|CODE:DEVICE\n", stderr);
        abort();
    }
    layer_table.clEnqueueNDRangeKernel = enqueue;
    layer_table.clFinish = finish;
    layer_table.clEnqueueReadBuffer = read_buffer;
    layer_table.clEnqueueWriteBuffer = write_buffer;
    layer_table.clBuildProgram = build;
    layer_table.clGetProgramBuildInfo = build_info;
    layer_table.clCreateBuffer = create_buffer;
    layer_table.clGetKernelWorkGroupInfo = group_info;
    layer_table.clGetDeviceInfo = device_info;
}
