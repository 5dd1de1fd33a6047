/* The one answer to "CPU or GPU?" in this program. */
#ifndef TN_STYLE_H
#define TN_STYLE_H

#include "device.h"

typedef enum tn_style {
    TN_STYLE_THREADS, /* a work-item owns a register tile and rows of its own */
    TN_STYLE_GROUPS,  /* the work-items of a group share the work */
    TN_STYLES
} tn_style;

/* THREADS on CPUs, but for those whose driver cuts long loops short (quirks.h); GROUPS elsewhere.
 * TURNOUT_KIND=cpu or gpu, as it stood when the device was opened, overrides it: gpu on a CPU runs exactly
 * what a GPU would run. */
tn_style tn_device_style(const tn_device *dev);
tn_style tn_device_info_style(const tn_device_info *info); /* of one that is not open; no override */
const char *tn_style_name(tn_style style);                 /* "threads", "groups" */

/* Bytes of private memory that a work-item may use: megabytes where it is a thread with a stack, a few
 * kilobytes where hundreds of items share a compute unit's registers. */
size_t tn_device_private_bytes(const tn_device *dev);

#endif
