#include "mlp.h"

#include "gemm.h"
#include "gemm_pack.h"
#include "launch.h"
#include "quirks.h"
#include "style.h"
#include "rms_norm.h"

enum {
    FEW_ROWS = 4096, /* up to which a partial sum of the norm's gradient spans 16 rows, as rms_norm's does */
    WIDEST = 1 << 15 /* D·F of weights that stay near a unit beside its rows */
};

typedef struct plan {
    tn_gemm_layout gemm;
    int64_t tiles, parts, share;
} plan;

static plan plan_of(const tn_device *dev, const tn_mlp_shape *s) {
    plan p = {.gemm = tn_gemm_layout_of(dev), .tiles = tn_tunable_ask(dev, "mlp", "TILES", 8, 8)};
    p.parts = tn_ceil_div(s->N, TN_GEMM_PART_K);
    p.share = s->N <= FEW_ROWS ? 16 : TN_GEMM_PART_K;
    return p;
}

static tn_status kernel(tn_device *dev, const tn_mlp_shape *s, const plan *p, const char *name,
                        tn_kernel **out) {
    tn_options options = {""};
    tn_options_int(&options, "D", (long)s->D);
    tn_options_int(&options, "F", (long)s->F);
    tn_options_int(&options, "LANES", (long)p->gemm.lanes);
    tn_options_int(&options, "NV", (long)p->gemm.vectors);
    tn_options_int(&options, "TM", (long)p->gemm.rows);
    tn_options_int(&options, "TILES", (long)p->tiles);
    tn_options_int(&options, "PART", (long)TN_GEMM_PART_K);
    tn_options_int(&options, "BIAS_PART", (long)TN_GEMM_PART_ROWS);
    return tn_kernel_get(dev, "mlp", name, &options, out);
}

/* Half of what an item may have at most: the other half is the stack's. */
static int64_t private_limit(const tn_device *dev) {
    const int64_t most = 1 << 20, bytes = (int64_t)tn_device_private_bytes(dev);
    return bytes < most ? bytes : most;
}

bool tn_mlp_is_whole(const tn_device *dev, const tn_mlp_shape *s, bool training) {
    const tn_device_info *info = tn_device_get_info(dev);
    plan p = plan_of(dev, s);
    int64_t panel = p.gemm.lanes * p.gemm.vectors;
    int64_t bytes = p.tiles * p.gemm.rows * (3 * (s->D + 16) + 2 * (s->F + 16)) * (int64_t)sizeof(float);
    if (!tn_tunable_ask(dev, "mlp", "WHOLE", 1, 0) || s->D % panel != 0 || s->F % panel != 0)
        return false;
    if (bytes > private_limit(dev) || s->D * s->F > WIDEST)
        return false;
    /* A part is one item's: where there are fewer than units can share, smaller launches share better. */
    return !training || p.parts >= 2 * (int64_t)info->compute_units;
}

/* p->tiles tiles an item, so that weights are read for many rows; fewer where that many would leave the last
 * round of items uneven. */
static int64_t rows_an_item(const tn_device *dev, const plan *p, int64_t N) {
    int64_t units = tn_device_get_info(dev)->compute_units, total = tn_ceil_div(N, p->gemm.rows);
    int64_t each = tn_ceil_div(total, units * tn_ceil_div(total, units * p->tiles));
    return (each < 1 ? 1 : each) * p->gemm.rows;
}

static tn_status whole_forward(tn_device *dev, const tn_mlp_shape *s, tn_buffer *y, const tn_mlp_saved *saved,
                               const tn_buffer *x, const tn_mlp_weights *w) {
    plan p = plan_of(dev, s);
    int64_t rows = rows_an_item(dev, &p, s->N);
    tn_kernel *k;
    tn_buffer *up = NULL, *down = NULL;
    if (!w->up_packed)
        TN_TRY(tn_gemm_pack(dev, s->F, s->D, w->up, 0, &up));
    if (!w->down_packed)
        TN_TRY(tn_gemm_pack(dev, s->D, s->F, w->down, 1, &down));
    TN_TRY(kernel(dev, s, &p, "mlp_forward", &k));
    return tn_launch(dev, k, tn_range_1d((size_t)tn_ceil_div(s->N, rows), 1), tn_arg_buffer(y),
                     tn_arg_buffer(saved->rstd), tn_arg_buffer(saved->up), tn_arg_buffer(x),
                     tn_arg_buffer(w->norm), tn_arg_buffer(up ? up : w->up_packed), tn_arg_buffer(w->up_bias),
                     tn_arg_buffer(down ? down : w->down_packed), tn_arg_buffer(w->down_bias),
                     tn_arg_i32(rows), tn_arg_i32(s->N), tn_arg_f32(s->eps));
}

tn_status tn_mlp_forward(tn_device *dev, const tn_mlp_shape *s, bool training, tn_buffer *y,
                         const tn_mlp_saved *saved, const tn_buffer *x, const tn_mlp_weights *w) {
    tn_rms_norm_shape norm = {s->N, s->D, s->eps};
    tn_gemm_shape up = {TN_GEMM_NT, s->N, s->F, s->D}, down = {TN_GEMM_NT, s->N, s->D, s->F};
    if (tn_mlp_is_whole(dev, s, training))
        return whole_forward(dev, s, y, saved, x, w);
    TN_TRY(tn_rms_norm_forward(dev, &norm, saved->u, saved->rstd, x, w->norm));
    TN_TRY(tn_gemm_gelu_forward(dev, &up, saved->up, saved->act, saved->u, w->up, w->up_packed, w->up_bias));
    return tn_gemm_with_packed(dev, &down, y, saved->act, w->down, w->down_packed, w->down_bias, x);
}

static tn_status add_all(tn_device *dev, const tn_mlp_shape *s, const plan *p, const tn_mlp_weights *grads,
                         const tn_buffer *partial, const int64_t *at, tn_partial_sums *later) {
    int64_t biases = tn_ceil_div(s->N, TN_GEMM_PART_ROWS), weight = s->D * s->F;
    tn_buffer *const to[] = {grads->up, grads->down, grads->up_bias, grads->down_bias, grads->norm};
    const tn_partial_sums_shape sums[] = {{p->parts, weight, weight},
                                          {p->parts, weight, weight},
                                          {biases, s->F, s->F},
                                          {biases, s->D, s->D},
                                          {tn_ceil_div(s->N, p->share), s->D, s->D}};
    for (int i = 0; i < 5; i++)
        TN_TRY(tn_partial_sums_add(dev, later, &sums[i], to[i], partial, at[i]));
    return TN_OK;
}

static tn_status whole_backward(tn_device *dev, const tn_mlp_shape *s, tn_buffer *dx,
                                const tn_mlp_weights *grads, const tn_buffer *dy, const tn_buffer *x,
                                const tn_mlp_weights *w, const tn_mlp_saved *saved, tn_partial_sums *later) {
    plan p = plan_of(dev, s);
    int64_t biases = tn_ceil_div(s->N, TN_GEMM_PART_ROWS), at[6];
    tn_kernel *k;
    tn_buffer *partial;
    TN_TRY(kernel(dev, s, &p, "mlp_backward", &k));
    const int64_t floats[] = {p.parts * s->D * s->F, p.parts * s->D * s->F, biases * s->F, biases * s->D,
                              tn_ceil_div(s->N, p.share) * s->D};
    int64_t all = 0;
    for (int i = 0; i < 5; i++)
        all += floats[i];
    TN_TRY(tn_partial_sums_place(dev, later, all, 0, &partial, &at[0]));
    for (int i = 0; i < 5; i++)
        at[i + 1] = at[i] + floats[i];
    TN_TRY(tn_launch(dev, k, tn_range_1d((size_t)p.parts, 1), tn_arg_buffer(dx), tn_arg_buffer(partial),
                     tn_arg_i32(at[0]), tn_arg_i32(at[1]), tn_arg_i32(at[2]), tn_arg_i32(at[3]),
                     tn_arg_i32(at[4]), tn_arg_buffer(dy), tn_arg_buffer(x), tn_arg_buffer(saved->rstd),
                     tn_arg_buffer(saved->up), tn_arg_buffer(w->norm), tn_arg_buffer(w->up),
                     tn_arg_buffer(w->down), tn_arg_i32(p.share), tn_arg_i32(s->N)));
    return add_all(dev, s, &p, grads, partial, at, later);
}

tn_status tn_mlp_backward(tn_device *dev, const tn_mlp_shape *s, tn_buffer *dx, const tn_mlp_weights *grads,
                          const tn_buffer *dy, const tn_buffer *x, const tn_mlp_weights *w,
                          const tn_mlp_saved *saved, tn_partial_sums *later) {
    int64_t N = s->N, D = s->D, F = s->F;
    tn_buffer *wide, *du;
    if (tn_mlp_is_whole(dev, s, true))
        return whole_backward(dev, s, dx, grads, dy, x, w, saved, later);
    TN_TRY(tn_device_scratch(dev, 2, (size_t)(N * F) * sizeof(float), &wide));
    TN_TRY(tn_device_scratch(dev, 3, (size_t)(N * D) * sizeof(float), &du));
    TN_TRY(tn_gemm_weight_grad(dev, D, F, N, grads->down, dy, saved->act, later));
    TN_TRY(tn_gemm_bias_backward(dev, N, D, grads->down_bias, dy, later));
    TN_TRY(tn_gemm_gelu_backward(dev, &(tn_gemm_shape){TN_GEMM_NN, N, F, D}, wide, dy, w->down, saved->up));
    TN_TRY(tn_gemm_weight_grad(dev, F, D, N, grads->up, wide, saved->u, later));
    TN_TRY(tn_gemm_bias_backward(dev, N, F, grads->up_bias, wide, later));
    TN_TRY(tn_gemm_forward(dev, &(tn_gemm_shape){TN_GEMM_NN, N, D, F}, du, wide, w->up, NULL, NULL));
    tn_rms_norm_shape norm = {N, D, s->eps};
    return tn_rms_norm_backward(dev, &norm, dx, grads->norm, du, x, w->norm, saved->rstd, dy, later);
}
