/* Backward: a work-item owns a chunk of keys of one head (or all chunks, in order) and computes all gradients
 * from one pass over them. */
#include "flash_attention_variants.h"

enum { TQ, KW, GROUP, HEADS, LOCAL, TUNABLES };
static const tn_tunable tunables[] = {
    [TQ] = TN_TUNABLE("TQ", "query rows of a tile", 12, 1, 0, 1, 2, 4, 8, 12),
    [KW] = TN_TUNABLE("KW", "keys of a block", 64, 64, TN_TUNABLE_BITS, 32, 64, 128),
    [GROUP] = TN_TUNABLE("GROUP", "tiles of queries whose P and dS are kept before dk and dv are updated", 4,
                         4, 0, 1, 2, 4, 8),
    [HEADS] = TN_TUNABLE("HEADS", "heads a compute unit from which a work-item has all chunks of one", 16, 16,
                         0, 4, 16, 64),
    [LOCAL] = TN_TUNABLE_LOCAL(64),
};

enum { LANES = 16, MOST_CHUNKS = 16, CHUNK_KEYS = 128, MOST_FLOATS = 1 << 26 };

typedef struct plan {
    tn_kernel *delta, *backward, *sum;
    int64_t tq, heads, share;
    size_t group_delta, group_backward, group_sum;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "flash_attention's plan");

static int64_t tile_rows(const tn_flash_attention_key *key, const int *values) {
    return values[TQ] < key->tile ? values[TQ] : key->tile;
}

/* Of a work-item: a block of keys; a group of tiles of queries; the sums of one tile. */
static size_t private_bytes(const tn_flash_attention_key *key, const int *values) {
    const int64_t tq = tile_rows(key, values), rows = values[GROUP] * tq;
    return (size_t)(5 * values[KW] * key->Dh + 2 * rows * (key->Dh + values[KW]) + tq * key->Dh) *
           sizeof(float);
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_flash_attention_key *key = shape;
    const size_t bytes = private_bytes(key, values), most = tn_device_private_bytes(dev);
    (void)pass;
    if (key->Dh % LANES != 0)
        snprintf(why, size, "Dh=%lld is no multiple of its %d lanes", (long long)key->Dh, LANES);
    else if (bytes > most)
        snprintf(why, size, "a work-item needs %zu bytes of private memory, and has %zu", bytes, most);
    else
        return true;
    return false;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    static const char file[] = "flash_attention_onepass";
    const tn_flash_attention_key *key = shape;
    const size_t group = tn_private_group(dev, (size_t)values[LOCAL], private_bytes(key, values));
    tn_options options = {""};
    plan *p = out;
    (void)pass;
    p->tq = tile_rows(key, values);
    p->heads = values[HEADS];
    p->share = key->share;
    tn_options_int(&options, "DH", (long)key->Dh);
    tn_options_int(&options, "LANES", LANES);
    tn_options_int(&options, "TQ", (long)p->tq);
    tn_options_int(&options, "KW", values[KW]);
    tn_options_int(&options, "GROUP", values[GROUP]);
    tn_flash_attention_share(&options, key);
    TN_TRY(tn_kernel_get(dev, file, "flash_attention_delta", &options, &p->delta));
    TN_TRY(tn_kernel_get(dev, file, "flash_attention_backward", &options, &p->backward));
    TN_TRY(tn_kernel_get(dev, file, "flash_attention_sum", &options, &p->sum));
    p->group_delta = tn_kernel_group(p->delta, group);
    p->group_backward = tn_kernel_group(p->backward, group);
    p->group_sum = tn_kernel_group(p->sum, group);
    return TN_OK;
}

/* One launch for query heads sizes->head … head + heads − 1, and the sum of its chunks. */
static tn_status heads_run(tn_device *dev, const plan *p, const tn_flash_attention_args *a,
                           const tn_flash_attention_sizes *sizes, tn_buffer *partial,
                           const tn_buffer *delta) {
    const int64_t items = sizes->whole ? sizes->B : (int64_t)sizes->B * sizes->chunks;
    TN_TRY(tn_launch(dev, p->backward,
                     tn_range_2d((size_t)items, (size_t)(sizes->heads / p->share), p->group_backward, 1),
                     tn_arg_buffer(a->dk), tn_arg_buffer(a->dv), tn_arg_buffer(a->dq), tn_arg_buffer(partial),
                     tn_arg_buffer(delta), tn_arg_buffer(a->dout), tn_arg_buffer(a->q), tn_arg_buffer(a->k),
                     tn_arg_buffer(a->v), tn_arg_buffer(a->in_lse), tn_arg_buffer(a->rows),
                     tn_arg_buffer(a->q_start), tn_arg_buffer(a->kv_start), tn_arg_buffer(a->segments),
                     tn_arg_buffer(a->lengths), tn_arg_bytes(sizes, sizeof *sizes)));
    if (sizes->whole)
        return TN_OK;
    return tn_launch(dev, p->sum, tn_range_1d((size_t)tn_ceil_div(sizes->R, 16), p->group_sum),
                     tn_arg_buffer(a->dq), tn_arg_buffer(partial), tn_arg_buffer(a->rows),
                     tn_arg_buffer(a->q_start), tn_arg_bytes(sizes, sizeof *sizes));
}

/* Chunks of keys depend on T alone, and with them the bits of dq. Where there are heads of keys enough, a
 * work-item takes all chunks of one, and there is one partial sum; else heads go in as many launches as keep
 * the partial sums small. A head of keys goes with all that read it. */
static tn_status heads_of_all(tn_device *dev, const plan *p, const tn_flash_attention_args *a,
                              const tn_buffer *delta) {
    const tn_flash_attention_shape *s = a->s;
    const int64_t chunk = tn_ceil_div(s->T, MOST_CHUNKS * CHUNK_KEYS) * CHUNK_KEYS;
    const int64_t chunks = tn_ceil_div(s->T, chunk), units = tn_device_get_info(dev)->compute_units;
    const bool whole = chunks == 1 || s->B * s->Hkv >= p->heads * units ||
                       !tn_flash_attention_holds(dev, (double)(chunks * s->R * p->share * s->Dh));
    const int64_t slots = whole ? 1 : chunks, each = slots * s->R * p->share * s->Dh,
                  fit = MOST_FLOATS / each;
    const int64_t heads = p->share * (whole || fit > s->Hkv ? s->Hkv : fit < 1 ? 1 : fit);
    tn_flash_attention_sizes sizes = tn_flash_attention_sizes_of(s);
    tn_buffer *partial = a->dq;
    sizes.tiles = (int32_t)tn_ceil_div(s->max_rows, p->tq);
    sizes.chunk = (int32_t)chunk;
    sizes.chunks = (int32_t)chunks;
    sizes.whole = whole;
    if (chunks > 1)
        TN_TRY(tn_device_scratch(dev, 0, (size_t)(each / p->share * heads) * sizeof(float), &partial));
    for (int64_t h = 0; h < s->H; h += heads) {
        sizes.head = (int32_t)h;
        sizes.heads = (int32_t)(h + heads > s->H ? s->H - h : heads);
        TN_TRY(heads_run(dev, p, a, &sizes, partial, delta));
    }
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const plan *p = planned;
    const tn_flash_attention_args *a = args;
    const tn_flash_attention_shape *s = a->s;
    tn_buffer *delta;
    (void)shape;
    if (s->R == 0)
        return tn_flash_attention_empty(pass, a);
    TN_TRY(tn_device_scratch(dev, 2, (size_t)(s->R * s->H) * sizeof(float), &delta));
    TN_TRY(tn_launch(dev, p->delta, tn_range_1d((size_t)tn_ceil_div(s->R, 16), p->group_delta),
                     tn_arg_buffer(delta), tn_arg_buffer(a->dout), tn_arg_buffer(a->in_o),
                     tn_arg_buffer(a->q_start), tn_arg_i32(s->B), tn_arg_i32(s->H)));
    return heads_of_all(dev, p, a, delta);
}

const tn_variant tn_flash_attention_onepass = {.name = "onepass",
                                               .style = TN_STYLE_THREADS,
                                               .passes = 1u << TN_FLASH_ATTENTION_BACKWARD,
                                               .counted = 1u << TN_FLASH_ATTENTION_BACKWARD,
                                               .tunable_count = TUNABLES,
                                               .tunables = tunables,
                                               .fits = fits,
                                               .plan = plan_make,
                                               .run = run};
