/* Weights of attention multiplied out, a layer at a time and only where a pass wants them. */
#include "params.h"

#include "attention_absorb.h"
#include "gemm.h"

static tn_status make_table(tn_params *p, int64_t D, int64_t H) {
    int32_t b = (int32_t)tn_gemm_packed_blocks(p->dev, H * D, D), d = (int32_t)D, hd = (int32_t)(H * D);
    int32_t from = (int32_t)tn_params_aligned(p, (size_t)(H * D * D));
    int32_t to = (int32_t)tn_params_aligned(p, (size_t)tn_gemm_packed_floats(p->dev, H * D, D));
    int32_t table[] = {0, 0, hd, d, b, to, from, d, hd, b + (int32_t)tn_gemm_packed_blocks(p->dev, D, H * D)};
    TN_TRY(tn_buffer_create(p->dev, sizeof table, &p->absorbed_table));
    return tn_buffer_write(p->absorbed_table, 0, sizeof table, table);
}

static tn_status make_buffers(tn_params *p, tn_absorbed *a, int64_t D, int64_t H) {
    size_t each = (size_t)(H * D * D), second = tn_params_aligned(p, each);
    size_t q = (size_t)tn_gemm_packed_floats(p->dev, H * D, D),
           o = (size_t)tn_gemm_packed_floats(p->dev, D, H * D);
    TN_TRY(tn_buffer_create(p->dev, (second + each) * 4, &a->both));
    TN_TRY(tn_buffer_view(a->both, 0, each * 4, &a->mq));
    TN_TRY(tn_buffer_view(a->both, second * 4, each * 4, &a->mo));
    if (!tn_gemm_takes_packed(p->dev))
        return TN_OK;
    TN_TRY(tn_buffer_create(p->dev, (tn_params_aligned(p, q) + o) * 4, &a->packed));
    TN_TRY(tn_buffer_view(a->packed, 0, q * 4, &a->mq_packed));
    return tn_buffer_view(a->packed, tn_params_aligned(p, q) * 4, o * 4, &a->mo_packed);
}

tn_status tn_params_absorb(tn_params *p, int64_t layer, int64_t heads) {
    tn_absorbed *a = &p->absorbed[layer];
    const tn_layer_params *l = &p->layers[layer];
    int64_t D = l->q->dims[0];
    if (a->fresh)
        return TN_OK;
    if (!p->absorbed_table)
        TN_TRY(make_table(p, D, heads));
    if (!a->mo || (!a->mo_packed && tn_gemm_takes_packed(p->dev))) {
        tn_absorbed_destroy(a); /* what an attempt that failed has left */
        TN_TRY(make_buffers(p, a, D, heads));
    }
    TN_TRY(tn_attention_absorb_forward(p->dev, &(tn_attention_absorb_shape){heads, D / heads}, a->mq, a->mo,
                                       l->q->value, l->k->value, l->v->value, l->o->value));
    int64_t blocks =
        tn_gemm_packed_blocks(p->dev, heads * D, D) + tn_gemm_packed_blocks(p->dev, D, heads * D);
    if (a->packed)
        TN_TRY(tn_gemm_pack_all(p->dev, 2, blocks, a->packed, a->both, p->absorbed_table));
    a->fresh = true;
    return TN_OK;
}
