#include "adamw.h"

#include "adamw_variants.h"

static const char *const passes[] = {"forward", NULL};
static const tn_variant *const variants[] = {&tn_adamw_threads, NULL};
const tn_op tn_adamw_op = {
    .name = "adamw", .passes = passes, .shape_bytes = sizeof(tn_adamw_key), .variants = variants};

tn_status tn_adamw_forward(tn_device *dev, const tn_adamw_shape *s, tn_buffer *p, tn_buffer *m, tn_buffer *v,
                           const tn_buffer *g, const tn_buffer *grad_scale) {
    if (s->t < 1)
        return tn_fail(tn_device_context(dev), TN_ERR_ARG, "adamw at update %lld: updates count from 1",
                       (long long)s->t);
    return tn_op_run(dev, &tn_adamw_op, 0, &(tn_adamw_key){s->n},
                     &(tn_adamw_args){s, p, m, v, g, grad_scale});
}
