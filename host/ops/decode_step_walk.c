/* A work-item walks through all layers with a row (kernels/decode_step/decode_step_walk.cl): one launch a
 * step. Where keys and values of a row are many, they are shared among items: then a launch for the attention
 * of each layer, and one for what lies between. */
#include "decode_step_variants.h"
#include "rope_turns.h"

#include "decode_step/decode_step_sizes.cl"

#include <math.h>

enum { LANES, CHUNK, ALONE, ALONE_ROUTED };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "most lanes of a vector", 16, 4, TN_TUNABLE_BITS, 1, 4, 16),
    [CHUNK] = TN_TUNABLE("CHUNK", "keys that an item sums before they are added to those of other chunks",
                         1024, 256, TN_TUNABLE_BITS, 16, 256, 512, 1024, 2048, 4096),
    [ALONE] = TN_TUNABLE("ALONE", "KiB of keys and values of a row up to which its item takes them alone",
                         256, 64, 0, 0, 128, 256, 512, 1024),
    [ALONE_ROUTED] = TN_TUNABLE("ALONE_ROUTED", "the same where few rows take attention", 8192, 64, 0, 0,
                                2048, 4096, 8192, 16384, 32768),
};

typedef struct plan {
    tn_kernel *whole, *between, *attend; /* the last two with attention alone */
    tn_rope_table *turns;                /* where there is rope */
    int64_t chunk, alone;                /* keys; KiB */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "decode_step's plan");
_Static_assert(sizeof(decode_step_sizes) == 10 * sizeof(int32_t), "decode_step_sizes as kernels see it");

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_decode_step_key *s = shape;
    plan *p = out;
    tn_options options = {""};
    (void)pass;
    p->chunk = values[CHUNK];
    p->alone = values[s->router ? ALONE_ROUTED : ALONE];
    tn_decode_step_options(s, tn_decode_step_lanes(s, values[LANES]), values[CHUNK], &options);
    TN_TRY(tn_kernel_get(dev, "decode_step_walk", "decode_step_walk", &options, &p->whole));
    if (s->rope)
        TN_TRY(tn_rope_table_of(dev, &p->turns));
    if (!s->attention)
        return TN_OK;
    TN_TRY(tn_kernel_get(dev, "decode_step_attend", "decode_step_attend", &options, &p->attend));
    tn_options_int(&options, "SPLIT", 1);
    return tn_kernel_get(dev, "decode_step_walk", "decode_step_walk", &options, &p->between);
}

/* What all launches of a step are told. */
typedef struct step {
    tn_device *dev;
    const tn_decode_step_shape *s;
    const tn_decode_step_args *a;
    decode_step_sizes sizes;
    tn_buffer *work, *partial; /* between launches; NULL where there is one alone */
    const tn_buffer *turns;
} step;

static tn_status walk(const step *c, tn_kernel *kernel) {
    const tn_decode_step_args *a = c->a;
    return tn_launch(c->dev, kernel, tn_range_1d((size_t)c->s->rows, 1), tn_arg_buffer(a->out),
                     tn_arg_buffer(a->routes), tn_arg_buffer(a->ring), tn_arg_buffer(a->k),
                     tn_arg_buffer(a->v), tn_arg_buffer(a->projected), tn_arg_buffer(c->work),
                     tn_arg_buffer(c->partial), tn_arg_buffer(a->x), tn_arg_buffer(a->steps),
                     tn_arg_buffer(a->given), tn_arg_buffer(a->values), tn_arg_buffer(a->table),
                     tn_arg_buffer(c->turns), tn_arg_bytes(&c->sizes, sizeof c->sizes));
}

/* Layer by layer: up to its attention, attention, and what is behind it with what is before the next one. */
static tn_status walk_split(const step *whole, const plan *p) {
    step c = *whole;
    const int64_t rows = c.s->rows, D = c.s->D, sums = rows * c.sizes.chunks * (2 * c.s->H + D);
    TN_TRY(tn_elements_check(tn_device_context(c.dev), "sums of chunks of keys", rows * c.sizes.chunks,
                             2 * c.s->H + D));
    TN_TRY(tn_device_scratch(c.dev, 0, (size_t)(2 * rows * D) * sizeof(float), &c.work));
    TN_TRY(tn_device_scratch(c.dev, 1, (size_t)sums * sizeof(float), &c.partial));
    for (int part = 0; part <= 2 * c.s->layers; part += part ? 2 : 1) {
        c.sizes.from = part;
        c.sizes.to = part == 0 ? 1 : part + 1 < 2 * (int)c.s->layers ? part + 2 : part + 1;
        if (part > 0)
            TN_TRY(tn_launch(c.dev, p->attend, tn_range_2d((size_t)c.sizes.chunks, (size_t)rows, 1, 1),
                             tn_arg_buffer(c.partial), tn_arg_buffer(c.work), tn_arg_buffer(c.a->k),
                             tn_arg_buffer(c.a->v), tn_arg_buffer(c.a->routes), tn_arg_buffer(c.a->steps),
                             tn_arg_bytes(&c.sizes, sizeof c.sizes)));
        TN_TRY(walk(&c, p->between));
    }
    return TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_decode_step_key *key = shape;
    const tn_decode_step_call *call = args;
    const tn_decode_step_shape *s = call->shape;
    const plan *p = planned;
    const int64_t bytes = 2 * call->args->context * (s->D / s->H * s->Hkv) * (int64_t)sizeof(float);
    const bool split = key->attention && bytes > p->alone << 10;
    (void)pass;
    if (call->launches) {
        *call->launches = split ? 2 * s->layers + 1 : 1;
        return TN_OK;
    }
    step c = {.dev = dev,
              .s = s,
              .a = call->args,
              .sizes = {.rows = (int)s->rows,
                        .slots = (int)s->slots,
                        .capacity = (int)s->capacity,
                        .layers = (int)s->layers,
                        .to = 2 * (int)s->layers,
                        .of_step = (int)call->args->step,
                        .chunks = (int)tn_ceil_div(call->args->context, p->chunk),
                        .eps = (float)call->args->eps,
                        .scale = (float)(1 / sqrt((double)(s->D / s->H)))}};
    if (s->rope)
        TN_TRY(tn_rope_turns(dev, p->turns, s->D / s->H, 10000, &c.turns));
    return split ? walk_split(&c, p) : walk(&c, p->whole);
}

const tn_variant tn_decode_step_walk = {.name = "walk",
                                        .style = TN_STYLE_THREADS,
                                        .portable = true,
                                        .tunable_count = sizeof tunables / sizeof tunables[0],
                                        .tunables = tunables,
                                        .plan = make,
                                        .run = run};
