/* What this program was built from and with. */
#ifndef TN_CLI_VERSION_H
#define TN_CLI_VERSION_H

#include "context.h"

void tn_version_print(FILE *to);
/* The same as an object: version, release, commit and dirty (null where not known), build_type, sanitizers,
 * compiler, opencl, clblast, hwloc, jansson. */
void tn_version_json(FILE *to);
/* A sentence when times of this build mean little (debug, sanitizers), else NULL. */
const char *tn_version_slow_build(void);

#endif
