/* The kernel files as bytes, embedded at build time from the .cl files of this folder and those below it
 * (embed.cmake). */
#ifndef TN_KERNELS_H
#define TN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tn_kernel_source {
    const char *name;   /* of the file, without .cl */
    const char *path;   /* the same with its folder in kernels/ */
    const char *op;     /* whose file it is; NULL where it is shared, or a part of the file in front */
    const char *behind; /* the file that it is built behind, or NULL */
    const unsigned char *bytes;
    const unsigned long *size;
    bool extra; /* no op (the roofline's kernels): never read from TURNOUT_KERNELS */
} tn_kernel_source;

extern const tn_kernel_source tn_kernel_sources[]; /* lib first, then the ops in order of the list */
extern const int tn_kernel_source_count;

#endif
