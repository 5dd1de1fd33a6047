#include "version.h"

#include "versions.h"

#include <jansson.h>

#if defined(__SANITIZE_ADDRESS__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

#if defined(__OPTIMIZE__)
static const bool optimised = true;
#else
static const bool optimised = false;
#endif

void tn_version_print(FILE *to) {
    char hwloc[32], loader[128];
    tn_cl_versions(hwloc, sizeof hwloc, loader, sizeof loader);
    fprintf(to, "turnout %s\n", TN_VERSION);
    fprintf(to, "build     %s%s\n", TN_BUILD_TYPE,
            sanitized ? ", with AddressSanitizer and UndefinedBehaviorSanitizer" : "");
    fprintf(to, "compiler  %s\n", __VERSION__);
    fprintf(to, "OpenCL    %s\n", loader);
    fprintf(to, "CLBlast   %s\n", TN_CLBLAST_VERSION);
    fprintf(to, "hwloc     %s\n", hwloc);
    fprintf(to, "jansson   %s\n", jansson_version_str());
}

const char *tn_version_slow_build(void) {
    if (sanitized)
        return "this build has sanitizers: its times say nothing about the device";
    return optimised ? NULL : "this is a debug build: its times say little about the device";
}
