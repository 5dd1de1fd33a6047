#include "softmax_cross_entropy.h"

#include "softmax_cross_entropy_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_softmax_cross_entropy_groups,
                                             &tn_softmax_cross_entropy_threads, NULL};
const tn_op tn_softmax_cross_entropy_op = {.name = "softmax_cross_entropy",
                                           .passes = passes,
                                           .shape_bytes = sizeof(tn_softmax_cross_entropy_key),
                                           .variants = variants};

tn_status tn_softmax_cross_entropy_forward(tn_device *dev, const tn_softmax_cross_entropy_shape *s,
                                           tn_buffer *loss, tn_buffer *lse, tn_buffer *predicted,
                                           const tn_buffer *logits, const tn_buffer *labels) {
    return tn_op_run(
        dev, &tn_softmax_cross_entropy_op, TN_SOFTMAX_CROSS_ENTROPY_FORWARD,
        &(tn_softmax_cross_entropy_key){s->L, s->V},
        &(tn_softmax_cross_entropy_args){
            .loss = loss, .lse_out = lse, .predicted = predicted, .logits = logits, .labels = labels});
}

tn_status tn_softmax_cross_entropy_backward(tn_device *dev, const tn_softmax_cross_entropy_shape *s,
                                            tn_buffer *dlogits, const tn_buffer *logits,
                                            const tn_buffer *labels, const tn_buffer *lse, float scale) {
    return tn_op_run(dev, &tn_softmax_cross_entropy_op, TN_SOFTMAX_CROSS_ENTROPY_BACKWARD,
                     &(tn_softmax_cross_entropy_key){s->L, s->V},
                     &(tn_softmax_cross_entropy_args){
                         .dlogits = dlogits, .logits = logits, .labels = labels, .lse = lse, .scale = scale});
}
