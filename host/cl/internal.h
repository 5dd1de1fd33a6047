/* Shared by the files of host/cl only: the struct behind tn_device and what raw OpenCL needs. */
#ifndef TN_CL_INTERNAL_H
#define TN_CL_INTERNAL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "launch.h"
#include "quirks.h"
#include "tunable.h"
#include "variant.h"

typedef struct tn_program {
    char *key; /* op + options */
    cl_program program;
} tn_program;

struct tn_kernel {
    char *op, *name, *options;
    cl_kernel kernel;
    size_t max_work_group, local_bytes;
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

/* What is known of one tunable (tunable.c). */
typedef struct tn_tunable_row {
    char op[40], name[24];
    const char *op_at, *name_at; /* where these stood when they were looked up last: never read */
    bool is_asked, is_tried, is_tuned, is_fixed;
    int cpu_default, gpu_default; /* when op code asked last */
    tn_tunable_source source;     /* of what it was given */
    int tried, tuned;
} tn_tunable_row;

enum { TN_TUNABLE_ROWS = 256 };
typedef struct tn_tunables {
    tn_tunable_row rows[TN_TUNABLE_ROWS];
    int count;
} tn_tunables;

/* Launches that a test numbers, to leave one out (launch.h). */
enum { TN_WATCHED = 512 };
typedef struct tn_watch {
    bool on;
    int number, most, drop;
    const char *names[TN_WATCHED]; /* borrowed */
} tn_watch;

/* The environment, as it stood when the device was opened or tn_device_settings_reload was called. */
typedef struct tn_settings {
    bool kind_forced; /* TURNOUT_KIND */
    tn_style forced_style;
    char *tune, *variant; /* TURNOUT_TUNE, TURNOUT_VARIANT; NULL when not set */
} tn_settings;

/* Which variant of an op ran last. */
typedef struct tn_ran {
    const tn_op *op;
    const tn_variant *variant;
    tn_tunable_source source;
} tn_ran;

typedef struct tn_tried_variant {
    const tn_op *op; /* NULL: an empty row */
    const tn_variant *variant;
    bool unfit; /* when it was chosen last */
} tn_tried_variant;

typedef struct tn_plan_slot tn_plan_slot; /* variant.c */
enum { TN_PLAN_SLOTS = 1024, TN_RAN_OPS = 48, TN_TRIED_VARIANTS = 8 };

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
    tn_event *events;
    size_t event_count, event_capacity;
    struct {
        void (*run)(tn_device *, void *);
        void *data;
    } at_close[4];
    int at_close_count;
    tn_tunables *tunables; /* op code reads, and notes that it asked, on a const device */
    tn_device_slot slots[8];
    int slot_count;
    const tn_kernel *running; /* launched last; NULL when its kernels are gone */
    char lost[1024]; /* not empty: nothing can be done with it any more, and this is what is said of it */
    tn_watch watch;
    tn_settings settings;
    tn_plan_slot *plans; /* [TN_PLAN_SLOTS], made at the first call; NULL before */
    tn_ran ran[TN_RAN_OPS];
    tn_tried_variant tried[TN_TRIED_VARIANTS];
};

/* Lets go of all plans (variant.c): settings, tried values or kernels have changed. */
void tn_plans_forget(tn_device *dev);
void tn_variants_untry(tn_device *dev, const char *op); /* NULL: of all ops */
void tn_settings_free(tn_device *dev);

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

void tn_kernels_release(tn_device *dev);
/* TN_ERR_UNSUPPORTED where its local memory, and `more` bytes as arguments, are more than the device has. */
tn_status tn_kernel_check_local(tn_device *dev, const tn_kernel *kernel, size_t more);

/* The row of a tunable, made when there is none; NULL when the table is full, and then defaults hold. */
tn_tunable_row *tn_tunable_row_make(const tn_device *dev, const char *op, const char *name);
/* Takes the values of the tuned file over, if there is one for this device. What cannot be used is told on
 * stderr and left. */
void tn_tuned_load(tn_device *dev);

#endif
