/* The backward pass by work-groups, in two: dq by tiles of queries, then dk and dv by tiles of keys. Every
 * product of scores is made twice, and so no two groups add to the same gradient. */
#include "flash_attention_groups.h"

enum { ITEMS = TN_FLASH_GROUPS_ITEMS, SHORT_BLOCK = 32 };

/* Registers decide, as in the forward pass. */
static int64_t piece_of(const tn_flash_attention_key *key, const int *v, int64_t tm) {
    return v[TN_FLASH_GROUPS_DP] ? v[TN_FLASH_GROUPS_DP] : tm >= 4 || key->Dh > 64 ? 8 : 16;
}

static int64_t most_rows(const tn_flash_attention_key *key, const int *v) {
    const int64_t wanted = v[TN_FLASH_GROUPS_TM], most = key->Dh <= 64 ? 4 : key->Dh <= 96 ? 2 : 1;
    return wanted && wanted < most ? wanted : most;
}

/* As the kernel of keys declares it, which has more than that of queries. */
static size_t local_bytes(const tn_flash_attention_key *key, const int *v, int64_t tm) {
    const int64_t rows = 8 * tm, dp = piece_of(key, v, tm), deep = tn_ceil_div(key->Dh, dp) * dp,
                  wide = tn_ceil_div(key->Dh, 32) * 32, tb = v[TN_FLASH_GROUPS_TB];
    const int64_t piece = dp * ((tb > wide ? tb : wide) + 4);
    return (size_t)(2 * deep * (rows + 4) + rows * (tb + 4) + 2 * piece + 5 * tb + 5 * rows + 4) *
           sizeof(float);
}

int64_t tn_flash_groups_backward_rows(const tn_device *dev, const tn_flash_attention_key *key,
                                      const int *values) {
    int64_t tm = most_rows(key, values);
    while (tm > 0 && local_bytes(key, values, tm) > tn_device_get_info(dev)->local_bytes)
        tm /= 2;
    return tm;
}

static tn_status kernel_of(tn_device *dev, const char *name, const tn_flash_attention_key *key,
                           const int *values, int64_t tm, tn_kernel **out) {
    tn_options options = {""};
    tn_flash_groups_options(&options, key, values, tm, piece_of(key, values, tm));
    TN_TRY(tn_kernel_get(dev, name, name, &options, out));
    return tn_kernel_check_group(dev, *out, ITEMS);
}

tn_status tn_flash_groups_backward_plan(tn_device *dev, const tn_flash_attention_key *key, const int *values,
                                        tn_flash_groups_backward *out) {
    const int64_t tm = tn_flash_groups_backward_rows(dev, key, values);
    int64_t tq = tm;
    int blocks[TN_FLASH_GROUPS_TUNABLES];
    tn_options joining = {""};
    while (tq > 1 && 4 * tq >= key->rows) /* no more rows of a tile than the longest list fills */
        tq /= 2;
    out->rows = 8 * tq;
    out->keys = 8 * tm;
    out->chunk = values[TN_FLASH_GROUPS_CHUNK];
    TN_TRY(kernel_of(dev, "flash_attention_groups_dq", key, values, tq, &out->to_q));
    for (int i = 0; i < TN_FLASH_GROUPS_TUNABLES; i++)
        blocks[i] = values[i];
    if (key->rows <= SHORT_BLOCK)
        blocks[TN_FLASH_GROUPS_TB] = SHORT_BLOCK;
    TN_TRY(kernel_of(dev, "flash_attention_groups_dkv", key, blocks, tm, &out->to_kv));
    if (key->T <= out->chunk)
        return TN_OK;
    tn_flash_groups_options(&joining, key, values, tq, piece_of(key, values, tq));
    return tn_kernel_get(dev, "flash_attention_groups_dq", "flash_attention_groups_dq_join", &joining,
                         &out->join);
}

tn_status tn_flash_groups_backward_run(tn_device *dev, const tn_flash_groups_backward *p,
                                       const tn_flash_attention_args *a) {
    const tn_flash_attention_shape *s = a->s;
    const int64_t tiles = tn_ceil_div(s->max_rows, p->rows), key_tiles = tn_ceil_div(s->T, p->keys);
    const int64_t wanted = 4 * (int64_t)tn_device_get_info(dev)->compute_units,
                  chunks = tn_flash_attention_chunks(dev, s, p->chunk, tiles, wanted);
    tn_flash_attention_sizes sizes = tn_flash_attention_sizes_of(s);
    tn_buffer *delta, *partial = NULL;
    sizes.tiles = (int32_t)tiles;
    sizes.chunks = (int32_t)chunks;
    TN_TRY(tn_device_scratch(dev, 2, (size_t)(s->R * s->H) * sizeof(float), &delta));
    if (chunks)
        TN_TRY(tn_device_scratch(dev, 1, (size_t)(chunks * s->R * s->H * s->Dh) * sizeof(float), &partial));
    TN_TRY(tn_launch(
        dev, p->to_q,
        tn_range_3d((size_t)(s->B * tiles) * ITEMS, (size_t)s->H, chunks ? (size_t)chunks : 1, ITEMS, 1, 1),
        tn_arg_buffer(a->dq), tn_arg_buffer(partial), tn_arg_buffer(delta), tn_arg_buffer(a->dout),
        tn_arg_buffer(a->q), tn_arg_buffer(a->k), tn_arg_buffer(a->v), tn_arg_buffer(a->in_o),
        tn_arg_buffer(a->in_lse), tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start),
        tn_arg_buffer(a->kv_start), tn_arg_buffer(a->segments), tn_arg_buffer(a->lengths),
        tn_arg_bytes(&sizes, sizeof sizes)));
    if (chunks)
        TN_TRY(tn_launch(
            dev, p->join, tn_range_1d((size_t)(s->R * s->H * (s->Dh / 4)), tn_kernel_group(p->join, ITEMS)),
            tn_arg_buffer(a->dq), tn_arg_buffer(partial), tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start),
            tn_arg_buffer(a->kv_start), tn_arg_bytes(&sizes, sizeof sizes)));
    sizes.tiles = (int32_t)key_tiles;
    sizes.chunks = 0;
    return tn_launch(dev, p->to_kv, tn_range_2d((size_t)(s->B * key_tiles) * ITEMS, (size_t)s->Hkv, ITEMS, 1),
                     tn_arg_buffer(a->dk), tn_arg_buffer(a->dv), tn_arg_buffer(delta), tn_arg_buffer(a->dout),
                     tn_arg_buffer(a->q), tn_arg_buffer(a->k), tn_arg_buffer(a->v), tn_arg_buffer(a->in_lse),
                     tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start), tn_arg_buffer(a->kv_start),
                     tn_arg_buffer(a->segments), tn_arg_buffer(a->lengths),
                     tn_arg_bytes(&sizes, sizeof sizes));
}
