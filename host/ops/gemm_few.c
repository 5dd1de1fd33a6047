/* Products of few rows, as inference has them: a work-item owns all rows of a panel of columns and reads B
 * once, as it lies (kernels/gemm/gemm_few.cl). Nothing is packed. Its bits are those of variant threads. */
#include "gemm_variants.h"

enum { WIDE, TUNABLES };
static const tn_tunable tunables[TUNABLES] = {
    [WIDE] = TN_TUNABLE("WIDE", "vectors side by side, where rows of B lie along C's", 4, 4, 0, 1, 2, 4, 8),
};

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_gemm_key *s = shape;
    (void)dev;
    (void)pass;
    (void)values;
    if (s->M > TN_GEMM_FEW_ROWS)
        snprintf(why, size, "%lld rows, and it takes %d", (long long)s->M, TN_GEMM_FEW_ROWS);
    else if (s->c_count > 1 || s->a_count > 1)
        snprintf(why, size, "it takes no products in groups");
    else if (s->packed)
        snprintf(why, size, "B is packed already");
    else
        return true;
    return false;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    enum { LANES = 16, REGISTERS = 16 };
    const tn_gemm_key *s = shape;
    const bool b_rows = pass == TN_GEMM_NN;
    int64_t wide = b_rows ? values[WIDE] : 1;
    tn_launch_plan *p = out;
    tn_options options = {""};
    while (wide > 1 && (wide * s->M > REGISTERS || wide / 2 * LANES >= s->N))
        wide /= 2;
    tn_options_int(&options, "NV", (long)wide);
    tn_options_int(&options, "ROWS", (long)s->M);
    tn_options_int(&options, "B_ROWS", b_rows);
    tn_options_int(&options, "ACT", s->gelu == TN_GEMM_GELU_SLOPE ? 2 : s->gelu == TN_GEMM_GELU_VALUE);
    TN_TRY(tn_kernel_get(dev, "gemm_few", "gemm_few", &options, &p->kernel));
    p->range = tn_range_1d((size_t)tn_ceil_div(s->N, LANES * wide), 1);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_gemm_key *s = shape;
    const tn_launch_plan *p = planned;
    const tn_gemm_args *a = args;
    (void)pass;
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->c[0]), tn_arg_buffer(a->a[0]),
                     tn_arg_buffer(a->b), tn_arg_buffer(a->bias), tn_arg_buffer(a->add),
                     tn_arg_buffer(a->act ? a->act : a->at), tn_arg_i32(s->N), tn_arg_i32(s->K));
}

const tn_variant tn_gemm_few = {.name = "few",
                                .style = TN_STYLE_THREADS,
                                .passes = 1u << TN_GEMM_NN | 1u << TN_GEMM_NT,
                                .tunable_count = TUNABLES,
                                .tunables = tunables,
                                .fits = fits,
                                .plan = plan_make,
                                .run = run};
