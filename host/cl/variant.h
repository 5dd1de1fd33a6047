/* Variants: the ways in which an op can do its work, and which of them a call takes.
 *
 * A device has a style. THREADS: a work-item owns a register tile and rows of its own, as CPUs want it;
 * GROUPS: the items of a work-group share tiles in local memory, as GPUs want it. A variant is written for
 * one style and has tunables of its own. The choice: tried (tn_variant_try) → environment
 * (TURNOUT_VARIANT="gemm=clblast,mlp=composed") → tuned file, by op, pass and class of shapes → the first of
 * the device's style in the op's table; then it has to fit, else the next, in the end the portable one, which
 * fits every shape on every device. Values of tunables come from the same four places
 * (TURNOUT_TUNE="gemm.VW=8").
 *
 * What is chosen, its kernels and its launch geometry are a plan, kept by the device for each (op, pass,
 * shape): a call of an op whose shape was seen before looks nothing up by name. */
#ifndef TN_VARIANT_H
#define TN_VARIANT_H

#include "launch.h"
#include "tunable.h"

enum { TN_VARIANT_TUNABLES = 16, TN_PLAN_BYTES = 512, TN_SHAPE_BYTES = 128 };

/* `on_threads`, `on_groups`: the defaults by style of the device. They are candidates of the tuner too. */
typedef struct tn_tunable {
    const char *name, *meaning;
    int defaults[TN_STYLES];
    unsigned flags; /* tn_tunable_flag */
    int count;      /* of values: further candidates */
    const int *values;
} tn_tunable;

typedef enum tn_tunable_flag {
    TN_TUNABLE_BITS = 1u << 0,   /* another value may move last bits of a result (an order of summing) */
    TN_TUNABLE_LAYOUT = 1u << 1, /* other ops and passes rely on it: one value for all passes and classes */
    TN_TUNABLE_CPU = 1u << 2     /* only CPUs' compilers take it (prefetch, stores past the caches): else 0 */
} tn_tunable_flag;

#define TN_VALUES(...)                                                                                       \
    (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)), (const int[]) {                                 \
        __VA_ARGS__                                                                                          \
    }
#define TN_TUNABLE(name, meaning, on_threads, on_groups, flags, ...)                                         \
    { name, meaning, {on_threads, on_groups}, flags, TN_VALUES(__VA_ARGS__) }
/* What most ops with one-dimensional work-groups have. */
#define TN_TUNABLE_LOCAL(on_groups)                                                                          \
    TN_TUNABLE("LOCAL", "work-items of a work-group", 1, on_groups, 0, 1, 16, 32, 64, 128, 256)
/* Nothing below what a cache holds: timing a kernel alone does not see what its reader loses. */
#define TN_TUNABLE_STREAM                                                                                    \
    TN_TUNABLE("STREAM", "bytes from which results bypass the caches, 0 for never", 32 << 20, 0,             \
               TN_TUNABLE_CPU, 0, 32 << 20, 128 << 20)

typedef struct tn_variant {
    const char *name;
    tn_style style;
    bool portable;    /* fits every shape on every device; one an op */
    unsigned passes;  /* bit p: it has pass p; 0: it has all */
    unsigned counted; /* bit p: in pass p it takes the number of rows from the device: tn_op_rows */
    bool not_default; /* taken where it is tried, asked for or tuned, never by itself */
    unsigned
        untuned; /* bit p: in pass p it is not tuned either, since it keeps less than the others promise */
    int tunable_count;
    const tn_tunable *tunables; /* `values` below are in this order */
    /* NULL: fits always. false: `why` says in a clause what does not fit ("D=30 is no multiple of 16"). */
    bool (*fits)(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size);
    /* Fills the plan, at most TN_PLAN_BYTES and zeroed: kernels, geometry, whatever does not change from call
     * to call. May be NULL. TN_ERR_UNSUPPORTED where the device gives a kernel, once it is built, less than
     * it takes: then the next variant that fits has its turn. */
    tn_status (*plan)(tn_device *dev, int pass, const void *shape, const int *values, void *plan);
    tn_status (*run)(tn_device *dev, int pass, const void *shape, const void *plan, const void *args);
} tn_variant;

/* The plan of a variant that launches one kernel. */
typedef struct tn_launch_plan {
    tn_kernel *kernel;
    tn_range range;
} tn_launch_plan;
_Static_assert(sizeof(tn_launch_plan) <= TN_PLAN_BYTES, "the plan of one launch");

typedef struct tn_op {
    const char *name;
    const char *const *passes;  /* NULL-terminated, as those of its case */
    const char *const *classes; /* of shapes that are tuned apart, NULL-terminated; NULL: one class, "" */
    int (*class_of)(int pass, const void *shape); /* NULL: 0 */
    /* Whose winner among the tuned ones this pass takes; NULL: its own. Where a variant leaves in forward
     * what only itself can use in backward, forward of a training step takes backward's. */
    int (*pass_of_choice)(int pass, const void *shape);
    size_t shape_bytes; /* of `shape`: a struct of int64_t alone, since its bytes are the key of a plan */
    const tn_variant *const *variants; /* NULL-terminated, in order of preference */
} tn_op;

/* Runs the variant that is chosen for this shape. `args` is what the op's variants agree on. */
tn_status tn_op_run(tn_device *dev, const tn_op *op, int pass, const void *shape, const void *args);

/* Which one that is, by the plan that the next call of this shape will find: costs no more than a look-up. */
tn_status tn_op_variant(tn_device *dev, const tn_op *op, int pass, const void *shape, const tn_variant **out);

/* How many rows a call has may be known to the device alone, in a buffer of one int32 that a kernel before it
 * wrote. The call's shape then has the most there can be, and a variant that can (`counted`) is launched over
 * those: work-items and groups past the count leave at once, and results past it are not written. The bits
 * are those of a call of so many rows.
 *
 * For an op's host side: *count as it is where the variant that is chosen for `shape` can; else the count is
 * read, which waits for the device, *rows is what it was and *count NULL. *count of NULL: nothing to do. */
tn_status tn_op_rows(tn_device *dev, const tn_op *op, int pass, const void *shape, const tn_buffer **count,
                     int64_t *rows);
/* Whether the variant that is chosen for `shape` can. */
tn_status tn_op_counts(tn_device *dev, const tn_op *op, int pass, const void *shape, bool *counts);

typedef struct tn_choice {
    const tn_variant *variant;
    tn_tunable_source source; /* the highest of the choice and of the values */
    int values[TN_VARIANT_TUNABLES];
} tn_choice;
/* TN_ERR_ARG where the environment names a variant that there is none of, TN_ERR_UNSUPPORTED where one that
 * is tried does not fit. */
tn_status tn_variant_choose(tn_device *dev, const tn_op *op, int pass, const void *shape, tn_choice *out);
/* Values of one variant, whether or not it is chosen: what ops share with each other (flag LAYOUT).
 * class_: −1 for none. */
void tn_variant_values(const tn_device *dev, const tn_op *op, const tn_variant *variant, int pass, int class_,
                       int *values, tn_tunable_source *source);
const tn_variant *tn_variant_find(const tn_op *op, const char *name); /* NULL when unknown */
/* The same, and TN_ERR_ARG with the names that there are when unknown; `where` stands in front of it. */
tn_status tn_variant_named(tn_context *ctx, const char *where, const tn_op *op, const char *name,
                           const tn_variant **out);
int tn_variant_tunable(const tn_variant *variant, const char *name); /* its index, or −1 */

/* This variant alone for the op, until tn_tunable_untry: a shape that it does not fit is TN_ERR_UNSUPPORTED.
 */
tn_status tn_variant_try(tn_device *dev, const tn_op *op, const tn_variant *variant);
/* The one that is being tried; NULL when none is. */
const tn_variant *tn_variant_tried(const tn_device *dev, const tn_op *op);
/* Is it for `fits` alone, or for want of that pass, that the last call of `op` was refused? Anything else
 * that is TN_ERR_UNSUPPORTED is the device's. */
bool tn_variant_unfit(const tn_device *dev, const tn_op *op);
bool tn_variant_has_pass(const tn_variant *variant, int pass);
/* May a tuned file name it for this pass? */
bool tn_variant_is_tuned(const tn_variant *variant, int pass);
/* Which variant of `op` ran last on this device; NULL when none did. */
const tn_variant *tn_variant_ran(const tn_device *dev, const char *op);
/* In which pass and class of shapes; false when none did since it was forgotten. */
bool tn_variant_ran_as(const tn_device *dev, const char *op, int *pass, int *class_);
void tn_variant_ran_forget(tn_device *dev, const char *op);
const char *tn_op_class(const tn_op *op, int class_); /* its name; "" where shapes have no classes */

/* Reads TURNOUT_KIND, TURNOUT_VARIANT and TURNOUT_TUNE anew: a device reads them when it is opened, a launch
 * never does. TURNOUT_GEMM=clblast, the older name of TURNOUT_VARIANT=gemm=clblast, is read for one version,
 * with a note. */
tn_status tn_device_settings_reload(tn_device *dev);

#endif
