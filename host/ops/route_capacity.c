#include "route_capacity.h"

#include "route_capacity_variants.h"

static const char *const passes[] = {"forward", NULL};
static const tn_variant *const variants[] = {&tn_route_capacity_groups, &tn_route_capacity_threads, NULL};
const tn_op tn_route_capacity_op = {.name = "route_capacity",
                                    .passes = passes,
                                    .shape_bytes = sizeof(tn_route_capacity_key),
                                    .variants = variants};

tn_status tn_route_capacity_forward(tn_device *dev, const tn_route_capacity_shape *s, tn_buffer *mask,
                                    const tn_buffer *p) {
    return tn_op_run(dev, &tn_route_capacity_op, 0, &(tn_route_capacity_key){s->B, s->T},
                     &(tn_route_capacity_args){s->k < s->T ? s->k : s->T, mask, p});
}
