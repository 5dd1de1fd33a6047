/* An item owns a vector of some positions, or of a row of the table. */
#include "embedding_variants.h"

enum { LANES, ROWS, LOCAL };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, 0, 1, 4, 8, 16),
    [ROWS] = TN_TUNABLE("ROWS", "positions of a work-item, forward", 16, 1, 0, 1, 2, 4, 8, 16, 32, 64),
    [LOCAL] = TN_TUNABLE_LOCAL(256),
};

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_embedding_key *s = shape;
    const bool forward = pass == TN_EMBEDDING_FORWARD;
    const int lanes = tn_row_lanes(dev, values[LANES], s->D);
    const int64_t vectors = tn_ceil_div(s->D, lanes);
    tn_options options = {""};
    tn_launch_plan *p = out;
    tn_options_vectors(&options, lanes, s->D);
    tn_options_int(&options, "ROWS", values[ROWS]);
    if (s->C > 0)
        tn_options_int(&options, "CODED", 1);
    TN_TRY(tn_kernel_get(dev, "embedding_threads", forward ? "embedding_forward" : "embedding_backward",
                         &options, &p->kernel));
    const size_t local = tn_kernel_group(p->kernel, (size_t)values[LOCAL]);
    const size_t across = tn_group_across(local, vectors, lanes);
    p->range = tn_range_2d((size_t)vectors, (size_t)(forward ? tn_ceil_div(s->N, values[ROWS]) : s->V),
                           across, local / across);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    const tn_embedding_key *s = shape;
    const tn_embedding_args *a = args;
    const tn_launch_plan *p = plan;
    if (pass == TN_EMBEDDING_FORWARD)
        return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->table),
                         tn_arg_buffer(a->tokens), tn_arg_buffer(a->more), tn_arg_buffer(a->codes),
                         tn_arg_i32(s->N), tn_arg_i32(s->D));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dtable), tn_arg_buffer(a->dy),
                     tn_arg_buffer(a->order), tn_arg_buffer(a->start), tn_arg_i32(s->V), tn_arg_i32(s->D));
}

const tn_variant tn_embedding_threads = {.name = "threads",
                                         .style = TN_STYLE_THREADS,
                                         .portable = true,
                                         .tunable_count = sizeof tunables / sizeof tunables[0],
                                         .tunables = tunables,
                                         .plan = make,
                                         .run = run};
