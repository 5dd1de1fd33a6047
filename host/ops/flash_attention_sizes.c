/* What all variants of flash_attention hand to their kernels. */
#include "flash_attention_groups.h"

#include <math.h>

tn_flash_attention_sizes tn_flash_attention_sizes_of(const tn_flash_attention_shape *s) {
    return (tn_flash_attention_sizes){.B = (int32_t)s->B,
                                      .T = (int32_t)s->T,
                                      .R = (int32_t)s->R,
                                      .H = (int32_t)s->H,
                                      .window = (int32_t)s->window,
                                      .scale = (float)(s->scale > 0 ? s->scale : 1 / sqrt((double)s->Dh))};
}

int tn_flash_attention_lanes(int64_t Dh, int wanted) {
    while (wanted > 4 && Dh % wanted != 0)
        wanted /= 2;
    return wanted;
}

tn_status tn_flash_attention_empty(int pass, const tn_flash_attention_args *a) {
    const size_t bytes = (size_t)(a->s->Rkv * a->s->Hkv * a->s->Dh) * sizeof(float);
    if (pass == TN_FLASH_ATTENTION_FORWARD || bytes == 0)
        return TN_OK;
    TN_TRY(tn_buffer_fill_u32(a->dk, 0, bytes, 0));
    return tn_buffer_fill_u32(a->dv, 0, bytes, 0);
}

void tn_flash_attention_share(tn_options *options, const tn_flash_attention_key *key) {
    if (key->share > 1)
        tn_options_int(options, "SHARE", (long)key->share);
}

void tn_flash_groups_options(tn_options *options, const tn_flash_attention_key *key, const int *values,
                             int64_t tm, int64_t piece) {
    tn_options_int(options, "LANES", 4);
    tn_options_int(options, "DH", (long)key->Dh);
    tn_flash_attention_share(options, key);
    tn_options_int(options, "TB", values[TN_FLASH_GROUPS_TB]);
    tn_options_int(options, "CHUNK", values[TN_FLASH_GROUPS_CHUNK]);
    tn_options_int(options, "DP", (long)piece);
    tn_options_int(options, "TM", (long)tm);
}
