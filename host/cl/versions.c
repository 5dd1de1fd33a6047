#include "internal.h"

#include "versions.h"

#include <hwloc.h>
#include <string.h>

/* ocl-icd and the Khronos loader both tell their version through an extension function of their own. */
typedef cl_int (*loader_info)(cl_int what, size_t size, void *value, size_t *used);

static void loader_text(const char *function, char *text, size_t size) {
    char name[64] = "", version[64] = "";
    enum { VERSION = 2, NAME = 3 };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* its successor wants a platform, this has none  \
                                                            */
    void *address = clGetExtensionFunctionAddress(function);
#pragma GCC diagnostic pop
    loader_info ask;
    if (!address)
        return;
    memcpy(&ask, &address, sizeof ask);
    if (ask(NAME, sizeof name - 1, name, NULL) == CL_SUCCESS &&
        ask(VERSION, sizeof version - 1, version, NULL) == CL_SUCCESS)
        snprintf(text, size, "%s %s", name, version);
}

void tn_cl_versions(char *hwloc, size_t hwloc_size, char *loader, size_t loader_size) {
    unsigned v = hwloc_get_api_version();
    snprintf(hwloc, hwloc_size, "%u.%u.%u", v >> 16, v >> 8 & 0xff, v & 0xff);
    snprintf(loader, loader_size, "loader of unknown version");
    loader_text("clGetICDLoaderInfoOCLICD", loader, loader_size);
}
