#include "version.h"

#include "build.h"
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
    fprintf(to, "turnout %s\n", tn_build_version());
    fprintf(to, "build     %s%s\n", TN_BUILD_TYPE,
            sanitized ? ", with AddressSanitizer and UndefinedBehaviorSanitizer" : "");
    fprintf(to, "compiler  %s\n", __VERSION__);
    fprintf(to, "OpenCL    %s\n", loader);
    fprintf(to, "CLBlast   %s\n", TN_CLBLAST_VERSION);
    fprintf(to, "hwloc     %s\n", hwloc);
    fprintf(to, "jansson   %s\n", jansson_version_str());
}

void tn_version_json(FILE *to) {
    char hwloc[32], loader[128];
    const char *commit = tn_build_commit();
    tn_cl_versions(hwloc, sizeof hwloc, loader, sizeof loader);
    json_t *root =
        json_pack("{s:s, s:s, s:s?, s:o, s:s, s:b, s:s, s:s, s:s, s:s, s:s}", "version", tn_build_version(),
                  "release", tn_build_release(), "commit", commit[0] ? commit : NULL, "dirty",
                  tn_build_dirty() < 0 ? json_null() : json_boolean(tn_build_dirty()), "build_type",
                  TN_BUILD_TYPE, "sanitizers", (int)sanitized, "compiler", __VERSION__, "opencl", loader,
                  "clblast", TN_CLBLAST_VERSION, "hwloc", hwloc, "jansson", jansson_version_str());
    json_dumpf(root, to, JSON_INDENT(2));
    fputc('\n', to);
    json_decref(root);
}

const char *tn_version_slow_build(void) {
    if (sanitized)
        return "this build has sanitizers: its times say nothing about the device";
    return optimised ? NULL : "this is a debug build: its times say little about the device";
}
