/* By work-groups of 64 items (kernels/flash_attention/flash_attention_groups*.cl): a group
 * has up to 64 query rows of a head in local memory. Lists too short to fill a device are split over chunks
 * of keys. How many rows a tile has changes no bits: short lists take flat ones. */
#include "flash_attention_groups.h"

/* TB and CHUNK: the order of a row's sums. */
static const tn_tunable tunables[TN_FLASH_GROUPS_TUNABLES] = {
    [TN_FLASH_GROUPS_TB] = TN_TUNABLE("TB", "keys of a block, after which a row's maximum is looked at", 64,
                                      64, TN_TUNABLE_BITS | TN_TUNABLE_LAYOUT, 32, 64),
    [TN_FLASH_GROUPS_CHUNK] = TN_TUNABLE("CHUNK", "keys that share partial sums", 512, 512,
                                         TN_TUNABLE_BITS | TN_TUNABLE_LAYOUT, 256, 512, 1024, 2048),
    [TN_FLASH_GROUPS_TM] =
        TN_TUNABLE("TM", "rows of a work-item, at most; 0: by the head's width", 0, 0, 0, 0, 1, 2, 4, 8),
    [TN_FLASH_GROUPS_DP] = TN_TUNABLE(
        "DP", "of the sum, in a piece that is brought to local memory; 0: by rows", 0, 0, 0, 8, 16),
};

enum { ITEMS = TN_FLASH_GROUPS_ITEMS };

typedef struct plan {
    tn_kernel *kernel, *join; /* join NULL where a sequence is but one chunk */
    int64_t rows;             /* of a tile */
    int64_t chunk;
    tn_flash_groups_backward backward; /* of that pass alone */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "flash_attention's plan");

/* Registers decide: with these no compiler of NVIDIA's or AMD's spills (./dev check). */
static int64_t piece_of(const tn_flash_attention_key *key, const int *v, int64_t tm) {
    return v[TN_FLASH_GROUPS_DP] ? v[TN_FLASH_GROUPS_DP] : tm >= 8 || key->Dh > 64 ? 8 : 16;
}

static int64_t most_rows(const tn_flash_attention_key *key, const int *v) {
    return v[TN_FLASH_GROUPS_TM] ? v[TN_FLASH_GROUPS_TM] : key->Dh <= 32 ? 8 : key->Dh <= 64 ? 4 : 2;
}

/* As the kernel declares it. */
static size_t local_bytes(const tn_flash_attention_key *key, const int *v, int64_t tm) {
    const int64_t rows = 8 * tm, dp = piece_of(key, v, tm), deep = tn_ceil_div(key->Dh, dp) * dp,
                  wide = tn_ceil_div(key->Dh, 32) * 32, tb = v[TN_FLASH_GROUPS_TB];
    const int64_t piece = dp * ((tb > wide ? tb : wide) + 4);
    return (size_t)(deep * (rows + 4) + rows * (tb + 4) + 2 * piece + 10 * rows + ITEMS + 4) * sizeof(float);
}

/* Rows of a work-item: no more than the list fills, nor than there is local memory for. 0: not even one. */
static int64_t rows_an_item(const tn_device *dev, const tn_flash_attention_key *key, const int *v) {
    int64_t tm = most_rows(key, v);
    while (tm > 1 && 4 * tm >= key->rows)
        tm /= 2;
    while (tm > 0 && local_bytes(key, v, tm) > tn_device_get_info(dev)->local_bytes)
        tm /= 2;
    return tm;
}

static int64_t chunks_of(const tn_device *dev, const tn_flash_attention_shape *s, int64_t rows,
                         int64_t chunk) {
    const int64_t wanted = 4 * (int64_t)tn_device_get_info(dev)->compute_units;
    return tn_flash_attention_chunks(dev, s, chunk, tn_ceil_div(s->max_rows, rows), wanted);
}

void tn_flash_attention_groups_layout(const tn_device *dev, const tn_flash_attention_shape *s,
                                      const tn_flash_attention_key *key, const int *values,
                                      tn_flash_attention_layout *out) {
    const int64_t rows = 8 * rows_an_item(dev, key, values);
    const int64_t chunks = chunks_of(dev, s, rows, values[TN_FLASH_GROUPS_CHUNK]);
    *out = (tn_flash_attention_layout){.block = rows, .partial = tn_flash_attention_partial(s, chunks)};
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_device_info *info = tn_device_get_info(dev);
    const bool forward = pass == TN_FLASH_ATTENTION_FORWARD;
    if (info->max_work_group >= ITEMS &&
        (forward ? rows_an_item(dev, shape, values) : tn_flash_groups_backward_rows(dev, shape, values)) > 0)
        return true;
    snprintf(why, size,
             "work-groups of %zu items and %zu bytes of local memory are too small for heads of this width",
             info->max_work_group, info->local_bytes);
    return false;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_flash_attention_key *key = shape;
    const int64_t tm = rows_an_item(dev, key, values);
    tn_options options = {""}, joining = {""};
    plan *p = out;
    if (pass == TN_FLASH_ATTENTION_BACKWARD)
        return tn_flash_groups_backward_plan(dev, key, values, &p->backward);
    p->rows = 8 * tm;
    p->chunk = values[TN_FLASH_GROUPS_CHUNK];
    tn_flash_groups_options(&options, key, values, tm, piece_of(key, values, tm));
    TN_TRY(tn_kernel_get(dev, "flash_attention_groups", "flash_attention_groups", &options, &p->kernel));
    TN_TRY(tn_kernel_check_group(dev, p->kernel, ITEMS));
    if (key->T <= p->chunk)
        return TN_OK;
    tn_options_int(&joining, "LANES", 4);
    tn_options_int(&joining, "DH", (long)key->Dh);
    tn_options_int(&joining, "CHUNK", (long)p->chunk);
    return tn_kernel_get(dev, "flash_attention_groups_join", "flash_attention_groups_join", &joining,
                         &p->join);
}

static tn_status forward(tn_device *dev, const plan *p, const tn_flash_attention_args *a) {
    const tn_flash_attention_shape *s = a->s;
    const int64_t tiles = tn_ceil_div(s->max_rows, p->rows), chunks = chunks_of(dev, s, p->rows, p->chunk);
    tn_flash_attention_sizes sizes = tn_flash_attention_sizes_of(s);
    tn_buffer *partial = NULL;
    sizes.tiles = (int32_t)tiles;
    sizes.chunks = (int32_t)chunks;
    if (chunks)
        TN_TRY(tn_flash_attention_join_scratch(dev, s, chunks, &partial));
    TN_TRY(tn_launch(
        dev, p->kernel,
        tn_range_3d((size_t)(s->B * tiles) * ITEMS, (size_t)s->H, chunks ? (size_t)chunks : 1, ITEMS, 1, 1),
        tn_arg_buffer(a->o), tn_arg_buffer(a->lse), tn_arg_buffer(partial), tn_arg_buffer(a->q),
        tn_arg_buffer(a->k), tn_arg_buffer(a->v), tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start),
        tn_arg_buffer(a->kv_start), tn_arg_buffer(a->segments), tn_arg_buffer(a->lengths),
        tn_arg_bytes(&sizes, sizeof sizes)));
    if (!chunks)
        return TN_OK;
    return tn_launch(dev, p->join,
                     tn_range_1d((size_t)(s->R * s->H * (s->Dh / 4)), tn_kernel_group(p->join, ITEMS)),
                     tn_arg_buffer(a->o), tn_arg_buffer(a->lse), tn_arg_buffer(partial),
                     tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start), tn_arg_buffer(a->kv_start),
                     tn_arg_buffer(a->lengths), tn_arg_bytes(&sizes, sizeof sizes));
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const plan *p = planned;
    const tn_flash_attention_args *a = args;
    (void)shape;
    if (a->s->R == 0)
        return tn_flash_attention_empty(pass, a);
    return pass == TN_FLASH_ATTENTION_FORWARD ? forward(dev, p, a)
                                              : tn_flash_groups_backward_run(dev, &p->backward, a);
}

const tn_variant tn_flash_attention_groups = {.name = "groups",
                                              .counted = 1u << TN_FLASH_ATTENTION_FORWARD |
                                                         1u << TN_FLASH_ATTENTION_BACKWARD,
                                              .style = TN_STYLE_GROUPS,
                                              .tunable_count = TN_FLASH_GROUPS_TUNABLES,
                                              .tunables = tunables,
                                              .fits = fits,
                                              .plan = plan_make,
                                              .run = run};
