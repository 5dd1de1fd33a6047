/* The backward pass in two: dq by tiles of queries, then dk and dv by tiles of keys, over packed panels.
 * Every product of scores is made twice, but a work-item holds one small tile. */
#include "flash_attention_variants.h"

enum { PANEL = 32 }; /* rows of a packed panel, as in the kernels */

tn_status tn_flash_attention_twopass_plan(tn_device *dev, const tn_flash_attention_key *key, int lanes,
                                          int tq, int tk, int group, tn_flash_attention_twopass *out) {
    static const char file[] = "flash_attention_backward";
    /* of the pass over queries, and of that over keys: tiles of q, dout and sums; scores */
    const int64_t dq = tq * (3 * key->Dh + 2 * PANEL), dkv = tk * (4 * key->Dh + 2 * PANEL);
    const size_t fits = tn_private_group(dev, (size_t)group, (size_t)(dq > dkv ? dq : dkv) * sizeof(float));
    tn_options options = {""}, packing = {""};
    tn_options_int(&packing, "DH", (long)key->Dh);
    tn_options_int(&packing, "LANES", lanes);
    options = packing;
    tn_options_int(&options, "TQ", tq);
    tn_options_int(&options, "TK", tk);
    tn_flash_attention_share(&options, key);
    TN_TRY(tn_kernel_get(dev, file, "flash_attention_backward_q", &options, &out->to_q));
    TN_TRY(tn_kernel_get(dev, file, "flash_attention_backward_kv", &options, &out->to_kv));
    TN_TRY(tn_kernel_get(dev, "flash_attention_pack", "flash_attention_pack", &packing, &out->pack));
    out->tq = tq;
    out->tk = tk;
    out->group_q = tn_kernel_group(out->to_q, fits);
    out->group_kv = tn_kernel_group(out->to_kv, fits);
    out->group_pack = tn_kernel_group(out->pack, fits);
    return TN_OK;
}

/* Rows of H heads → panels in scratch `slot`. */
static tn_status pack(tn_device *dev, const tn_flash_attention_twopass *p, const tn_flash_attention_shape *s,
                      int slot, int64_t rows, int64_t H, const tn_buffer *x, const tn_buffer *start,
                      tn_buffer **out) {
    const int64_t panels = rows / PANEL + s->B;
    TN_TRY(tn_device_scratch(dev, slot, (size_t)(panels * PANEL * H * s->Dh) * sizeof(float), out));
    return tn_launch(dev, p->pack, tn_range_2d((size_t)panels, (size_t)H, p->group_pack, 1),
                     tn_arg_buffer(*out), tn_arg_buffer(x), tn_arg_buffer(start), tn_arg_i32(s->B),
                     tn_arg_i32(H), tn_arg_i32(panels));
}

tn_status tn_flash_attention_twopass_run(tn_device *dev, const tn_flash_attention_twopass *p,
                                         const tn_flash_attention_args *a) {
    const tn_flash_attention_shape *s = a->s;
    const int64_t q_tiles = tn_ceil_div(s->max_rows, p->tq), kv_tiles = tn_ceil_div(s->T, p->tk);
    tn_flash_attention_sizes sizes = tn_flash_attention_sizes_of(s);
    tn_buffer *kp, *vp, *qp, *dop, *delta;
    TN_TRY(tn_device_scratch(dev, 2, (size_t)(s->R * s->H) * sizeof(float), &delta));
    TN_TRY(pack(dev, p, s, 0, s->Rkv, s->Hkv, a->k, a->kv_start, &kp));
    TN_TRY(pack(dev, p, s, 1, s->Rkv, s->Hkv, a->v, a->kv_start, &vp));
    sizes.tiles = (int32_t)q_tiles;
    TN_TRY(tn_launch(dev, p->to_q, tn_range_2d((size_t)(s->B * q_tiles), (size_t)s->H, p->group_q, 1),
                     tn_arg_buffer(a->dq), tn_arg_buffer(delta), tn_arg_buffer(a->dout), tn_arg_buffer(a->q),
                     tn_arg_buffer(kp), tn_arg_buffer(vp), tn_arg_buffer(a->k), tn_arg_buffer(a->in_o),
                     tn_arg_buffer(a->in_lse), tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start),
                     tn_arg_buffer(a->kv_start), tn_arg_buffer(a->segments), tn_arg_buffer(a->lengths),
                     tn_arg_bytes(&sizes, sizeof sizes)));
    TN_TRY(pack(dev, p, s, 0, s->R, s->H, a->q, a->q_start, &qp));
    TN_TRY(pack(dev, p, s, 1, s->R, s->H, a->dout, a->q_start, &dop));
    sizes.tiles = (int32_t)kv_tiles;
    return tn_launch(dev, p->to_kv, tn_range_2d((size_t)(s->B * kv_tiles), (size_t)s->Hkv, p->group_kv, 1),
                     tn_arg_buffer(a->dk), tn_arg_buffer(a->dv), tn_arg_buffer(delta), tn_arg_buffer(a->dout),
                     tn_arg_buffer(dop), tn_arg_buffer(a->q), tn_arg_buffer(qp), tn_arg_buffer(a->k),
                     tn_arg_buffer(a->v), tn_arg_buffer(a->in_lse), tn_arg_buffer(a->rows),
                     tn_arg_buffer(a->q_start), tn_arg_buffer(a->kv_start), tn_arg_buffer(a->segments),
                     tn_arg_buffer(a->lengths), tn_arg_bytes(&sizes, sizeof sizes));
}
