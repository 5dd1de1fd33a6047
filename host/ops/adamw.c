#include "adamw.h"

#include "launch.h"

#include <math.h>

tn_status tn_adamw_forward(tn_device *dev, const tn_adamw_shape *s, tn_buffer *p, tn_buffer *m, tn_buffer *v,
                           const tn_buffer *g, const tn_buffer *grad_scale) {
    const int64_t lanes = tn_tunable_ask(dev, "adamw", "LANES", 16, 4);
    const int64_t vectors = tn_tunable_ask(dev, "adamw", "VECTORS", 64, 1);
    tn_options options = {""};
    tn_kernel *k;
    if (s->t < 1)
        return tn_fail(tn_device_context(dev), TN_ERR_ARG, "adamw at update %lld: updates count from 1",
                       (long long)s->t);
    tn_options_int(&options, "LANES", (long)lanes);
    tn_options_int(&options, "VECTORS", (long)vectors);
    TN_TRY(tn_kernel_get(dev, "adamw", "adamw_forward", &options, &k));
    size_t items = (size_t)((s->n + lanes * vectors - 1) / (lanes * vectors));
    size_t local = tn_kernel_group(k, (size_t)tn_tunable_ask(dev, "adamw", "LOCAL", 1, 64));
    return tn_launch(dev, k, tn_range_1d(items, local), tn_arg_buffer(p), tn_arg_buffer(m), tn_arg_buffer(v),
                     tn_arg_buffer(g), tn_arg_buffer(grad_scale), tn_arg_i32(s->n), tn_arg_i32(s->n_decay),
                     tn_arg_f32(s->lr), tn_arg_f32(s->beta1), tn_arg_f32(1 - s->beta1), tn_arg_f32(s->beta2),
                     tn_arg_f32(1 - s->beta2), tn_arg_f32(1 / (1 - pow(s->beta1, (double)s->t))),
                     tn_arg_f32(1 / (1 - pow(s->beta2, (double)s->t))), tn_arg_f32(s->eps),
                     tn_arg_f32(s->weight_decay));
}
