/* Finding the machine's devices and choosing among them by the selectors of the command line. */
#include "internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifndef CL_DEVICE_PCI_BUS_INFO_KHR
#define CL_DEVICE_PCI_BUS_INFO_KHR 0x410F
#endif

static void text_info(cl_device_id device, cl_device_info what, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    if (clGetDeviceInfo(device, what, 0, NULL, &used) != CL_SUCCESS || used == 0)
        return;
    char *whole = calloc(used + 1, 1);
    if (!whole)
        return;
    if (clGetDeviceInfo(device, what, used, whole, NULL) == CL_SUCCESS)
        snprintf(text, size, "%s", whole);
    free(whole);
    while (text[0] && isspace((unsigned char)text[strlen(text) - 1]))
        text[strlen(text) - 1] = '\0';
}

static void pci_address(cl_device_id device, char *text, size_t size) {
    struct {
        cl_uint domain, bus, device, function;
    } place;
    text[0] = '\0';
    if (clGetDeviceInfo(device, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof place, &place, NULL) == CL_SUCCESS)
        snprintf(text, size, "%04x:%02x:%02x.%x", place.domain & 0xffff, place.bus & 0xff,
                 place.device & 0xff, place.function & 0xf);
}

static cl_ulong number(cl_device_id device, cl_device_info what, size_t size) {
    cl_ulong wide = 0;
    cl_uint narrow = 0;
    if (size == sizeof(cl_uint))
        return clGetDeviceInfo(device, what, size, &narrow, NULL) == CL_SUCCESS ? narrow : 0;
    return clGetDeviceInfo(device, what, size, &wide, NULL) == CL_SUCCESS ? wide : 0;
}

static void describe(cl_device_id device, tn_device_info *info) {
    char extensions[8192];
    text_info(device, CL_DEVICE_NAME, info->name, sizeof info->name);
    text_info(device, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    text_info(device, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    text_info(device, CL_DEVICE_VERSION, info->version, sizeof info->version);
    text_info(device, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
    cl_ulong type = number(device, CL_DEVICE_TYPE, sizeof(cl_device_type));
    info->kind = type & CL_DEVICE_TYPE_GPU   ? TN_KIND_GPU
                 : type & CL_DEVICE_TYPE_CPU ? TN_KIND_CPU
                                             : TN_KIND_OTHER;
    info->compute_units = (unsigned)number(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint));
    info->clock_mhz = (unsigned)number(device, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof(cl_uint));
    info->max_work_group = number(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
    info->local_bytes = number(device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong));
    info->global_bytes = number(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong));
    info->max_alloc_bytes = number(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong));
    info->sub_buffer_align = number(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(cl_uint)) / 8;
    info->cache_bytes = number(device, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof(cl_ulong));
    info->unified_memory = number(device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(cl_uint)) != 0;
    info->has_fp64 = strstr(extensions, "cl_khr_fp64") != NULL;
    info->has_fp16 = strstr(extensions, "cl_khr_fp16") != NULL;
    pci_address(device, info->pci, sizeof info->pci);
    const char *reason;
    info->quirks = tn_quirk_lookup(info->platform_name, info->name, info->driver, &reason);
    if (reason)
        snprintf(info->skip_reason, sizeof info->skip_reason, "%s", reason);
    else if (!number(device, CL_DEVICE_AVAILABLE, sizeof(cl_uint)))
        snprintf(info->skip_reason, sizeof info->skip_reason, "the driver says it is not available");
    else if (!number(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof(cl_uint)))
        snprintf(info->skip_reason, sizeof info->skip_reason, "it has no kernel compiler");
}

static tn_status add_platform(tn_context *ctx, cl_platform_id platform, int number_of_platform,
                              tn_device_list *out, size_t *capacity) {
    char platform_name[128] = "";
    cl_uint count = 0;
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof platform_name, platform_name, NULL);
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count) != CL_SUCCESS || count == 0)
        return TN_OK; /* an empty platform is no error: Clover lists one on most machines */
    cl_device_id *devices;
    TN_TRY(tn_alloc(ctx, count, sizeof *devices, &devices));
    tn_status status = TN_OK;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, devices, NULL) != CL_SUCCESS)
        goto cleanup;
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

tn_status tn_device_list_make(tn_context *ctx, tn_device_list *out) {
    *out = (tn_device_list){0};
    cl_uint count = 0;
    cl_int code = clGetPlatformIDs(0, NULL, &count);
    if (code != CL_SUCCESS || count == 0)
        return tn_fail(
            ctx, TN_ERR_DEVICE,
            "no OpenCL platform found (%s); install a driver: pocl-opencl-icd for any CPU (apt-get install "
            "pocl-opencl-icd), or your GPU vendor's",
            code == CL_SUCCESS ? "the loader knows none" : tn_cl_error_name(code));
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

static bool contains(const char *text, const char *part) {
    return part[0] && strcasestr(text, part) != NULL;
}

/* "1", "01", "-1": meant as a place, and half of one. Never part of a name. */
static bool is_bare_number(const char *selector) {
    const char *digits = selector + (*selector == '-' || *selector == '+');
    return *digits && digits[strspn(digits, "0123456789")] == '\0';
}

static bool selector_matches(const tn_device_info *info, const char *selector) {
    char place[32];
    snprintf(place, sizeof place, "%d:%d", info->platform, info->index);
    if (strcmp(selector, place) == 0)
        return true;
    if (strcasecmp(selector, "cpu") == 0)
        return info->kind == TN_KIND_CPU;
    if (strcasecmp(selector, "gpu") == 0)
        return info->kind == TN_KIND_GPU;
    if (info->pci[0] && (strcasecmp(selector, info->pci) == 0 || strcasecmp(selector, info->pci + 5) == 0))
        return true;
    int p, d;
    char rest;
    if (sscanf(selector, "%d:%d%c", &p, &d, &rest) == 2)
        return false; /* meant as P:D: never matched against names that hold such a text */
    if (is_bare_number(selector))
        return false;
    return contains(info->name, selector) || contains(info->platform_name, selector);
}

static tn_status selection_fail(tn_context *ctx, const tn_device_list *list, const char *selector,
                                const char *why) {
    char lines[4096] = "";
    size_t used = 0;
    int number = is_bare_number(selector) ? atoi(selector) : -1;
    bool meant = false; /* some P:D has that number: these alone are listed */
    for (int i = 0; i < list->count && number >= 0; i++)
        meant = meant || list->items[i].platform == number || list->items[i].index == number;
    for (int i = 0; i < list->count && used < sizeof lines; i++) {
        const tn_device_info *d = &list->items[i];
        if (meant && d->platform != number && d->index != number)
            continue;
        used += (size_t)snprintf(lines + used, sizeof lines - used, "\n  %d:%d  %s (%s, %s)%s%s", d->platform,
                                 d->index, d->name, tn_device_kind_name(d->kind), d->platform_name,
                                 d->skip_reason[0] ? " — left out: " : "", d->skip_reason);
    }
    if (is_bare_number(selector) && list->count > 0)
        return tn_fail(ctx, TN_ERR_ARG, "'%s' is a number alone and names no device; %s:%s", selector,
                       meant ? "write P:D" : "there is", lines);
    return tn_fail(ctx, list->count ? TN_ERR_ARG : TN_ERR_DEVICE, "%s '%s'; there %s:%s", why, selector,
                   list->count ? "is" : "is no device in any platform; install pocl-opencl-icd for a CPU",
                   lines);
}

tn_status tn_device_select_all(tn_context *ctx, const tn_device_list *list, const char *selector,
                               const tn_device_info **out, int *count) {
    *count = 0;
    if (!selector) {
        const tn_device_info *one;
        TN_TRY(tn_device_select(ctx, list, NULL, &one));
        out[(*count)++] = one;
        return TN_OK;
    }
    bool all = strcasecmp(selector, "all") == 0;
    for (int i = 0; i < list->count; i++)
        if (!list->items[i].skip_reason[0] && (all || selector_matches(&list->items[i], selector)))
            out[(*count)++] = &list->items[i];
    return *count ? TN_OK : selection_fail(ctx, list, selector, "no usable device matches");
}

tn_status tn_device_select(tn_context *ctx, const tn_device_list *list, const char *selector,
                           const tn_device_info **out) {
    *out = NULL;
    if (!selector) {
        const tn_device_kind order[] = {TN_KIND_GPU, TN_KIND_CPU, TN_KIND_OTHER};
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < list->count; i++)
                if (list->items[i].kind == order[k] && !list->items[i].skip_reason[0]) {
                    *out = &list->items[i];
                    return TN_OK;
                }
        return selection_fail(ctx, list, "default", "no usable device for");
    }
    int matches = 0;
    for (int i = 0; i < list->count; i++) {
        if (list->items[i].skip_reason[0] || !selector_matches(&list->items[i], selector))
            continue;
        if (matches++ == 0)
            *out = &list->items[i];
    }
    /* "cpu" and "gpu" mean the first of the kind; a name that fits several devices is a mistake. */
    if (matches > 1 && strcasecmp(selector, "cpu") != 0 && strcasecmp(selector, "gpu") != 0)
        return selection_fail(ctx, list, selector, "several devices match");
    return matches ? TN_OK : selection_fail(ctx, list, selector, "no usable device matches");
}

const char *tn_device_kind_name(tn_device_kind kind) {
    return kind == TN_KIND_CPU ? "cpu" : kind == TN_KIND_GPU ? "gpu" : "other";
}
