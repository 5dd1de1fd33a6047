/* Versions of the libraries that only host/cl talks to. */
#ifndef TN_CL_VERSIONS_H
#define TN_CL_VERSIONS_H

#include <stddef.h>

/* hwloc's API version, and the OpenCL loader's name and version ("unknown" where it does not tell). */
void tn_cl_versions(char *hwloc, size_t hwloc_size, char *loader, size_t loader_size);

#endif
