/* Finding the machine's devices: what drivers say of them, and of which nothing can be used and why. */
#include "internal.h"

#include "loader.h"
#include "topology.h"
#include "utf8.h"

#include <ctype.h>
#include <hwloc.h>
#include <hwloc/opencl.h>
#include <stdlib.h>
#include <string.h>

#ifndef CL_DEVICE_PCI_BUS_INFO_KHR
#define CL_DEVICE_PCI_BUS_INFO_KHR 0x410F
#endif
#ifndef CL_DEVICE_BOARD_NAME_AMD
#define CL_DEVICE_BOARD_NAME_AMD 0x4038
#endif

/* A text of a driver or a platform, by clGetDeviceInfo or clGetPlatformInfo. Here, and nowhere else, it
 * becomes UTF-8: drivers cut names in a character, or write them in another code. */
typedef cl_int (*text_query)(const void *of, cl_uint what, size_t size, void *value, size_t *used);

static cl_int device_query(const void *of, cl_uint what, size_t size, void *value, size_t *used) {
    return clGetDeviceInfo((cl_device_id)of, what, size, value, used);
}

static cl_int platform_query(const void *of, cl_uint what, size_t size, void *value, size_t *used) {
    return clGetPlatformInfo((cl_platform_id)of, what, size, value, used);
}

static void text_info(text_query query, const void *of, cl_uint what, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    if (query(of, what, 0, NULL, &used) != CL_SUCCESS || used == 0)
        return;
    char *whole = calloc(used + 1, 1);
    if (!whole)
        return;
    if (query(of, what, used, whole, NULL) == CL_SUCCESS)
        snprintf(text, size, "%s", whole);
    free(whole);
    tn_utf8_clean(text); /* behind the cut, which may go through a character, too */
    while (text[0] && isspace((unsigned char)text[strlen(text) - 1]))
        text[strlen(text) - 1] = '\0';
}

/* hwloc knows the queries of AMD's and NVIDIA's own drivers. Of AMD's it has no domain: where the driver
 * answers the KHR query too, for the same bus, that one has it. */
static void pci_address(cl_device_id device, char *text, size_t size) {
    struct {
        cl_uint domain, bus, device, function;
    } place = {0}, khr;
    text[0] = '\0';
    bool known = hwloc_opencl_get_device_pci_busid(device, &place.domain, &place.bus, &place.device,
                                                   &place.function) == 0;
    if (clGetDeviceInfo(device, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof khr, &khr, NULL) == CL_SUCCESS &&
        (!known || khr.bus == place.bus)) {
        place.domain = khr.domain;
        place.bus = khr.bus;
        place.device = khr.device;
        place.function = khr.function;
        known = true;
    }
    if (known)
        snprintf(text, size, "%04x:%02x:%02x.%x", place.domain & 0xffff, place.bus & 0xff,
                 place.device & 0xff, place.function & 0xf);
}

/* AMD's driver calls a device by its instruction set, "gfx1100", whatever card it is on; the card's name
 * stands behind it in all that is shown and written, and tells two cards apart. */
static void names(cl_device_id device, tn_device_info *info) {
    text_info(device_query, device, CL_DEVICE_NAME, info->name, sizeof info->name);
    text_info(device_query, device, CL_DEVICE_BOARD_NAME_AMD, info->board, sizeof info->board);
    size_t used = strlen(info->name);
    if (!info->board[0] || strstr(info->name, info->board))
        return;
    snprintf(info->name + used, sizeof info->name - used, used ? " (%s)" : "%s", info->board);
    tn_utf8_clean(info->name);
}

/* 0 where the driver gives no answer; *unsaid, if not NULL, then becomes true. */
static cl_ulong number(cl_device_id device, cl_device_info what, size_t size, bool *unsaid) {
    cl_ulong wide = 0;
    cl_uint narrow = 0;
    bool narrower = size == sizeof narrow;
    if (clGetDeviceInfo(device, what, size, narrower ? (void *)&narrow : (void *)&wide, NULL) == CL_SUCCESS)
        return narrower ? narrow : wide;
    if (unsaid)
        *unsaid = true;
    return 0;
}

/* 102 for "OpenCL C 1.2 …"; that, too, where the driver's answer is none. */
static int c_version(cl_device_id device) {
    char text[128];
    int major, minor;
    text_info(device_query, device, CL_DEVICE_OPENCL_C_VERSION, text, sizeof text);
    return sscanf(text, "OpenCL C %d.%d", &major, &minor) == 2 ? 100 * major + minor : 102;
}

static void describe(cl_device_id device, tn_device_info *info) {
    char extensions[8192];
    bool unsaid = false;
    names(device, info);
    text_info(device_query, device, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    text_info(device_query, device, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    text_info(device_query, device, CL_DEVICE_VERSION, info->version, sizeof info->version);
    text_info(device_query, device, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
    cl_ulong type = number(device, CL_DEVICE_TYPE, sizeof(cl_device_type), &unsaid);
    info->kind = type & CL_DEVICE_TYPE_GPU   ? TN_KIND_GPU
                 : type & CL_DEVICE_TYPE_CPU ? TN_KIND_CPU
                                             : TN_KIND_OTHER;
    info->driver_units = (unsigned)number(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint), &unsaid);
    info->compute_units = info->driver_units;
    info->clock_mhz = (unsigned)number(device, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof(cl_uint), NULL);
    info->max_work_group = number(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t), &unsaid);
    info->local_bytes = number(device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong), &unsaid);
    info->global_bytes = number(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong), &unsaid);
    info->max_alloc_bytes = number(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong), &unsaid);
    info->sub_buffer_align = number(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(cl_uint), &unsaid) / 8;
    info->cache_bytes = number(device, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof(cl_ulong), &unsaid);
    info->unified_memory = number(device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(cl_uint), NULL) != 0;
    info->has_fp64 = strstr(extensions, "cl_khr_fp64") != NULL;
    info->has_fp16 = strstr(extensions, "cl_khr_fp16") != NULL;
    pci_address(device, info->pci, sizeof info->pci);
    const char *reason;
    info->quirks = tn_quirk_lookup(info->platform_name, info->name, info->driver, &reason);
    if (reason)
        snprintf(info->skip_reason, sizeof info->skip_reason, "%s", reason);
    else if (unsaid || !info->name[0] ||
             !info->driver[0]) /* styles and tunables hang on it: no guess is right */
        snprintf(info->skip_reason, sizeof info->skip_reason, "its driver does not answer what it is asked");
    else if (!number(device, CL_DEVICE_AVAILABLE, sizeof(cl_uint), &unsaid))
        snprintf(info->skip_reason, sizeof info->skip_reason, "the driver says it is not available");
    else if (!number(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof(cl_uint), &unsaid))
        snprintf(info->skip_reason, sizeof info->skip_reason, "it has no kernel compiler");
    else if (c_version(device) < 102)
        snprintf(info->skip_reason, sizeof info->skip_reason,
                 "its OpenCL C is %d.%d, and the kernels are written in 1.2", c_version(device) / 100,
                 c_version(device) % 100);
}

/* An empty platform is no error: Clover lists one on most machines. */
static void note_empty(const char *platform_name, cl_int code, tn_device_list *out) {
    char reason[1024];
    tn_loader_empty_reason(platform_name, reason, sizeof reason);
    if (!reason[0] && code != CL_SUCCESS && code != CL_DEVICE_NOT_FOUND)
        snprintf(reason, sizeof reason, "%s (%d)", tn_cl_error_name(code), code);
    tn_note_add(out->notes, sizeof out->notes, "platform %s shows no device%s%s", platform_name,
                reason[0] ? ": " : "", reason);
}

static tn_status add_platform(tn_context *ctx, cl_platform_id platform, int number_of_platform,
                              tn_device_list *out, size_t *capacity) {
    char platform_name[128] = "";
    cl_uint count = 0;
    text_info(platform_query, platform, CL_PLATFORM_NAME, platform_name, sizeof platform_name);
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    if (code != CL_SUCCESS || count == 0) {
        note_empty(platform_name, code, out);
        return TN_OK;
    }
    cl_device_id *devices;
    TN_TRY(tn_alloc(ctx, count, sizeof *devices, &devices));
    tn_status status = TN_OK;
    code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, devices, NULL);
    if (code != CL_SUCCESS) {
        note_empty(platform_name, code, out);
        goto cleanup;
    }
    TN_GO(tn_grow(ctx, &out->items, capacity, (size_t)out->count + count, sizeof *out->items));
    for (cl_uint i = 0; i < count; i++) {
        tn_device_info *info = &out->items[out->count++];
        info->platform = number_of_platform;
        info->index = (int)i;
        info->cl_platform = platform;
        info->cl_device = devices[i];
        snprintf(info->platform_name, sizeof info->platform_name, "%s", platform_name);
        describe(devices[i], info);
    }
cleanup:
    tn_free(ctx, devices);
    return status;
}

/* Run-times for CPUs count all of the machine's, whatever mask the process has. */
static tn_status keep_to_mask(tn_context *ctx, tn_device_list *list) {
    int threads;
    bool all;
    TN_TRY(tn_topology_usable(ctx, &threads, &all));
    for (int i = 0; i < list->count && !all; i++)
        if (list->items[i].kind == TN_KIND_CPU && list->items[i].compute_units > (unsigned)threads)
            list->items[i].compute_units = (unsigned)threads;
    return TN_OK;
}

tn_status tn_device_list_make(tn_context *ctx, tn_device_list *out) {
    *out = (tn_device_list){0};
    cl_uint count = 0;
    cl_int code = clGetPlatformIDs(0, NULL, &count);
    tn_loader_faults(out->notes, sizeof out->notes);
    if (code != CL_SUCCESS || count == 0) {
        char what[120];
        snprintf(what, sizeof what, "no OpenCL platform found (%s)",
                 code == CL_SUCCESS ? "the loader knows none" : tn_cl_error_name(code));
        return tn_loader_no_device(ctx, what, out->notes);
    }
    cl_platform_id *platforms;
    TN_TRY(tn_alloc(ctx, count, sizeof *platforms, &platforms));
    tn_status status = TN_OK;
    size_t capacity = 0;
    code = clGetPlatformIDs(count, platforms, NULL);
    if (code != CL_SUCCESS) {
        status = tn_cl_fail(ctx, code, "listing OpenCL platforms");
        goto cleanup;
    }
    out->platforms = (int)count;
    for (cl_uint i = 0; i < count; i++)
        TN_GO(add_platform(ctx, platforms[i], (int)i, out, &capacity));
    status = keep_to_mask(ctx, out);
cleanup:
    tn_free(ctx, platforms);
    if (status != TN_OK)
        tn_device_list_free(ctx, out);
    return status;
}

void tn_device_list_free(tn_context *ctx, tn_device_list *list) {
    tn_free(ctx, list->items);
    *list = (tn_device_list){0};
}
