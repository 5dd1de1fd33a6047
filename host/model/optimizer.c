/* One update: the gradient's norm, its clip scale and AdamW, all on the device; the host waits for nothing.
 */
#include "workspace.h"

#include "adamw.h"
#include "grad_clip.h"

/* Kept with the device: two floats that the clip writes and AdamW reads. */
typedef struct tn_clip_state {
    tn_buffer *scale, *norm;
} tn_clip_state;

static void clip_release(tn_device *dev, void *data) {
    (void)dev;
    tn_clip_state *state = data;
    tn_buffer_destroy(state->scale);
    tn_buffer_destroy(state->norm);
}

static tn_status clip_state(tn_device *dev, tn_clip_state **out) {
    TN_TRY(tn_device_state(dev, "optimizer", sizeof **out, (void **)out));
    if ((*out)->scale)
        return TN_OK;
    TN_TRY(tn_device_at_close(dev, clip_release, *out));
    TN_TRY(tn_buffer_create(dev, sizeof(float), &(*out)->scale));
    return tn_buffer_create(dev, sizeof(float), &(*out)->norm);
}

tn_status tn_model_update(tn_model *m, const tn_optimizer *o, int64_t step) {
    tn_params *p = &m->params;
    tn_clip_state *clip;
    TN_TRY(clip_state(m->dev, &clip));
    TN_TRY(
        tn_grad_clip_forward(m->dev, (int64_t)p->floats, (float)o->clip, clip->scale, clip->norm, p->grads));
    tn_adamw_shape s = {.n = (int64_t)p->floats,
                        .n_decay = (int64_t)p->decay_floats,
                        .lr = o->lr,
                        .beta1 = o->beta1,
                        .beta2 = o->beta2,
                        .eps = o->eps,
                        .weight_decay = o->weight_decay,
                        .t = step};
    return tn_adamw_forward(m->dev, &s, p->values, p->moment1, p->moment2, p->grads, clip->scale);
}

tn_status tn_model_gradient_norm(tn_model *m, double *norm) {
    tn_clip_state *clip;
    float value;
    TN_TRY(clip_state(m->dev, &clip));
    TN_TRY(tn_buffer_read(clip->norm, 0, sizeof value, &value));
    *norm = value;
    return TN_OK;
}
