/* A work-item walks through all layers with a row (kernels/decode_step/decode_step_walk.cl): one launch a
 * step. Where keys and values of a row are many, they are shared among items: then a launch for the attention
 * of each layer that has it, and one for what lies between. */
#include "decode_step_variants.h"
#include "rope.h"
#include "rope_turns.h"

enum { LANES, CHUNK, ALONE, ASK };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "most lanes of a vector", 16, 4, TN_TUNABLE_BITS, 1, 4, 16),
    [CHUNK] = TN_TUNABLE("CHUNK", "keys that an item sums before they are added to those of other chunks",
                         1024, 256, TN_TUNABLE_BITS, 16, 256, 512, 1024, 2048, 4096),
    [ALONE] =
        TN_TUNABLE("ALONE",
                   "KiB of keys and values that a token reads of a layer up to which its item reads them "
                   "alone, times layers",
                   192, 64, 0, 0, 48, 96, 192, 384),
    [ASK] = TN_TUNABLE("ASK", "rows of keys and values ahead that the caches are asked for, 0 for none", 128,
                       0, TN_TUNABLE_CPU, 0, 32, 64, 128, 256),
};

typedef struct plan {
    tn_kernel *whole, *between, *attend; /* the last two with attention alone */
    tn_rope_table *turns;                /* where there is rope */
    int64_t chunk, alone;                /* keys; KiB */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "decode_step's plan");

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    (void)pass;
    return tn_decode_step_ends(dev, shape, values[LANES], values[CHUNK], 1, why, size);
}

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_decode_step_key *s = shape;
    plan *p = out;
    tn_options options = {""};
    (void)pass;
    p->chunk = values[CHUNK];
    p->alone = values[ALONE];
    tn_decode_step_options(s, tn_decode_step_lanes(s, values[LANES]), values[CHUNK], &options);
    tn_options_int(&options, "ASK", values[ASK]);
    TN_TRY(tn_kernel_get(dev, "decode_step_walk", "decode_step_walk", &options, &p->whole));
    if (s->rope)
        TN_TRY(tn_rope_table_of(dev, &p->turns));
    if (!s->attention)
        return TN_OK;
    TN_TRY(tn_kernel_get(dev, "decode_step_attend", "decode_step_attend", &options, &p->attend));
    tn_options_int(&options, "SPLIT", 1);
    return tn_kernel_get(dev, "decode_step_walk", "decode_step_walk", &options, &p->between);
}

/* Parts sizes->from … sizes->to − 1 of the layers. */
static tn_status walk(tn_device *dev, tn_kernel *kernel, const tn_decode_step_call *call,
                      const decode_step_sizes *sizes, tn_buffer *work, const tn_buffer *sums,
                      const tn_buffer *turns) {
    const tn_decode_step_args *a = call->args;
    return tn_launch(dev, kernel, tn_range_1d((size_t)call->shape->rows, 1), tn_arg_buffer(a->out),
                     tn_arg_buffer(a->routes), tn_arg_buffer(a->ring), tn_arg_buffer(a->k),
                     tn_arg_buffer(a->v), tn_arg_buffer(a->projected), tn_arg_buffer(work),
                     tn_arg_buffer(sums), tn_arg_buffer(a->x), tn_arg_buffer(a->steps),
                     tn_arg_buffer(a->given), tn_arg_buffer(a->values), tn_arg_buffer(a->table),
                     tn_arg_buffer(turns), tn_arg_bytes(sizes, sizeof *sizes));
}

/* Up to a layer's attention, attention, and what is behind it with what is before the next one. */
static tn_status walk_split(tn_device *dev, const plan *p, const tn_decode_step_call *call,
                            decode_step_sizes sizes, const tn_buffer *turns) {
    const int parts = sizes.to;
    int next = 0; /* layer */
    tn_buffer *work, *sums;
    TN_TRY(
        tn_device_scratch(dev, 0, (size_t)(2 * call->shape->rows * call->shape->D) * sizeof(float), &work));
    TN_TRY(tn_decode_step_sums(dev, &sizes, 2 * call->shape->H + call->shape->D, &sums));
    for (int part = 0; part < parts; part = sizes.to) {
        while (2 * next < parts && !tn_decode_step_attends(call->shape, next))
            next++;
        sizes.from = part;
        sizes.to = 2 * next < parts ? 2 * next++ + 1 : parts;
        if (part > 0)
            TN_TRY(tn_decode_step_attend(dev, p->attend, call, &sizes, p->chunk, work, sums));
        TN_TRY(walk(dev, p->between, call, &sizes, work, sums, turns));
    }
    return TN_OK;
}

/* Is what a token reads of keys on average worth two launches a layer with attention that share it? */
static bool is_split(const tn_decode_step_call *call, int64_t alone) {
    const tn_decode_step_shape *s = call->shape;
    const double known = call->args->share > 0 ? call->args->share : 0.01, share = s->conv ? known : 1,
                 width = (double)(s->D / s->H * s->Hkv), layers = (double)s->layers,
                 caches = (double)tn_decode_step_caches(s, s->layers),
                 bytes = 2.0 * (double)tn_decode_step_seen(call) * width * sizeof(float);
    return s->attention && layers * share * bytes > caches * caches * (double)alone * 1024;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_decode_step_call *call = args;
    const tn_decode_step_shape *s = call->shape;
    const plan *p = planned;
    const bool split = is_split(call, p->alone);
    const decode_step_sizes sizes = tn_decode_step_sizes(call, p->chunk);
    const tn_buffer *turns = NULL;
    (void)pass;
    (void)shape;
    if (call->launches) {
        *call->launches = split ? 2 * tn_decode_step_caches(s, s->layers) + 1 : 1;
        return TN_OK;
    }
    if (s->rope)
        TN_TRY(tn_rope_turns(dev, p->turns, s->D / s->H, TN_ROPE_BASE, &turns));
    return split ? walk_split(dev, p, call, sizes, turns)
                 : walk(dev, p->whole, call, &sizes, NULL, NULL, turns);
}

const tn_variant tn_decode_step_walk = {.name = "walk",
                                        .style = TN_STYLE_THREADS,
                                        .portable = true,
                                        .tunable_count = sizeof tunables / sizeof tunables[0],
                                        .tunables = tunables,
                                        .fits = fits,
                                        .plan = make,
                                        .run = run};
