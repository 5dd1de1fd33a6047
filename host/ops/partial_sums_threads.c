/* An item owns a block of neighbouring results. */
#include "partial_sums_variants.h"

enum { LANES, VECTORS, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, 0, 1, 4, 8, 16),
    [VECTORS] = TN_TUNABLE("VECTORS", "vectors of a work-item", 16, 1, 0, 1, 4, 16, 64),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

typedef struct plan {
    tn_kernel *kernel;
    int64_t block; /* results of an item */
    size_t local;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "partial_sums's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    tn_options options = {""};
    plan *p = out;
    (void)shape;
    tn_options_int(&options, "LANES", values[LANES]);
    tn_options_int(&options, "VECTORS", values[VECTORS]);
    TN_TRY(tn_kernel_get(dev, "partial_sums_threads",
                         pass == TN_PARTIAL_SUMS_FORWARD ? "partial_sums_forward" : "partial_sums_many",
                         &options, &p->kernel));
    p->block = (int64_t)values[LANES] * values[VECTORS];
    p->local = tn_kernel_group(p->kernel, (size_t)values[LOCAL]);
    return TN_OK;
}

static tn_status many(tn_device *dev, const plan *p, const tn_partial_sums_args *a) {
    const int64_t first = a->slot * TN_PARTIAL_SUMS_MOST;
    int64_t blocks = 0;
    for (int i = 0; i < a->count; i++) {
        int32_t *row = a->waiting + i * TN_PARTIAL_SUMS_FIELDS;
        blocks += tn_ceil_div(row[5], p->block);
        row[0] = (int32_t)blocks;
    }
    TN_TRY(tn_partial_sums_write(a));
    return tn_launch(dev, p->kernel, tn_range_1d((size_t)blocks, p->local), tn_arg_buffer(a->out),
                     tn_arg_buffer(a->partial), tn_arg_buffer(a->table), tn_arg_buffer(a->rows),
                     tn_arg_i32(first), tn_arg_i32(a->count));
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_partial_sums_key *s = shape;
    const tn_partial_sums_args *a = args;
    const plan *p = plan_;
    if (pass == TN_PARTIAL_SUMS_MANY)
        return many(dev, p, a);
    return tn_launch(dev, p->kernel, tn_range_1d((size_t)tn_ceil_div(s->count, p->block), p->local),
                     tn_arg_buffer(a->out), tn_arg_buffer(a->partial), tn_arg_buffer(a->rows),
                     tn_arg_i32(a->part_rows), tn_arg_i32(a->at), tn_arg_i32(a->parts), tn_arg_i32(a->stride),
                     tn_arg_i32(s->count));
}

const tn_variant tn_partial_sums_threads = {.name = "threads",
                                            .style = TN_STYLE_THREADS,
                                            .portable = true,
                                            .tunable_count = sizeof tunables / sizeof tunables[0],
                                            .tunables = tunables,
                                            .plan = make,
                                            .run = run};
