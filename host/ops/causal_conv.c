#include "causal_conv.h"

#include "launch.h"

/* How a device walks the problem: positions a work-item owns, channels it holds at once, items in either
 * direction. */
typedef struct plan {
    tn_options options;
    size_t lanes, tile, chunks, items, local;
} plan;

int64_t tn_causal_conv_tile(const tn_device *dev) {
    return tn_tunable(dev, "causal_conv", "TILE", 128, 32);
}

static tn_status make_plan(tn_device *dev, const tn_causal_conv_shape *s, bool in_place, plan *p) {
    *p = (plan){.lanes = (size_t)tn_tunable(dev, "causal_conv", "LANES", 16, 1),
                .tile = (size_t)tn_causal_conv_tile(dev),
                .local = (size_t)tn_tunable(dev, "causal_conv", "LOCAL", 1, 64)};
    if (s->K < 1 || s->K > TN_CAUSAL_CONV_TAPS)
        return tn_fail(tn_device_context(dev), TN_ERR_ARG, "causal_conv with %lld taps: it takes 1 to %d",
                       (long long)s->K, TN_CAUSAL_CONV_TAPS);
    p->chunks = ((size_t)s->D + p->lanes - 1) / p->lanes;
    p->items = (size_t)s->B * (((size_t)s->T + p->tile - 1) / p->tile);
    tn_options_int(&p->options, "K", (long)s->K);
    tn_options_int(&p->options, "SILU", s->silu != 0);
    tn_options_int(&p->options, "TILE", (long)p->tile);
    tn_options_rows(&p->options, dev, "causal_conv", (int)p->lanes, s->B * s->T, s->D);
    tn_options_int(&p->options, "IN_PLACE", in_place);
    return TN_OK;
}

static tn_range range(const plan *p, const tn_kernel *k, size_t rows) {
    return tn_range_2d(p->chunks, rows, tn_kernel_group(k, p->local), 1);
}

tn_status tn_causal_conv_forward(tn_device *dev, const tn_causal_conv_shape *s, tn_buffer *y,
                                 const tn_buffer *u, const tn_buffer *w, const tn_buffer *b) {
    plan p;
    tn_kernel *k;
    TN_TRY(make_plan(dev, s, false, &p));
    /* Rows as wide as one item's vectors lie one behind the other already. */
    size_t side = (size_t)tn_tunable(dev, "causal_conv", "SIDE", 4, 1);
    bool wide = side > 1 && s->K <= 8 && p.chunks > side && (size_t)s->D % (side * p.lanes) == 0;
    tn_options_int(&p.options, "SIDE", wide ? (long)side : 1);
    p.chunks = wide ? (size_t)s->D / (side * p.lanes) : p.chunks;
    TN_TRY(tn_kernel_get(dev, "causal_conv", wide ? "causal_conv_forward_wide" : "causal_conv_forward",
                         &p.options, &k));
    return tn_launch(dev, k, range(&p, k, p.items), tn_arg_buffer(y), tn_arg_buffer(u), tn_arg_buffer(w),
                     tn_arg_buffer(b), tn_arg_i32(s->B), tn_arg_i32(s->T), tn_arg_i32(s->D));
}

tn_status tn_causal_conv_backward(tn_device *dev, const tn_causal_conv_shape *s, tn_buffer *du, tn_buffer *dw,
                                  tn_buffer *db, const tn_buffer *dy, const tn_buffer *u, const tn_buffer *w,
                                  const tn_buffer *b, const tn_buffer *add, tn_part_sums *later) {
    plan p;
    tn_kernel *tiles;
    tn_buffer *partial;
    int64_t at, each = (s->K + 1) * s->D;
    TN_TRY(make_plan(dev, s, add == du, &p));
    TN_TRY(tn_kernel_get(dev, "causal_conv", "causal_conv_backward", &p.options, &tiles));
    TN_TRY(tn_part_sums_place(dev, later, (int64_t)p.items * each, 0, &partial, &at));
    TN_TRY(tn_launch(dev, tiles, range(&p, tiles, p.items), tn_arg_buffer(du), tn_arg_buffer(partial),
                     tn_arg_buffer(dy), tn_arg_buffer(u), tn_arg_buffer(w), tn_arg_buffer(b),
                     tn_arg_buffer(add ? add : dy), tn_arg_i32(add != NULL), tn_arg_i32(at), tn_arg_i32(s->B),
                     tn_arg_i32(s->T), tn_arg_i32(s->D)));
    tn_part_sum_shape taps = {(int64_t)p.items, s->K * s->D, each}, bias = {(int64_t)p.items, s->D, each};
    TN_TRY(tn_part_sums_add(dev, later, &taps, dw, partial, at));
    return tn_part_sums_add(dev, later, &bias, db, partial, at + s->K * s->D);
}
