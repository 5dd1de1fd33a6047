#include "build.h"

#include "build_text.h" /* written by build_text.cmake, each time a build finds another commit or other edits */

_Static_assert(sizeof TN_BUILD_VERSION <= 48, "a row has 48 bytes for it");

const char *tn_build_version(void) {
    return TN_BUILD_VERSION;
}

const char *tn_build_release(void) {
    return TN_BUILD_RELEASE;
}

const char *tn_build_commit(void) {
    return TN_BUILD_COMMIT;
}

int tn_build_dirty(void) {
    return TN_BUILD_DIRTY;
}
