/* Forward: a work-item owns a query row; its work-group stages blocks of keys and values in local memory. A
 * group has rows of one sequence only, so each list is padded to whole groups. */
#include "flash_attention_variants.h"

/* VW and CHUNK: the order of a row's sums, as in threads. Staging pays only where groups are large, so the
 * defaults are the same in both styles. */
enum { VW, CHUNK, LOCAL, TUNABLES };
static const tn_tunable tunables[] = {
    [VW] = TN_TUNABLE("VW", "lanes of a vector", 4, 4, TN_TUNABLE_BITS | TN_TUNABLE_LAYOUT, 4, 8, 16),
    [CHUNK] = TN_TUNABLE("CHUNK", "keys that share partial sums", 1024, 1024,
                         TN_TUNABLE_BITS | TN_TUNABLE_LAYOUT, 256, 512, 1024, 2048),
    [LOCAL] =
        TN_TUNABLE("LOCAL", "work-items of a work-group, a query row each", 64, 64, 0, 16, 32, 64, 128, 256),
};

typedef struct plan {
    int values[TUNABLES];
    tn_kernel *staged;
    size_t group;
    tn_flash_attention_join join;
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "flash_attention's plan");

/* q, sums and the sums of all chunks of a row; scores. */
static size_t group_of(const tn_device *dev, const tn_flash_attention_key *key, const int *values) {
    return tn_private_group(dev, (size_t)values[LOCAL], (size_t)(3 * key->Dh + 64) * sizeof(float));
}

static int64_t chunks_of(const tn_device *dev, const tn_flash_attention_shape *s,
                         const tn_flash_attention_key *key, const int *values) {
    const size_t units = tn_device_get_info(dev)->compute_units;
    const int64_t wanted = 4 * (int64_t)(units * group_of(dev, key, values));
    return tn_flash_attention_chunks(dev, s, values[CHUNK], s->max_rows, wanted);
}

void tn_flash_attention_groups_layout(const tn_device *dev, const tn_flash_attention_shape *s,
                                      const tn_flash_attention_key *key, const int *values,
                                      tn_flash_attention_layout *out) {
    *out =
        (tn_flash_attention_layout){.block = (int64_t)group_of(dev, key, values),
                                    .partial = tn_flash_attention_partial(s, chunks_of(dev, s, key, values))};
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_flash_attention_key *key = shape;
    const int64_t block = key->Dh > 64 ? 16 : 32; /* STAGE of the kernel */
    const size_t bytes = (size_t)(2 * block * key->Dh) * sizeof(float);
    (void)pass;
    (void)values;
    if (bytes <= tn_device_get_info(dev)->local_bytes)
        return true;
    snprintf(why, size, "it stages %zu bytes in local memory, and there are %zu", bytes,
             tn_device_get_info(dev)->local_bytes);
    return false;
}

static tn_status plan_make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_flash_attention_key *key = shape;
    const int lanes = tn_flash_attention_lanes(key->Dh, values[VW]);
    const size_t group = group_of(dev, key, values);
    tn_options options = {""};
    plan *p = out;
    (void)pass;
    for (int i = 0; i < TUNABLES; i++)
        p->values[i] = values[i];
    tn_options_int(&options, "DH", (long)key->Dh);
    tn_options_int(&options, "LANES", lanes);
    tn_options_int(&options, "CHUNK", values[CHUNK]);
    TN_TRY(tn_kernel_get(dev, "flash_attention_staged", "flash_attention_staged", &options, &p->staged));
    p->group = tn_kernel_group(p->staged, group);
    return tn_flash_attention_join_plan(dev, key, lanes, values[CHUNK], group, &p->join);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const plan *p = planned;
    const tn_flash_attention_args *a = args;
    const tn_flash_attention_shape *s = a->s;
    const int64_t groups = tn_ceil_div(s->max_rows, (int64_t)p->group);
    const int64_t chunks = chunks_of(dev, s, shape, p->values);
    tn_flash_attention_sizes sizes = tn_flash_attention_sizes_of(s);
    tn_buffer *partial = NULL;
    if (s->R == 0)
        return tn_flash_attention_empty(pass, a);
    sizes.tiles = (int32_t)groups;
    sizes.chunks = (int32_t)chunks;
    if (chunks)
        TN_TRY(tn_flash_attention_join_scratch(dev, s, chunks, &partial));
    TN_TRY(tn_launch(dev, p->staged,
                     tn_range_3d((size_t)(s->B * groups) * p->group, (size_t)s->H,
                                 chunks ? (size_t)chunks : 1, p->group, 1, 1),
                     tn_arg_buffer(a->o), tn_arg_buffer(a->lse), tn_arg_buffer(partial), tn_arg_buffer(a->q),
                     tn_arg_buffer(a->k), tn_arg_buffer(a->v), tn_arg_buffer(a->rows),
                     tn_arg_buffer(a->q_start), tn_arg_buffer(a->kv_start), tn_arg_buffer(a->segments),
                     tn_arg_buffer(a->lengths), tn_arg_bytes(&sizes, sizeof sizes)));
    return chunks ? tn_flash_attention_join_run(dev, &p->join, a, &sizes, partial) : TN_OK;
}

const tn_variant tn_flash_attention_groups = {.name = "groups",
                                              .counted = 1u << TN_FLASH_ATTENTION_FORWARD,
                                              .style = TN_STYLE_GROUPS,
                                              .passes = 1u << TN_FLASH_ATTENTION_FORWARD,
                                              .tunable_count = TUNABLES,
                                              .tunables = tunables,
                                              .fits = fits,
                                              .plan = plan_make,
                                              .run = run};
