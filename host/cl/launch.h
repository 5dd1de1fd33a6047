/* Programs, kernels and their launch. A kernel file is the files of kernels/lib, then <op>.cl, built with the
 * op's tunables as -D options. */
#ifndef TN_LAUNCH_H
#define TN_LAUNCH_H

#include "buffer.h"
#include "watch.h"

typedef struct tn_kernel tn_kernel;

/* Options text for a build: "-DTILE_M=8 -DTILE_N=32". */
typedef struct tn_options {
    char text[512];
} tn_options;
void tn_options_int(tn_options *options, const char *name, long value); /* appends -Dname=value */
/* What kernels that write `rows` rows of `width` floats by vectors of `lanes` are built with: LANES; WHOLE,
 * no row ends within a vector; STREAM, results bypass the caches: whole vectors, and `stream_least` bytes or
 * more of them (0: never). */
void tn_options_rows(tn_options *options, int lanes, int stream_least, int64_t rows, int64_t width);

/* What kernels that walk rows of `width` floats by vectors of `lanes` on a GPU are built with: LANES; WHOLE,
 * no row ends within a vector; ALIGNED, a vector is one access, which four whole lanes are: buffers, their
 * views and so all rows of whole quads begin at multiples of 16 bytes. */
void tn_options_vectors(tn_options *options, int lanes, int64_t width);

/* Lanes of an item on a GPU where rows have `width` floats: 16 bytes, or one float where rows begin anywhere.
 */
static inline int tn_quads(int64_t width) {
    return width % 4 == 0 ? 4 : 1;
}
/* `lanes` on a CPU; on a GPU at most those of tn_quads. */
int tn_row_lanes(const tn_device *dev, int lanes, int64_t width);

/* Kernel `name` of kernels/<op>.cl built with `options` (may be NULL). Built on first use, then kept by the
 * device; borrowed. Failure holds op, kernel, options and the build log. */
tn_status tn_kernel_get(tn_device *dev, const char *op, const char *name, const tn_options *options,
                        tn_kernel **out);
/* The same for a kernel that is written for one size of work-group, -D<name>=*group, a power of two: halved
 * until the device allows it. */
tn_status tn_kernel_get_group(tn_device *dev, const char *op, const char *kernel, const tn_options *options,
                              const char *name, size_t *group, tn_kernel **out);
/* Waits, then lets go of all built kernels: after trying many options, so that the list stays short. */
void tn_kernels_forget(tn_device *dev);
size_t tn_kernel_max_work_group(const tn_kernel *kernel); /* CL_KERNEL_WORK_GROUP_SIZE */
/* Private memory an item as the driver reports it (CL_KERNEL_PRIVATE_MEM_SIZE): the most of the kernels
 * launched since the device was opened; and a limit, past which a launch is TN_ERR_UNSUPPORTED before it is
 * queued (0: none). For who tries kernels: on a GPU what is past its registers goes to memory. */
size_t tn_kernels_private_seen(const tn_device *dev);
void tn_kernels_limit_private(tn_device *dev, size_t most);
/* `wanted` halved until the kernel allows it: for kernels whose result does not depend on the work-group. */
size_t tn_kernel_group(const tn_kernel *kernel, size_t wanted);
/* TN_ERR_UNSUPPORTED, saying why, where the device runs no work-group of `items` of it: for kernels that are
 * written for that many. */
tn_status tn_kernel_check_group(tn_device *dev, const tn_kernel *kernel, size_t items);
/* `wanted` halved until a group of items with `bytes` of private memory each can be placed: run-times for
 * CPUs lay that of a whole group on one thread's stack and crash past its end. Elsewhere as it is. */
size_t tn_private_group(const tn_device *dev, size_t wanted, size_t bytes);

/* One kernel argument. */
typedef struct tn_arg {
    const tn_buffer *buffer; /* a buffer, when not NULL */
    const void *bytes;       /* else a struct by value, when not NULL */
    size_t size;             /* else: bytes of the value; of local memory when `local` */
    bool local, absent;      /* absent: a NULL pointer for the kernel */
    union {
        int32_t i32;
        uint32_t u32;
        float f32;
    } value;
} tn_arg;

tn_arg tn_arg_buffer(const tn_buffer *buffer); /* NULL buffer: the kernel sees a NULL pointer */
tn_arg tn_arg_i32(int64_t value);              /* values past 32 bits make the launch fail */
tn_arg tn_arg_f32(double value);
tn_arg tn_arg_local(size_t bytes);
/* A struct by value, whose members are 32-bit integers and floats alone: host and device lay these out alike.
 * Borrowed until the launch. */
tn_arg tn_arg_bytes(const void *value, size_t size);

/* How many of b it takes to hold a; a ≥ 0, b > 0. */
static inline int64_t tn_ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* How many of `count` pieces an item owns where `least` of them are worth one: more, past 256 items, so that
 * each walks memory in long runs. Where a single piece is, items are what the device wants. */
static inline int64_t tn_share(int64_t count, int64_t least) {
    const int64_t even = tn_ceil_div(count, 256);
    return least > 1 && even > least ? even : least;
}

typedef struct tn_range {
    int dims;
    size_t global[3]; /* work-items wanted; padded up to a multiple of local, so kernels guard */
    size_t local[3];  /* 0: left to the run-time */
} tn_range;

tn_range tn_range_1d(size_t global, size_t local);
tn_range tn_range_2d(size_t global0, size_t global1, size_t local0, size_t local1);
tn_range tn_range_3d(size_t global0, size_t global1, size_t global2, size_t local0, size_t local1,
                     size_t local2);

/* Of a work-group of `local` items (a power of two), how many stand side by side on a row of `vectors` of
 * `lanes` floats: as many as leave no more than an eighth of a row's items idle, but runs of 64 bytes, or of
 * 128 where rows begin anywhere, are not cut further. The others take the next rows. */
size_t tn_group_across(size_t local, int64_t vectors, int lanes);

/* Queues the kernel. Nothing is launched when a global size is 0. A local size past what the kernel allows is
 * TN_ERR_UNSUPPORTED; every failure names op, kernel, argument, range and the OpenCL error. */
tn_status tn_launch_args(tn_device *dev, tn_kernel *kernel, tn_range range, const tn_arg *args, int count);
#define tn_launch(dev, kernel, range, ...)                                                                   \
    tn_launch_args((dev), (kernel), (range), (const tn_arg[]){__VA_ARGS__},                                  \
                   (int)(sizeof((const tn_arg[]){__VA_ARGS__}) / sizeof(tn_arg)))

/* For tn_device_profile: adds an event that a library (CLBlast) made. Takes over the reference. cl_event. */
tn_status tn_device_profile_add(tn_device *dev, void *cl_event);
bool tn_device_profiling(const tn_device *dev);
/* For tn_device_counted: a call of a library that launches kernels. */
void tn_device_count_launch(tn_device *dev);

#endif
