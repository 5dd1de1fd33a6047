#include "control.h"

#include "rng.h"

tn_status tn_control_check(tn_context *ctx, const tn_model_config *c) {
    if (c->mixer != TN_MIXER_ORACLE)
        return TN_OK;
    return tn_fail(ctx, TN_ERR_ARG,
                   "the oracle mixer needs a task that says which rows need attention; "
                   "use recall or mqar");
}

void tn_control_mask(const tn_model_config *c, const tn_control_rows *rows, int64_t layer, uint8_t *mask) {
    const tn_mixer mixer = tn_layer_mixer(c, layer);
    if (mixer == TN_MIXER_PERIODIC) {
        for (int64_t n = 0; n < rows->count; n++)
            mask[n] = (rows->first + n) % rows->T % c->period == 0;
        return;
    }
    if (mixer == TN_MIXER_MATCH) {
        for (int64_t n = 0; n < rows->count; n++)
            mask[n] = rows->codes[n] >= c->matched;
        return;
    }
    tn_rng rng = tn_rng_make(rows->seed, TN_RNG_CONTROL, rows->index * 64 + (uint64_t)layer);
    tn_rng_seek(&rng, (uint64_t)rows->first);
    for (int64_t n = 0; n < rows->count; n++)
        mask[n] = tn_rng_uniform(&rng) < c->random_rho;
}
