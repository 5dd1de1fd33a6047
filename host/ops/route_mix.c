#include "route_mix.h"

#include "route_mix_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_route_mix_groups, &tn_route_mix_threads, NULL};
const tn_op tn_route_mix_op = {
    .name = "route_mix", .passes = passes, .shape_bytes = sizeof(tn_route_mix_key), .variants = variants};

tn_status tn_route_mix_forward(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *y,
                               const tn_buffer *res, const tn_buffer *c, const tn_buffer *o,
                               const tn_buffer *p, const tn_buffer *h, const tn_buffer *slot) {
    return tn_op_run(dev, &tn_route_mix_op, TN_ROUTE_MIX_FORWARD,
                     &(tn_route_mix_key){.N = s->N, .D = s->D, .added = s->added},
                     &(tn_route_mix_args){
                         .hard = s->hard, .y = y, .res = res, .c = c, .o = o, .p = p, .h = h, .slot = slot});
}

tn_status tn_route_mix_few(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *y, const tn_buffer *res,
                           const tn_buffer *o, const tn_buffer *p, const tn_buffer *rows,
                           const tn_buffer *h) {
    const tn_route_mix_key key = {.N = s->N, .D = s->D, .added = s->added};
    tn_route_mix_args args = {
        .R = s->R, .y = y, .res = res, .o = o, .p = p, .rows = rows, .h = h, .count = s->count};
    TN_TRY(tn_op_rows(dev, &tn_route_mix_op, TN_ROUTE_MIX_FEW, &key, &args.count, &args.R));
    return args.R > 0 ? tn_op_run(dev, &tn_route_mix_op, TN_ROUTE_MIX_FEW, &key, &args) : TN_OK;
}

tn_status tn_route_mix_backward(tn_device *dev, const tn_route_mix_shape *s, tn_buffer *dc, tn_buffer *dout,
                                tn_buffer *dp, const tn_buffer *dy, const tn_buffer *c, const tn_buffer *o,
                                const tn_buffer *p, const tn_buffer *h, const tn_buffer *slot) {
    return tn_op_run(dev, &tn_route_mix_op, TN_ROUTE_MIX_BACKWARD,
                     &(tn_route_mix_key){.N = s->N, .D = s->D, .added = s->added},
                     &(tn_route_mix_args){.hard = s->hard,
                                          .dc = dc,
                                          .dout = dout,
                                          .dp = dp,
                                          .dy = dy,
                                          .c = c,
                                          .o = o,
                                          .p = p,
                                          .h = h,
                                          .slot = slot});
}

tn_status tn_route_mix_few_counts(tn_device *dev, const tn_route_mix_shape *s, bool *counts) {
    return tn_op_counts(dev, &tn_route_mix_op, TN_ROUTE_MIX_FEW,
                        &(tn_route_mix_key){.N = s->N, .D = s->D, .added = s->added}, counts);
}
