#include "no_device.h"

#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>

#include <stdlib.h>
#include <string.h>

struct _cl_program {
    char *source, *options;
    int references; /* its own and those of its kernels */
};
struct _cl_kernel {
    cl_program program;
    char *name;
};
struct _cl_mem {
    unsigned char *bytes;
    int is_view;
};

static no_device_size size_of_device = {132, 48 << 10, 1024};
static void (*listener)(const no_device_launch *launch, void *data);
static void *listener_data;
/* Handles that nothing stands behind: only their addresses count. */
static char platform, device, context, queue, event;
#define HANDLE(type, name) ((type)(void *)&(name))

void no_device_set(no_device_size size) {
    size_of_device = size;
}

void no_device_listen(void (*launched)(const no_device_launch *launch, void *data), void *data) {
    listener = launched;
    listener_data = data;
}

static cl_int answer(const void *from, size_t bytes, size_t room, void *value, size_t *used) {
    if (used)
        *used = bytes;
    if (value && room < bytes)
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, from, bytes);
    return CL_SUCCESS;
}

static void set(cl_int *code, cl_int value) {
    if (code)
        *code = value;
}

#define TEXT(text)       return answer(text, strlen(text) + 1, room, value, used)
#define NUMBER(type, is) return answer(&(const type){is}, sizeof(type), room, value, used)

cl_int clGetPlatformIDs(cl_uint count, cl_platform_id *out, cl_uint *found) {
    if (found)
        *found = 1;
    if (count > 0 && out)
        out[0] = HANDLE(cl_platform_id, platform);
    return CL_SUCCESS;
}

cl_int clGetPlatformInfo(cl_platform_id of, cl_platform_info what, size_t room, void *value, size_t *used) {
    (void)of;
    if (what == CL_PLATFORM_NAME)
        TEXT("no device");
    return CL_INVALID_VALUE;
}

cl_int clGetDeviceIDs(cl_platform_id of, cl_device_type type, cl_uint count, cl_device_id *out,
                      cl_uint *found) {
    (void)of;
    if (!(type & (CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_DEFAULT)))
        return CL_DEVICE_NOT_FOUND;
    if (found)
        *found = 1;
    if (count > 0 && out)
        out[0] = HANDLE(cl_device_id, device);
    return CL_SUCCESS;
}

cl_int clGetDeviceInfo(cl_device_id of, cl_device_info what, size_t room, void *value, size_t *used) {
    (void)of;
    switch (what) {
    case CL_DEVICE_NAME:
        TEXT("a GPU that is not there");
    case CL_DEVICE_VENDOR:
    case CL_DRIVER_VERSION:
        TEXT("none");
    case CL_DEVICE_VERSION:
        TEXT("OpenCL 1.2 none");
    case CL_DEVICE_OPENCL_C_VERSION:
        TEXT("OpenCL C 1.2 none");
    case CL_DEVICE_EXTENSIONS:
        TEXT("");
    case CL_DEVICE_TYPE:
        NUMBER(cl_device_type, CL_DEVICE_TYPE_GPU);
    case CL_DEVICE_MAX_COMPUTE_UNITS:
        NUMBER(cl_uint, size_of_device.compute_units);
    case CL_DEVICE_MAX_CLOCK_FREQUENCY:
        NUMBER(cl_uint, 1500);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
        NUMBER(size_t, size_of_device.work_group);
    case CL_DEVICE_LOCAL_MEM_SIZE:
        NUMBER(cl_ulong, size_of_device.local_bytes);
    case CL_DEVICE_GLOBAL_MEM_SIZE:
        NUMBER(cl_ulong, (cl_ulong)16 << 30);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
        NUMBER(cl_ulong, (cl_ulong)4 << 30);
    case CL_DEVICE_GLOBAL_MEM_CACHE_SIZE:
        NUMBER(cl_ulong, 4 << 20);
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
        NUMBER(cl_uint, 4096);
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
        NUMBER(cl_bool, CL_FALSE);
    case CL_DEVICE_AVAILABLE:
    case CL_DEVICE_COMPILER_AVAILABLE:
        NUMBER(cl_bool, CL_TRUE);
    default:
        return CL_INVALID_VALUE;
    }
}

cl_int clCreateSubDevices(cl_device_id of, const cl_device_partition_property *how, cl_uint count,
                          cl_device_id *out, cl_uint *made) {
    (void)of, (void)how, (void)count, (void)out, (void)made;
    return CL_INVALID_VALUE;
}

cl_int clReleaseDevice(cl_device_id of) {
    (void)of;
    return CL_SUCCESS;
}

void *clGetExtensionFunctionAddress(const char *name) {
    (void)name;
    return NULL;
}

cl_context clCreateContext(const cl_context_properties *properties, cl_uint count,
                           const cl_device_id *devices,
                           void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data,
                           cl_int *code) {
    (void)properties, (void)count, (void)devices, (void)notify, (void)data;
    set(code, CL_SUCCESS);
    return HANDLE(cl_context, context);
}

cl_int clReleaseContext(cl_context of) {
    (void)of;
    return CL_SUCCESS;
}

cl_command_queue clCreateCommandQueue(cl_context in, cl_device_id of, cl_command_queue_properties properties,
                                      cl_int *code) {
    (void)in, (void)of, (void)properties;
    set(code, CL_SUCCESS);
    return HANDLE(cl_command_queue, queue);
}

cl_int clReleaseCommandQueue(cl_command_queue of) {
    (void)of;
    return CL_SUCCESS;
}

cl_int clFinish(cl_command_queue of) {
    (void)of;
    return CL_SUCCESS;
}

cl_int clFlush(cl_command_queue of) {
    (void)of;
    return CL_SUCCESS;
}

cl_int clReleaseEvent(cl_event of) {
    (void)of;
    return CL_SUCCESS;
}

cl_int clGetEventProfilingInfo(cl_event of, cl_profiling_info what, size_t room, void *value, size_t *used) {
    (void)of, (void)what;
    NUMBER(cl_ulong, 0);
}

/* Zeros: whatever a kernel would have counted, there is nothing of it. */
cl_mem clCreateBuffer(cl_context in, cl_mem_flags flags, size_t bytes, void *host, cl_int *code) {
    cl_mem mem = calloc(1, sizeof *mem);
    (void)in, (void)flags, (void)host;
    if (mem)
        mem->bytes = calloc(bytes, 1);
    if (!mem || !mem->bytes) {
        free(mem);
        set(code, CL_MEM_OBJECT_ALLOCATION_FAILURE);
        return NULL;
    }
    set(code, CL_SUCCESS);
    return mem;
}

cl_mem clCreateSubBuffer(cl_mem of, cl_mem_flags flags, cl_buffer_create_type type, const void *info,
                         cl_int *code) {
    const cl_buffer_region *region = info;
    cl_mem mem = calloc(1, sizeof *mem);
    (void)flags, (void)type;
    set(code, mem ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY);
    if (mem)
        *mem = (struct _cl_mem){of->bytes + region->origin, 1};
    return mem;
}

cl_int clReleaseMemObject(cl_mem of) {
    if (!of->is_view)
        free(of->bytes);
    free(of);
    return CL_SUCCESS;
}

cl_int clEnqueueWriteBuffer(cl_command_queue in, cl_mem to, cl_bool wait, size_t offset, size_t bytes,
                            const void *from, cl_uint count, const cl_event *list, cl_event *out) {
    (void)in, (void)wait, (void)count, (void)list, (void)out;
    memcpy(to->bytes + offset, from, bytes);
    return CL_SUCCESS;
}

cl_int clEnqueueReadBuffer(cl_command_queue in, cl_mem from, cl_bool wait, size_t offset, size_t bytes,
                           void *to, cl_uint count, const cl_event *list, cl_event *out) {
    (void)in, (void)wait, (void)count, (void)list, (void)out;
    memcpy(to, from->bytes + offset, bytes);
    return CL_SUCCESS;
}

cl_int clEnqueueFillBuffer(cl_command_queue in, cl_mem to, const void *pattern, size_t pattern_size,
                           size_t offset, size_t bytes, cl_uint count, const cl_event *list, cl_event *out) {
    (void)in, (void)to, (void)pattern, (void)pattern_size, (void)offset, (void)bytes, (void)count, (void)list,
        (void)out;
    return CL_SUCCESS;
}

cl_int clEnqueueCopyBuffer(cl_command_queue in, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,
                           size_t bytes, cl_uint count, const cl_event *list, cl_event *out) {
    (void)in, (void)from, (void)to, (void)from_offset, (void)to_offset, (void)bytes, (void)count, (void)list,
        (void)out;
    return CL_SUCCESS;
}

cl_program clCreateProgramWithSource(cl_context in, cl_uint count, const char **strings,
                                     const size_t *lengths, cl_int *code) {
    cl_program program = calloc(1, sizeof *program);
    (void)in;
    if (program && count == 1 && lengths)
        program->source = strndup(strings[0], lengths[0]);
    if (!program || !program->source) {
        free(program);
        set(code, CL_INVALID_VALUE);
        return NULL;
    }
    program->references = 1;
    set(code, CL_SUCCESS);
    return program;
}

cl_program clCreateProgramWithBinary(cl_context in, cl_uint count, const cl_device_id *devices,
                                     const size_t *lengths, const unsigned char **binaries, cl_int *status,
                                     cl_int *code) {
    (void)in, (void)count, (void)devices, (void)lengths, (void)binaries, (void)status;
    set(code, CL_INVALID_VALUE);
    return NULL;
}

cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
                      void(CL_CALLBACK *notify)(cl_program, void *), void *data) {
    (void)count, (void)devices, (void)notify, (void)data;
    program->options = strdup(options ? options : "");
    return program->options ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

cl_int clGetProgramInfo(cl_program of, cl_program_info what, size_t room, void *value, size_t *used) {
    (void)of, (void)what, (void)room, (void)value, (void)used;
    return CL_INVALID_VALUE;
}

cl_int clGetProgramBuildInfo(cl_program of, cl_device_id on, cl_program_build_info what, size_t room,
                             void *value, size_t *used) {
    (void)of, (void)on, (void)what;
    TEXT("");
}

cl_int clReleaseProgram(cl_program of) {
    if (--of->references > 0)
        return CL_SUCCESS;
    free(of->source);
    free(of->options);
    free(of);
    return CL_SUCCESS;
}

cl_kernel clCreateKernel(cl_program program, const char *name, cl_int *code) {
    cl_kernel kernel = calloc(1, sizeof *kernel);
    if (kernel)
        kernel->name = strdup(name);
    if (!kernel || !kernel->name) {
        free(kernel);
        set(code, CL_OUT_OF_HOST_MEMORY);
        return NULL;
    }
    kernel->program = program;
    program->references++;
    set(code, CL_SUCCESS);
    return kernel;
}

cl_int clReleaseKernel(cl_kernel of) {
    clReleaseProgram(of->program);
    free(of->name);
    free(of);
    return CL_SUCCESS;
}

cl_int clSetKernelArg(cl_kernel of, cl_uint index, size_t bytes, const void *value) {
    (void)of, (void)index, (void)bytes, (void)value;
    return CL_SUCCESS;
}

/* What a compiler alone would know is not known: local and private memory are 0. */
cl_int clGetKernelWorkGroupInfo(cl_kernel of, cl_device_id on, cl_kernel_work_group_info what, size_t room,
                                void *value, size_t *used) {
    (void)of, (void)on;
    if (what == CL_KERNEL_WORK_GROUP_SIZE)
        NUMBER(size_t, size_of_device.work_group);
    if (what == CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE)
        NUMBER(size_t, 32);
    if (what == CL_KERNEL_LOCAL_MEM_SIZE || what == CL_KERNEL_PRIVATE_MEM_SIZE)
        NUMBER(cl_ulong, 0);
    return CL_INVALID_VALUE;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue in, cl_kernel kernel, cl_uint dims, const size_t *offset,
                              const size_t *global, const size_t *local, cl_uint count, const cl_event *list,
                              cl_event *out) {
    no_device_launch launch = {kernel->program->source, kernel->program->options, kernel->name, 0};
    (void)in, (void)offset, (void)global, (void)count, (void)list;
    if (local)
        launch.group = 1;
    for (cl_uint i = 0; local && i < dims; i++)
        launch.group *= local[i];
    if (listener)
        listener(&launch, listener_data);
    if (out)
        *out = HANDLE(cl_event, event);
    return CL_SUCCESS;
}
