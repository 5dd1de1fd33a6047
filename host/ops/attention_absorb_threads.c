/* A work-item owns a register tile of a product: ROWS rows by COLS vectors. */
#include "attention_absorb_variants.h"

enum { ROWS = 4, COLS = 4 }; /* as in the kernels */
enum { VW, LOCAL, TUNABLES };
static const tn_tunable tunables[] = {
    [VW] = TN_TUNABLE("VW", "lanes of a vector", 16, 4, TN_TUNABLE_BITS, 4, 8, 16),
    [LOCAL] = TN_TUNABLE_LOCAL(16),
};

typedef struct plan {
    tn_kernel *kernel, *transposed; /* transposed: backward, products of rows with rows */
    tn_range range, transposed_range;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "attention_absorb's plan");

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_attention_absorb_key *s = shape;
    const bool backward = pass == TN_ATTENTION_ABSORB_BACKWARD;
    const int64_t D = s->H * s->Dh, rows = backward ? s->Dh : D;
    tn_options options = {""};
    plan *p = out;
    int lanes = values[VW];
    while (lanes > 4 && D % lanes != 0)
        lanes /= 2;
    tn_options_int(&options, "LANES", lanes);
    TN_TRY(tn_kernel_get(dev, "attention_absorb_threads",
                         backward ? "attention_absorb_backward" : "attention_absorb_forward", &options,
                         &p->kernel));
    p->range =
        tn_range_3d((size_t)tn_ceil_div(rows, ROWS), (size_t)(2 * s->H), (size_t)tn_ceil_div(D, COLS * lanes),
                    tn_kernel_group(p->kernel, (size_t)values[LOCAL]), 1, 1);
    if (!backward)
        return TN_OK;
    TN_TRY(tn_kernel_get(dev, "attention_absorb_threads", "attention_absorb_transposed", &options,
                         &p->transposed));
    p->transposed_range = tn_range_2d((size_t)D, 2, tn_kernel_group(p->transposed, (size_t)values[LOCAL]), 1);
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_attention_absorb_key *s = shape;
    const tn_attention_absorb_args *a = args;
    const plan *p = planned;
    if (pass == TN_ATTENTION_ABSORB_FORWARD)
        return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->mq), tn_arg_buffer(a->mo),
                         tn_arg_buffer(a->wq), tn_arg_buffer(a->wk), tn_arg_buffer(a->wv),
                         tn_arg_buffer(a->wo), tn_arg_i32(s->H), tn_arg_i32(s->Dh));
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dwq), tn_arg_buffer(a->dwv),
                     tn_arg_buffer(a->dmq), tn_arg_buffer(a->dmo), tn_arg_buffer(a->wk), tn_arg_buffer(a->wo),
                     tn_arg_i32(s->H), tn_arg_i32(s->Dh)));
    return tn_launch(dev, p->transposed, p->transposed_range, tn_arg_buffer(a->dwk), tn_arg_buffer(a->dwo),
                     tn_arg_buffer(a->dmq), tn_arg_buffer(a->dmo), tn_arg_buffer(a->wq), tn_arg_buffer(a->wv),
                     tn_arg_i32(s->H), tn_arg_i32(s->Dh));
}

const tn_variant tn_attention_absorb_threads = {.name = "threads",
                                                .style = TN_STYLE_THREADS,
                                                .portable = true,
                                                .tunable_count = TUNABLES,
                                                .tunables = tunables,
                                                .plan = plan_make,
                                                .run = run};

typedef struct list_plan {
    tn_kernel *kernel;
    size_t group;
} list_plan;
_Static_assert(sizeof(list_plan) <= TN_PLAN_BYTES, "attention_absorb's plan of lists");

static tn_status list_plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    tn_options options = {""};
    list_plan *p = out;
    (void)pass;
    (void)shape;
    tn_options_int(&options, "LANES", 4);
    TN_TRY(tn_kernel_get(dev, "attention_absorb_threads", "attention_absorb_rows", &options, &p->kernel));
    p->group = tn_kernel_group(p->kernel, (size_t)values[LOCAL]);
    return TN_OK;
}

static tn_status list_run(tn_device *dev, int pass, const void *shape, const void *planned,
                          const void *args) {
    const tn_attention_absorb_lists *a = args;
    const list_plan *p = planned;
    (void)pass;
    (void)shape;
    return tn_launch(dev, p->kernel, tn_range_1d((size_t)a->R, p->group), tn_arg_buffer(a->to),
                     tn_arg_buffer(a->rows), tn_arg_i32(a->R), tn_arg_i32(a->H));
}

const tn_variant tn_attention_absorb_list_threads = {.name = "threads",
                                                     .style = TN_STYLE_THREADS,
                                                     .portable = true,
                                                     .tunable_count = TUNABLES,
                                                     .tunables = tunables,
                                                     .plan = list_plan_make,
                                                     .run = list_run};
