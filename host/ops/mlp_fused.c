/* One launch a pass, which keeps what lies between near a compute unit: a work-item takes a few tiles of rows
 * through norm, products and gelu in its private memory (kernels/mlp/mlp_fused.cl). The same bits as variant
 * composed. */
#include "fused_rows.h"
#include "mlp_variants.h"

#include "mlp/mlp_sizes.cl"

enum {
    FEW_ROWS = 4096 /* up to which a partial sum of the norm's gradient spans 16 rows, as rms_norm's does */
};

enum { TILES, TUNABLES };
static const tn_tunable tunables[TUNABLES] = {
    [TILES] = TN_TUNABLE("TILES", "tiles of rows that a work-item takes at a time", 8, 8, 0, 1, 2, 4, 8, 16)};

typedef struct plan {
    tn_kernel *kernel;
    tn_range range;
    mlp_sizes sizes;
    int64_t parts;            /* backward: partial sums of weights */
    tn_gemm_packing up, down; /* forward, where the weights come unpacked */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "mlp's plan");
_Static_assert(sizeof(mlp_sizes) == 9 * sizeof(int32_t), "mlp_sizes as kernels see it");

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_mlp_key *s = shape;
    const tn_gemm_layout g = tn_gemm_layout_of(dev);
    const int64_t panel = g.lanes * g.vectors,
                  bytes =
                      values[TILES] * g.rows * (3 * (s->D + 16) + 2 * (s->F + 16)) * (int64_t)sizeof(float);
    (void)pass;
    if (s->D % panel == 0 && s->F % panel == 0)
        return tn_fused_fits(dev, bytes, s->D * s->F, s->training, s->N, why, size);
    snprintf(why, size, "D=%lld and F=%lld are not both multiples of %lld", (long long)s->D, (long long)s->F,
             (long long)panel);
    return false;
}

static tn_status kernel(tn_device *dev, const tn_mlp_key *s, int64_t tiles, const char *name,
                        tn_kernel **out) {
    tn_options options = {""};
    tn_options_int(&options, "D", (long)s->D);
    tn_options_int(&options, "F", (long)s->F);
    tn_fused_options(dev, tiles, &options);
    tn_options_int(&options, "BIAS_PART", TN_GEMM_PART_ROWS);
    return tn_kernel_get(dev, "mlp_fused", name, &options, out);
}

/* As many tiles an item as it may take, so that weights are read for many rows; fewer where that many would
 * leave the last round of items uneven. */
static int64_t rows_an_item(const tn_device *dev, int64_t tiles, int64_t N) {
    const int64_t rows = tn_gemm_layout_of(dev).rows, units = tn_device_get_info(dev)->compute_units,
                  total = tn_ceil_div(N, rows),
                  each = tn_ceil_div(total, units * tn_ceil_div(total, units * tiles));
    return (each < 1 ? 1 : each) * rows;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_mlp_key *s = shape;
    plan *p = out;
    p->parts = tn_fused_parts(s->N);
    p->sizes = (mlp_sizes){.N = (int)s->N,
                           .rows = (int)rows_an_item(dev, values[TILES], s->N),
                           .share = s->N <= FEW_ROWS ? 16 : TN_GEMM_PART_K};
    if (pass == TN_MLP_BACKWARD) {
        p->range = tn_range_1d((size_t)p->parts, 1);
        return kernel(dev, s, values[TILES], "mlp_backward", &p->kernel);
    }
    p->range = tn_range_1d((size_t)tn_ceil_div(s->N, p->sizes.rows), 1);
    TN_TRY(tn_gemm_packing_make(dev, s->F, s->D, true, &p->up));
    TN_TRY(tn_gemm_packing_make(dev, s->D, s->F, true, &p->down));
    return kernel(dev, s, values[TILES], "mlp_forward", &p->kernel);
}

static tn_status forward(tn_device *dev, const plan *p, const tn_mlp_args *a) {
    const tn_mlp_weights *w = a->weights;
    mlp_sizes sizes = p->sizes;
    sizes.eps = a->eps;
    tn_buffer *up = NULL, *down = NULL;
    if (!w->up_packed)
        TN_TRY(tn_gemm_packing_run(dev, &p->up, 0, w->up, NULL, &up));
    if (!w->down_packed)
        TN_TRY(tn_gemm_packing_run(dev, &p->down, 1, w->down, NULL, &down));
    return tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->y), tn_arg_buffer(a->saved->rstd),
                     tn_arg_buffer(a->saved->up), tn_arg_buffer(a->x), tn_arg_buffer(w->norm),
                     tn_arg_buffer(up ? up : w->up_packed), tn_arg_buffer(w->up_bias),
                     tn_arg_buffer(down ? down : w->down_packed), tn_arg_buffer(w->down_bias),
                     tn_arg_bytes(&sizes, sizeof sizes));
}

static tn_status add_all(tn_device *dev, const tn_mlp_key *s, const plan *p, const tn_mlp_weights *grads,
                         const tn_buffer *partial, const int64_t *at, tn_partial_sums *later) {
    const int64_t biases = tn_ceil_div(s->N, TN_GEMM_PART_ROWS), weight = s->D * s->F;
    tn_buffer *const to[] = {grads->up, grads->down, grads->up_bias, grads->down_bias, grads->norm};
    const tn_partial_sums_shape sums[] = {{p->parts, weight, weight},
                                          {p->parts, weight, weight},
                                          {biases, s->F, s->F},
                                          {biases, s->D, s->D},
                                          {tn_ceil_div(s->N, p->sizes.share), s->D, s->D}};
    for (int i = 0; i < 5; i++)
        TN_TRY(tn_partial_sums_add(dev, later, &sums[i], to[i], partial, at[i]));
    return TN_OK;
}

static tn_status backward(tn_device *dev, const tn_mlp_key *s, const plan *p, const tn_mlp_args *a) {
    const int64_t biases = tn_ceil_div(s->N, TN_GEMM_PART_ROWS), weights = p->parts * s->D * s->F;
    const int64_t floats[] = {weights, weights, biases * s->F, biases * s->D,
                              tn_ceil_div(s->N, p->sizes.share) * s->D};
    const tn_mlp_weights *w = a->weights;
    tn_buffer *partial;
    int64_t at[6], all = 0;
    for (int i = 0; i < 5; i++)
        all += floats[i];
    TN_TRY(tn_partial_sums_place(dev, a->later, all, 0, &partial, &at[0]));
    for (int i = 0; i < 5; i++)
        at[i + 1] = at[i] + floats[i];
    mlp_sizes sizes = p->sizes;
    sizes.at_w1 = (int)at[0];
    sizes.at_w2 = (int)at[1];
    sizes.at_b1 = (int)at[2];
    sizes.at_b2 = (int)at[3];
    sizes.at_w = (int)at[4];
    TN_TRY(tn_launch(dev, p->kernel, p->range, tn_arg_buffer(a->dx), tn_arg_buffer(partial),
                     tn_arg_buffer(a->dy), tn_arg_buffer(a->x), tn_arg_buffer(a->saved->rstd),
                     tn_arg_buffer(a->saved->up), tn_arg_buffer(w->norm), tn_arg_buffer(w->up),
                     tn_arg_buffer(w->down), tn_arg_bytes(&sizes, sizeof sizes)));
    return add_all(dev, s, p, a->grads, partial, at, a->later);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    return pass == TN_MLP_FORWARD ? forward(dev, planned, args) : backward(dev, shape, planned, args);
}

const tn_variant tn_mlp_fused = {.name = "fused",
                                 .style = TN_STYLE_THREADS,
                                 .tunable_count = TUNABLES,
                                 .tunables = tunables,
                                 .fits = fits,
                                 .plan = plan_make,
                                 .run = run};
