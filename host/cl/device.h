/* OpenCL devices: finding, choosing, opening. One opened device = one context and one in-order queue with
 * profiling. */
#ifndef TN_DEVICE_H
#define TN_DEVICE_H

#include "context.h"

typedef enum tn_device_kind { TN_KIND_CPU, TN_KIND_GPU, TN_KIND_OTHER } tn_device_kind;

typedef struct tn_device_info {
    int platform, index; /* as `turnout devices` prints them: P:D */
    char name[256];  /* the driver's, and the board's behind it where the driver tells: "gfx1100 (AMD Radeon
                        …)" */
    char board[128]; /* "" where the driver does not tell */
    char vendor[128], platform_name[128], driver[128], version[128];
    tn_device_kind kind;
    unsigned compute_units; /* of a CPU: no more than the process may run on */
    unsigned driver_units;  /* as the driver counts them */
    size_t max_work_group, local_bytes, global_bytes, max_alloc_bytes;
    size_t sub_buffer_align; /* bytes */
    size_t cache_bytes;      /* of its cache of global memory, as the driver tells; 0: it does not */
    unsigned clock_mhz;
    bool has_fp64, has_fp16, unified_memory;
    char pci[24];                  /* "0000:65:00.0", or "" where the driver does not tell */
    uint32_t quirks;               /* bits of quirks.h */
    char skip_reason[256];         /* not empty: the device is left out, and why */
    void *cl_platform, *cl_device; /* handles for host/cl itself */
} tn_device_info;

typedef struct tn_device_list {
    tn_device_info *items;
    int count;        /* usable and skipped devices alike */
    int platforms;    /* seen by the loader, empty ones included */
    char notes[4096]; /* lines: drivers that do not load, platforms without a device, and why */
} tn_device_list;

/* All devices of all platforms. TN_ERR_DEVICE with what would help when there is no platform at all. */
tn_status tn_device_list_make(tn_context *ctx, tn_device_list *out);
void tn_device_list_free(tn_context *ctx, tn_device_list *list);

/* Selector of the command line: NULL (first GPU, else first CPU), "P:D", "cpu", "gpu", PCI address, part of a
 * device or platform name. Exactly one usable device, or TN_ERR_ARG with a list of what there is. `*out` is
 * borrowed from the list. */
tn_status tn_device_select(tn_context *ctx, const tn_device_list *list, const char *selector,
                           const tn_device_info **out);
/* The same, but "all" and selectors that match several devices give them all. `out` holds list->count
 * pointers. */
tn_status tn_device_select_all(tn_context *ctx, const tn_device_list *list, const char *selector,
                               const tn_device_info **out, int *count);

typedef struct tn_device tn_device;

/* `info` is copied. A CPU of which the process may use a part is opened as a sub-device of as many compute
 * units, where it can be partitioned. */
tn_status tn_device_open(tn_context *ctx, const tn_device_info *info, tn_device **out);
/* List, select one, open: what most commands and tests want. */
tn_status tn_device_open_selected(tn_context *ctx, const char *selector, tn_device **out);
/* The same on `cores` compute units of a CPU device, a sub-device where that is not all of them (0: the whole
 * device): bind the process to as many cores first (tn_topology_bind). TN_ERR_UNSUPPORTED where the device is
 * no CPU, has fewer or cannot be partitioned. */
tn_status tn_device_open_cores(tn_context *ctx, const tn_device_info *info, int cores, tn_device **out);
void tn_device_close(
    tn_device *dev); /* NULL is fine; waits for the queue; releases kernels, scratch, context */

tn_context *tn_device_context(const tn_device *dev);
const tn_device_info *tn_device_get_info(const tn_device *dev);
const char *tn_device_kind_name(tn_device_kind kind); /* "cpu", "gpu", "other" */

/* TN_ERR_LOST, and what lost it, once a kernel's fault or a reset has taken the device: every later call on
 * it fails in this process, and only another process may have it back. Loops over work stop there. */
tn_status tn_device_check(const tn_device *dev);

tn_status tn_device_finish(tn_device *dev); /* waits until the queue is empty */
tn_status tn_device_flush(tn_device *dev);  /* hands queued work to the device without waiting */

/* Device time. Between begin and end every launch's event is kept; end waits and sums END − START.
 * `*launches` counts kernels. Times that are not plausible are the caller's to judge (bench/measure). */
tn_status tn_device_profile_begin(tn_device *dev);
tn_status tn_device_profile_end(tn_device *dev, double *seconds, int *launches);
/* The same in pieces: launches up to ends[i], and from ends[i−1] on, go to seconds[i]. */
tn_status tn_device_profile_end_split(tn_device *dev, const int *ends, int count, double *seconds);
int tn_device_profile_launches(const tn_device *dev); /* since begin */

/* What an opened device was asked to do. */
typedef struct tn_device_counts {
    int64_t launches; /* of kernels; a call of a library (CLBlast) is one */
    int64_t copies;   /* of memory, to, from or on the device: writes, reads, copies, fills */
    int64_t waits;    /* calls that came back only when all queued work was done */
} tn_device_counts;
tn_device_counts tn_device_counted(const tn_device *dev); /* since it was opened */

/* Raw handles for ops/gemm.c, which must hand them to CLBlast. cl_context, cl_command_queue. */
void *tn_device_raw_context(const tn_device *dev);
void *tn_device_raw_queue(const tn_device *dev);
/* Registers what must run before the context goes (CLBlast's cache); at most 4, run in reverse order. */
tn_status tn_device_at_close(tn_device *dev, void (*run)(tn_device *dev, void *data), void *data);
/* One slot of op-owned state a device (gemm's choice of back end): a zeroed block made on first use, freed at
 * close. */
tn_status tn_device_state(tn_device *dev, const char *key, size_t bytes, void **out);

#endif
