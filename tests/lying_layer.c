/* An OpenCL layer (OPENCL_LAYERS) that makes every device say other things of itself than it is. LYING_LAYER
 * holds words:
 *
 *     amd, amd_khr   as AMD's own driver: named by its instruction set, with a board and AMD's topology
 * query; with the KHR query of the same bus beside it, which alone knows the domain nvidia         a bus and
 * a slot names          names that are not UTF-8, or that the program's room for them cuts in a character
 *     no_compiler, old, no_local, one_item
 *                    lacks a compiler; is of OpenCL 1.1; has no local memory; takes work-groups of one item
 */
#include "layer.h"

enum { NOT_SAID = 1 }; /* no code of OpenCL */

static int says(const char *word) {
    const char *found = strstr(getenv("LYING_LAYER"), word);
    return found && (found[strlen(word)] == '\0' || found[strlen(word)] == ' ');
}

#define ANSWER(text)         return layer_answer(text, strlen(text) + 1, size, value, size_out)
#define NUMBER(type, number) return layer_answer(&(const type){number}, sizeof(type), size, value, size_out)

static cl_int amd(cl_device_info what, size_t size, void *value, size_t *size_out) {
    const struct {
        cl_uint type;
        char unused[17], bus, device, function;
    } topology = {1, "", (char)0x83, 0, 0};
    const cl_uint place[] = {0x10, 0x83, 0, 0};
    if (what == CL_DEVICE_NAME)
        ANSWER("gfx1100");
    if (what == CL_DEVICE_BOARD_NAME_AMD)
        ANSWER("AMD Radeon RX 7900 XTX");
    if (what == CL_DEVICE_TOPOLOGY_AMD)
        return layer_answer(&topology, sizeof topology, size, value, size_out);
    if (what == CL_DEVICE_PCI_BUS_INFO_KHR && says("amd_khr"))
        return layer_answer(place, sizeof place, size, value, size_out);
    return NOT_SAID;
}

static cl_int nvidia(cl_device_info what, size_t size, void *value, size_t *size_out) {
    if (what == 0x4008) /* bus */
        NUMBER(cl_uint, 0x17);
    if (what == 0x4009) /* slot: device << 3 | function */
        NUMBER(cl_uint, 0x09);
    if (what == 0x400A) /* domain */
        NUMBER(cl_uint, 2);
    return NOT_SAID;
}

static cl_int names(cl_device_info what, size_t size, void *value, size_t *size_out) {
    char text[400] = "";
    if (what == CL_DEVICE_VENDOR)
        ANSWER("Soci\xe9t\xe9\nG\xe9n\xe9rale"); /* Latin-1, and a line break */
    if (what != CL_DEVICE_NAME && what != CL_DRIVER_VERSION)
        return NOT_SAID;
    for (int i = 0; i < 130; i++) /* of two bytes each: room for an odd number of bytes cuts one */
        strcat(text, "\xc3\xa9");
    ANSWER(text);
}

static cl_int lacks(cl_device_info what, size_t size, void *value, size_t *size_out) {
    if (what == CL_DEVICE_COMPILER_AVAILABLE && says("no_compiler"))
        NUMBER(cl_bool, CL_FALSE);
    if (what == CL_DEVICE_VERSION && says("old"))
        ANSWER("OpenCL 1.1 made up");
    if (what == CL_DEVICE_OPENCL_C_VERSION && says("old"))
        ANSWER("OpenCL C 1.1 made up");
    if (what == CL_DEVICE_LOCAL_MEM_SIZE && says("no_local"))
        NUMBER(cl_ulong, 0);
    if (what == CL_DEVICE_MAX_WORK_GROUP_SIZE && says("one_item"))
        NUMBER(size_t, 1);
    return NOT_SAID;
}

/* What the kernels are told to take, too. */
static cl_int CL_API_CALL group_info(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what,
                                     size_t size, void *value, size_t *size_out) {
    if (what == CL_KERNEL_WORK_GROUP_SIZE && says("one_item"))
        NUMBER(size_t, 1);
    return layer_target->clGetKernelWorkGroupInfo(kernel, device, what, size, value, size_out);
}

static cl_int CL_API_CALL device_info(cl_device_id device, cl_device_info what, size_t size, void *value,
                                      size_t *size_out) {
    cl_int code = NOT_SAID; /* not said by any of them */
    if (says("amd") || says("amd_khr"))
        code = amd(what, size, value, size_out);
    else if (says("nvidia"))
        code = nvidia(what, size, value, size_out);
    else if (says("names"))
        code = names(what, size, value, size_out);
    if (code == NOT_SAID)
        code = lacks(what, size, value, size_out);
    return code == NOT_SAID ? layer_target->clGetDeviceInfo(device, what, size, value, size_out) : code;
}

static void layer_start(void) {
    if (!getenv("LYING_LAYER")) {
        fputs("lying_layer: LYING_LAYER is not set\n", stderr);
        abort();
    }
    layer_table.clGetDeviceInfo = device_info;
    layer_table.clGetKernelWorkGroupInfo = group_info;
}
