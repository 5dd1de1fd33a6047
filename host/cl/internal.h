/* Shared by the files of host/cl only: the struct behind tn_device and what raw OpenCL needs. */
#ifndef TN_CL_INTERNAL_H
#define TN_CL_INTERNAL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "choice.h"
#include "launch.h"
#include "quirks.h"

typedef struct tn_program {
    char *key; /* op + options */
    cl_program program;
} tn_program;

struct tn_kernel {
    char *op, *name, *options;
    cl_kernel kernel;
    size_t max_work_group, local_bytes, private_bytes;
    long trace_launches;
    double trace_seconds; /* trace.h */
};

struct tn_buffer {
    tn_device *dev;
    cl_mem mem;
    size_t bytes;
    const tn_buffer *parent; /* of a view, else NULL */
    size_t offset;           /* bytes from the parent's start */
};

/* A launch that is measured; kernel is NULL where a library made it. */
typedef struct tn_event {
    cl_event event;
    tn_kernel *kernel; /* borrowed */
} tn_event;

typedef struct tn_device_slot {
    char key[48];
    void *data;
} tn_device_slot;

/* Launches that a test numbers, to leave one out (launch.h). */
enum { TN_WATCHED = 512 };
typedef struct tn_watch {
    bool on;
    int number, most, drop;
    const char *names[TN_WATCHED]; /* borrowed */
} tn_watch;

struct tn_device {
    tn_context *ctx;
    tn_device_info info;
    cl_device_id part; /* the sub-device that info.cl_device is, to be released; NULL for a whole device */
    cl_context context;
    cl_command_queue queue;
    tn_program *programs;
    size_t program_count, program_capacity;
    tn_kernel **kernels;
    size_t kernel_count, kernel_capacity;
    tn_buffer *scratch[TN_SCRATCH_SLOTS];
    bool profiling;
    tn_device_counts counts;
    size_t private_most, private_seen; /* launch.h: tn_kernels_limit_private; of what was launched */
    struct {
        unsigned char *bytes; /* copies of what is being written; NULL before the first */
        size_t used;
    } staged;
    tn_event *events;
    size_t event_count, event_capacity;
    struct {
        void (*run)(tn_device *, void *);
        void *data;
    } at_close[4];
    int at_close_count;
    tn_tried_values *tried_values;
    tn_device_slot slots[8];
    int slot_count;
    const tn_kernel *running; /* launched last; NULL when its kernels are gone */
    char lost[1024]; /* not empty: nothing can be done with it any more, and this is what is said of it */
    tn_watch watch;
    tn_settings settings;
    tn_tuned *tuned;     /* NULL: none */
    uint64_t epoch;      /* rises when settings, tried values or kernels change: plans of before are void */
    tn_plan_slot *plans; /* [TN_PLAN_SLOTS], made at the first call; NULL before */
    tn_ran ran[TN_RAN_OPS];
    tn_tried_variant tried[TN_TRIED_VARIANTS];
};

/* All plans are void: settings, tried values or kernels have changed. */
static inline void tn_plans_forget(tn_device *dev) {
    dev->epoch++;
}

const char *tn_cl_error_name(cl_int code); /* "CL_INVALID_WORK_GROUP_SIZE" */

/* Maps an OpenCL failure to a status with its name; `what` says which call on what. */
#define tn_cl_fail(ctx, code, ...) tn_cl_fail_at((ctx), (code), __FILE__, __LINE__, __VA_ARGS__)
tn_status tn_cl_fail_at(tn_context *ctx, cl_int code, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same for what was asked of an opened device. A failure that loses it is kept, with the kernel that was
 * running: whatever fails behind it says that again. */
#define tn_device_fail(dev, code, ...) tn_device_fail_at((dev), (code), __FILE__, __LINE__, __VA_ARGS__)
tn_status tn_device_fail_at(tn_device *dev, cl_int code, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

bool tn_device_loses(const tn_device *dev, cl_int code);

/* Binary cache (cache.c): a hit gives a built program; a miss, any doubt or TURNOUT_CACHE=off leaves *out
 * NULL. */
tn_status tn_cache_load(tn_device *dev, const char *source, size_t size, const char *options,
                        cl_program *out);
void tn_cache_store(tn_device *dev, const char *source, size_t size, const char *options, cl_program program);

/* $XDG_CACHE_HOME/turnout or ~/.cache/turnout, and `name` below it unless that is ""; NULL where neither can
 * be known. Caller frees. */
tn_status tn_cache_home(tn_context *ctx, const char *name, char **out);

/* Is it the op's file, or a part of it, or a part of a part? */
bool tn_source_is_of(const char *file, const char *op);
/* Source of an op: TURNOUT_KERNELS=DIR, else the embedded bytes. Caller frees. */
tn_status tn_source_load(tn_context *ctx, const char *op, char **text, size_t *size);

/* All queued work is done: a call that waited for it has come back. */
static inline void tn_device_waited(tn_device *dev) {
    dev->counts.waits++;
    dev->staged.used = 0;
}

/* done: the queue is known to be empty. Of a lost device it is not, and its driver may read the copies yet:
 * they stay until the process ends. */
void tn_staged_free(tn_device *dev, bool done);
extern const unsigned char *tn_staged_kept;

void tn_events_release(tn_device *dev);
void tn_kernels_release(tn_device *dev);
/* TN_ERR_UNSUPPORTED where its local memory, and `more` bytes as arguments, are more than the device has. */
tn_status tn_kernel_check_local(tn_device *dev, const tn_kernel *kernel, size_t more);

#endif
