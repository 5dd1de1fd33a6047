#include "row_move.h"

enum { LANES, ROWS, SPLIT, STREAM, LOCAL };
const tn_tunable tn_row_move_tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "lanes of a vector", 16, 4, 0, 1, 4, 8, 16),
    [ROWS] = TN_TUNABLE("ROWS", "rows of a work-item", 16, 1, 0, 1, 2, 4, 8, 16, 32, 64),
    [SPLIT] = TN_TUNABLE("SPLIT", "1: a row's vectors go to neighbouring work-items", 0, 1, 0, 0, 1),
    [STREAM] = TN_TUNABLE_STREAM,
    [LOCAL] = TN_TUNABLE_LOCAL(256),
};

tn_status tn_row_move(tn_device *dev, const tn_op *op, int pass, tn_row_move_key s,
                      const tn_row_move_args *args) {
    tn_row_move_args a = *args;
    if (s.R > 0)
        TN_TRY(tn_op_rows(dev, op, pass, &s, &a.count, &s.R));
    return s.R > 0 ? tn_op_run(dev, op, pass, &s, &a) : TN_OK;
}

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    int64_t share;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "row_move's plan");

tn_status tn_row_move_plan(tn_device *dev, const char *op, const char *name, const tn_row_move_key *s,
                           const int *values, void *out) {
    const int lanes = tn_row_lanes(dev, values[LANES], s->D);
    const int64_t vectors = values[SPLIT] ? tn_ceil_div(s->D, lanes) : 1;
    tn_options options = {""};
    plan *p = out;
    p->share = tn_share(s->R, values[ROWS]);
    tn_options_rows(&options, lanes, values[STREAM], s->R, s->D);
    tn_options_int(&options, "ALIGNED", lanes == 4 && s->D % 4 == 0);
    TN_TRY(tn_kernel_get(dev, op, name, &options, &p->kernel));
    const size_t local = tn_kernel_group(p->kernel, (size_t)values[LOCAL]);
    const size_t across = tn_group_across(local, vectors, lanes);
    p->range = tn_range_2d((size_t)vectors, (size_t)tn_ceil_div(s->R, p->share), across, local / across);
    return TN_OK;
}

tn_status tn_row_move_run(tn_device *dev, int pass, const void *shape, const void *plan_, const void *args) {
    const tn_row_move_key *s = shape;
    const tn_row_move_args *a = args;
    const plan *p = plan_;
    (void)pass;
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->to), tn_arg_buffer(a->from),
                     tn_arg_buffer(a->rows), tn_arg_buffer(a->count), tn_arg_i32(p->share), tn_arg_i32(s->R),
                     tn_arg_i32(s->D));
}
