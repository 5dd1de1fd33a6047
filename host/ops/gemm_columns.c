/* The gradient of a bias where the items of a work-group share rows. */
#include "gemm_variants.h"
#include "group_rows.h"

static const tn_tunable tunables[] = {TN_GROUP_ROWS_TUNABLES_OF(TN_TUNABLE_BITS)};
_Static_assert(sizeof(tn_group_rows) <= TN_PLAN_BYTES, "the plan of gemm's columns");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_gemm_key *s = shape;
    tn_group_rows *p = out;
    (void)pass;
    TN_TRY(tn_group_rows_make(dev, "gemm_columns", "gemm_bias_backward_columns", NULL, s->N, values, p));
    tn_group_rows_part(p, s->M, 0);
    p->range = tn_range_2d(p->range.global[0], (size_t)p->each, p->range.local[0], 1);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args) {
    const tn_gemm_key *s = shape;
    const tn_gemm_args *a = args;
    const tn_group_rows *p = plan;
    tn_buffer *partial;
    int64_t at;
    (void)pass;
    TN_TRY(tn_partial_sums_place(dev, a->later, p->groups * s->N, 1, &partial, &at));
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(partial), tn_arg_buffer(a->a[0]), tn_arg_i32(at),
                     tn_arg_i32(p->steps), tn_arg_i32(s->M), tn_arg_i32(s->N)));
    return tn_partial_sums_add(dev, a->later, &(tn_partial_sums_shape){p->groups, s->N, s->N}, a->c[0],
                               partial, at);
}

const tn_variant tn_gemm_columns = {.name = "columns",
                                    .style = TN_STYLE_GROUPS,
                                    .passes = 1u << TN_GEMM_BIAS_BACKWARD,
                                    .tunable_count = sizeof tunables / sizeof tunables[0],
                                    .tunables = tunables,
                                    .plan = make,
                                    .run = run};
