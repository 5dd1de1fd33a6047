/* A work-group has a strip of results, and its items the parts of them. */
#include "partial_sums_variants.h"

enum { PARTS, LOCAL };
static const tn_tunable tunables[] = {
    [PARTS] = TN_TUNABLE("PARTS", "parts of a work-item before more items share them", 4, 4, TN_TUNABLE_BITS,
                         2, 4, 8, 16),
    [LOCAL] = TN_TUNABLE("LOCAL", "work-items of a work-group", 256, 256, TN_TUNABLE_BITS, 64, 128, 256),
};

typedef struct plan {
    tn_kernel *kernel;
    int64_t local, each; /* each: parts of an item, at least, where a result has several items */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "partial_sums's plan");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    tn_options options = {""};
    plan *p = out;
    (void)shape;
    tn_options_int(&options, "LANES", 4);
    tn_options_int(&options, "SUMS_GROUP", values[LOCAL]);
    TN_TRY(tn_kernel_get(dev, "partial_sums_groups",
                         pass == TN_PARTIAL_SUMS_FORWARD ? "partial_sums_forward_groups"
                                                         : "partial_sums_many_groups",
                         &options, &p->kernel));
    p->local = (int64_t)tn_kernel_group(p->kernel, (size_t)values[LOCAL]);
    p->each = values[PARTS];
    return TN_OK;
}

/* Items of a quad of results: two quads, a sector of memory, stay together at least. */
static int64_t lanes_of(const plan *p, int64_t parts) {
    int64_t lanes = 1;
    while (4 * lanes <= p->local && 2 * lanes * p->each <= parts)
        lanes *= 2;
    return lanes;
}

static int64_t strips_of(const plan *p, int64_t count, int64_t lanes) {
    return tn_ceil_div(count, p->local / lanes * 4);
}

static tn_status many(tn_device *dev, const plan *p, const tn_partial_sums_args *a) {
    int64_t strips = 0;
    for (int i = 0; i < a->count; i++) {
        int32_t *row = a->waiting + i * TN_PARTIAL_SUMS_FIELDS;
        row[6] = (int32_t)lanes_of(p, row[3]);
        strips += strips_of(p, row[5], row[6]);
        row[0] = (int32_t)strips;
    }
    TN_TRY(tn_partial_sums_write(a));
    return tn_launch(dev, p->kernel, tn_range_1d((size_t)(strips * p->local), (size_t)p->local),
                     tn_arg_buffer(a->out), tn_arg_buffer(a->partial), tn_arg_buffer(a->table),
                     tn_arg_buffer(a->rows), tn_arg_i32(a->slot * TN_PARTIAL_SUMS_MOST), tn_arg_i32(a->count),
                     tn_arg_i32(p->each));
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_partial_sums_key *s = shape;
    const tn_partial_sums_args *a = args;
    const plan *p = plan_;
    if (pass == TN_PARTIAL_SUMS_MANY)
        return many(dev, p, a);
    const int64_t lanes = lanes_of(p, a->parts), strips = strips_of(p, s->count, lanes);
    return tn_launch(dev, p->kernel, tn_range_1d((size_t)(strips * p->local), (size_t)p->local),
                     tn_arg_buffer(a->out), tn_arg_buffer(a->partial), tn_arg_buffer(a->rows),
                     tn_arg_i32(a->part_rows), tn_arg_i32(a->at), tn_arg_i32(a->parts), tn_arg_i32(a->stride),
                     tn_arg_i32(s->count), tn_arg_i32(lanes), tn_arg_i32(p->each));
}

const tn_variant tn_partial_sums_groups = {.name = "groups",
                                           .style = TN_STYLE_GROUPS,
                                           .tunable_count = sizeof tunables / sizeof tunables[0],
                                           .tunables = tunables,
                                           .plan = make,
                                           .run = run};
