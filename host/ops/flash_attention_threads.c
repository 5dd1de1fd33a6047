/* A work-item owns tiles of query rows of one head; no barrier. Forward, split-K where few rows leave part of
 * the device idle; backward in two passes. */
#include "flash_attention_variants.h"

/* KB, VW and CHUNK are the order of a row's sums, so they are the same for all classes of shapes: a row of a
 * short sequence has the bits of that row in a long one. */
enum { TQ, TK, KB, TILES, VW, CHUNK, LOCAL, TUNABLES };
static const tn_tunable tunables[] = {
    [TQ] = TN_TUNABLE("TQ", "query rows of a tile", 12, 1, 0, 1, 2, 4, 8, 12),
    [TK] = TN_TUNABLE("TK", "keys of a tile in the pass for dk and dv", 12, 1, 0, 1, 2, 4, 8, 12),
    [KB] = TN_TUNABLE("KB", "keys of a block, after which the running maximum is checked", 64, 32,
                      TN_TUNABLE_BITS | TN_TUNABLE_LAYOUT, 32, 64, 128),
    [TILES] = TN_TUNABLE("TILES", "tiles of query rows of a work-item, at most", 16, 1, 0, 1, 4, 8, 16, 32),
    [VW] = TN_TUNABLE("VW", "lanes of a vector", 16, 4, TN_TUNABLE_BITS | TN_TUNABLE_LAYOUT, 4, 8, 16),
    [CHUNK] = TN_TUNABLE("CHUNK", "keys that share partial sums", 512, 1024,
                         TN_TUNABLE_BITS | TN_TUNABLE_LAYOUT, 256, 512, 1024, 2048),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

typedef struct plan {
    int values[TUNABLES];
    union {
        struct {
            tn_kernel *forward, *split;
            size_t group_forward, group_split;
            tn_flash_attention_join join;
        };
        tn_flash_attention_twopass backward;
    };
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "flash_attention's plan");

/* How the query rows of the longest list are dealt out. */
typedef struct tiling {
    int64_t tq, tiles;       /* rows of a tile; tiles of the list */
    int64_t items, per_item; /* work-items of the list, tiles of each */
    int64_t chunks;          /* of keys, with work-items of their own; 0: not split */
} tiling;

static int64_t tile_rows(const tn_flash_attention_key *key, const int *values) {
    return values[TQ] < key->tile ? values[TQ] : key->tile;
}

/* Bytes that a work-item of the forward pass holds: its tiles; a block of keys, transposed, and of values. */
static size_t group_of(const tn_device *dev, const tn_flash_attention_key *key, const int *values) {
    const int64_t tq = tile_rows(key, values), kb = values[KB];
    const int64_t floats = 2 * kb * key->Dh + values[TILES] * tq * (3 * key->Dh + 24) + tq * kb;
    return tn_private_group(dev, (size_t)values[LOCAL], (size_t)floats * sizeof(float));
}

/* What leaves part of the device idle is split over chunks of keys, where the partial sums fit, else into
 * work-items of fewer tiles. No bit depends on it. */
static tiling tiling_of(const tn_device *dev, const tn_flash_attention_shape *s,
                        const tn_flash_attention_key *key, const int *values) {
    tiling t = {.tq = tile_rows(key, values)};
    const int64_t units = tn_device_get_info(dev)->compute_units;
    const int64_t wanted = 4 * units * (int64_t)group_of(dev, key, values), heads = s->B * s->H;
    t.tiles = tn_ceil_div(s->max_rows, t.tq);
    if (t.tiles == 0)
        return t;
    t.items = tn_ceil_div(t.tiles, values[TILES]);
    t.chunks = tn_flash_attention_chunks(dev, s, values[CHUNK], t.items, wanted);
    const int64_t least = tn_ceil_div(2 * wanted, heads * (t.chunks ? t.chunks : 1));
    if (t.items < least)
        t.items = least < t.tiles ? least : t.tiles;
    t.per_item = tn_ceil_div(t.tiles, t.items);
    t.items = tn_ceil_div(t.tiles, t.per_item);
    return t;
}

void tn_flash_attention_threads_layout(const tn_device *dev, const tn_flash_attention_shape *s,
                                       const tn_flash_attention_key *key, const int *values,
                                       tn_flash_attention_layout *out) {
    const tiling t = tiling_of(dev, s, key, values);
    *out = (tn_flash_attention_layout){.block = t.tq, .partial = tn_flash_attention_partial(s, t.chunks)};
}

static tn_status forward_plan(tn_device *dev, const tn_flash_attention_key *key, int lanes, plan *p) {
    static const char file[] = "flash_attention_forward";
    const int *v = p->values;
    const size_t group = group_of(dev, key, v);
    tn_options options = {""};
    tn_options_int(&options, "DH", (long)key->Dh);
    tn_flash_attention_share(&options, key);
    tn_options_int(&options, "LANES", lanes);
    tn_options_int(&options, "TQ", (long)tile_rows(key, v));
    tn_options_int(&options, "KB", v[KB]);
    tn_options_int(&options, "CHUNK", v[CHUNK]);
    tn_options_int(&options, "TILES", v[TILES]);
    TN_TRY(tn_kernel_get(dev, file, "flash_attention_forward", &options, &p->forward));
    TN_TRY(tn_kernel_get(dev, file, "flash_attention_split", &options, &p->split));
    p->group_forward = tn_kernel_group(p->forward, group);
    p->group_split = tn_kernel_group(p->split, group);
    return tn_flash_attention_join_plan(dev, key, lanes, v[CHUNK], group, &p->join);
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_flash_attention_key *key = shape;
    const int lanes = tn_flash_attention_lanes(key->Dh, values[VW]);
    plan *p = out;
    for (int i = 0; i < TUNABLES; i++)
        p->values[i] = values[i];
    if (pass == TN_FLASH_ATTENTION_FORWARD)
        return forward_plan(dev, key, lanes, p);
    return tn_flash_attention_twopass_plan(dev, key, lanes, (int)tile_rows(key, values), values[TK],
                                           values[LOCAL], &p->backward);
}

static tn_status split(tn_device *dev, const plan *p, const tiling *t, const tn_flash_attention_args *a,
                       const tn_flash_attention_sizes *sizes) {
    const tn_flash_attention_shape *s = a->s;
    tn_buffer *partial;
    TN_TRY(tn_flash_attention_join_scratch(dev, s, t->chunks, &partial));
    TN_TRY(tn_launch(
        dev, p->split,
        tn_range_3d((size_t)(s->B * t->items), (size_t)s->H, (size_t)t->chunks, p->group_split, 1, 1),
        tn_arg_buffer(partial), tn_arg_buffer(a->q), tn_arg_buffer(a->k), tn_arg_buffer(a->v),
        tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start), tn_arg_buffer(a->kv_start),
        tn_arg_buffer(a->segments), tn_arg_buffer(a->lengths), tn_arg_bytes(sizes, sizeof *sizes)));
    return tn_flash_attention_join_run(dev, &p->join, a, sizes, partial);
}

static tn_status forward(tn_device *dev, const tn_flash_attention_key *key, const plan *p,
                         const tn_flash_attention_args *a) {
    const tiling t = tiling_of(dev, a->s, key, p->values);
    tn_flash_attention_sizes sizes = tn_flash_attention_sizes_of(a->s);
    sizes.tiles = (int32_t)t.tiles;
    sizes.per_item = (int32_t)t.per_item;
    sizes.chunks = (int32_t)t.chunks;
    if (t.chunks)
        return split(dev, p, &t, a, &sizes);
    return tn_launch(
        dev, p->forward, tn_range_2d((size_t)(a->s->B * t.items), (size_t)a->s->H, p->group_forward, 1),
        tn_arg_buffer(a->o), tn_arg_buffer(a->lse), tn_arg_buffer(a->q), tn_arg_buffer(a->k),
        tn_arg_buffer(a->v), tn_arg_buffer(a->rows), tn_arg_buffer(a->q_start), tn_arg_buffer(a->kv_start),
        tn_arg_buffer(a->segments), tn_arg_buffer(a->lengths), tn_arg_bytes(&sizes, sizeof sizes));
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const plan *p = planned;
    const tn_flash_attention_args *a = args;
    if (a->s->R == 0)
        return tn_flash_attention_empty(pass, a);
    return pass == TN_FLASH_ATTENTION_FORWARD ? forward(dev, shape, p, a)
                                              : tn_flash_attention_twopass_run(dev, &p->backward, a);
}

const tn_variant tn_flash_attention_threads = {.name = "threads",
                                               .counted = 1u << TN_FLASH_ATTENTION_FORWARD |
                                                          1u << TN_FLASH_ATTENTION_BACKWARD,
                                               .style = TN_STYLE_THREADS,
                                               .portable = true,
                                               .tunable_count = TUNABLES,
                                               .tunables = tunables,
                                               .plan = plan_make,
                                               .run = run};
