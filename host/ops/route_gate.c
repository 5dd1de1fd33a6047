#include "route_gate.h"

#include "route_gate_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_route_gate_groups, &tn_route_gate_threads, NULL};
const tn_op tn_route_gate_op = {
    .name = "route_gate", .passes = passes, .shape_bytes = sizeof(tn_route_gate_key), .variants = variants};

tn_status tn_route_gate_forward(tn_device *dev, const tn_route_gate_shape *s, tn_buffer *p, tn_buffer *h,
                                const tn_buffer *u, const tn_buffer *w, const tn_buffer *b, double margin) {
    return tn_op_run(dev, &tn_route_gate_op, TN_ROUTE_GATE_FORWARD, &(tn_route_gate_key){s->N, s->D},
                     &(tn_route_gate_args){.p_out = p, .h = h, .u = u, .w = w, .b = b, .margin = margin});
}

tn_status tn_route_gate_backward(tn_device *dev, const tn_route_gate_shape *s, tn_buffer *du, tn_buffer *dw,
                                 tn_buffer *db, const tn_buffer *dp, double dp_const, double least_slope,
                                 const tn_buffer *priced, const tn_buffer *p, const tn_buffer *u,
                                 const tn_buffer *w, const tn_buffer *add, tn_partial_sums *later) {
    return tn_op_run(dev, &tn_route_gate_op, TN_ROUTE_GATE_BACKWARD, &(tn_route_gate_key){s->N, s->D},
                     &(tn_route_gate_args){.du = du,
                                           .dw = dw,
                                           .db = db,
                                           .dp = dp,
                                           .dp_const = dp_const,
                                           .least_slope = least_slope,
                                           .priced = priced,
                                           .p = p,
                                           .u = u,
                                           .w = w,
                                           .add = add,
                                           .later = later});
}
