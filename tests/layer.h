/* What every OpenCL layer of these tests (OPENCL_LAYERS) is made of. A file that includes it defines
 * layer_start, which reads its setting and puts its own functions into layer_table; layer_target calls what
 * is below. */
#ifndef TN_TEST_LAYER_H
#define TN_TEST_LAYER_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl_layer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct _cl_icd_dispatch layer_table;
static const struct _cl_icd_dispatch *layer_target;

static void layer_start(void);

/* Whether the device's own name holds `part`. */
static inline int layer_is_device(cl_device_id device, const char *part) {
    char name[512] = "";
    return layer_target->clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof name - 1, name, NULL) == CL_SUCCESS &&
           strstr(name, part) != NULL;
}

/* Answers a query with `bytes` of `from`. */
static inline cl_int layer_answer(const void *from, size_t bytes, size_t size, void *value,
                                  size_t *size_out) {
    if (value && size < bytes)
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, from, bytes);
    if (size_out)
        *size_out = bytes;
    return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *value,
                                               size_t *size_out) {
    static const char name[] = "a layer of Turnout's tests";
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    if (what == CL_LAYER_API_VERSION)
        return layer_answer(&version, sizeof version, size, value, size_out);
    return what == CL_LAYER_NAME ? layer_answer(name, sizeof name, size, value, size_out) : CL_INVALID_VALUE;
}

CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch *below,
                                            cl_uint *entries_out, const cl_icd_dispatch **out) {
    if (!below || !entries_out || !out || entries < sizeof layer_table / sizeof(void *))
        return CL_INVALID_VALUE;
    layer_target = below;
    memcpy(&layer_table, below, sizeof layer_table);
    layer_start();
    *entries_out = sizeof layer_table / sizeof(void *);
    *out = &layer_table;
    return CL_SUCCESS;
}

#endif
