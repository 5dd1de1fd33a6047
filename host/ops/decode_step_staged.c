/* A launch a stage of a layer, its weights shared among work-items
 * (kernels/decode_step/decode_step_staged.cl): for models whose weights are more than an item should read
 * alone. */
#include "decode_step_variants.h"
#include "rope.h"
#include "rope_turns.h"

enum { LANES, CHUNK, COLUMNS, LEAST, ASK };
static const tn_tunable tunables[] = {
    [LANES] = TN_TUNABLE("LANES", "most lanes of a vector", 16, 4, TN_TUNABLE_BITS, 1, 4, 16),
    [CHUNK] = TN_TUNABLE("CHUNK", "keys that an item sums before they are added to those of other chunks",
                         1024, 256, TN_TUNABLE_BITS, 16, 256, 512, 1024, 2048, 4096),
    [COLUMNS] = TN_TUNABLE("COLUMNS", "outputs of a product that an item owns", 32, 32, 0, 16, 32, 64, 128),
    [LEAST] = TN_TUNABLE("LEAST", "KiB of weights a launch from which it is worth one", 200, 200, 0, 0, 50,
                         100, 200, 400),
    [ASK] = TN_TUNABLE("ASK", "rows of keys and values ahead that the caches are asked for, 0 for none", 128,
                       0, TN_TUNABLE_CPU, 0, 32, 64, 128, 256),
};

enum { FRONT, TRACKS, ATTEND, OUT, UP, DOWN, HEAD, STAGES };

typedef struct plan {
    tn_kernel *kernels[STAGES];
    int64_t chunk, columns;
    tn_rope_table *turns; /* where there is rope */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "decode_step's plan");

static int64_t launches_of(const tn_decode_step_key *s) {
    return s->layers * (2 + 2 * (s->F > 0)) + 2 * s->attention + 1;
}

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_decode_step_key *s = shape;
    const int64_t kib = tn_decode_step_floats(s) * (int64_t)sizeof(float) / 1024;
    (void)pass;
    if (kib >= values[LEAST] * launches_of(s))
        return tn_decode_step_ends(dev, s, values[LANES], values[CHUNK], s->rows, why, size);
    snprintf(why, size, "%lld KiB of weights in %lld launches are less than %d each", (long long)kib,
             (long long)launches_of(s), values[LEAST]);
    return false;
}

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    static const char *const names[STAGES] = {"decode_step_front", "decode_step_tracks", "decode_step_attend",
                                              "decode_step_out",   "decode_step_up",     "decode_step_down",
                                              "decode_step_head"};
    const tn_decode_step_key *s = shape;
    const bool attention = s->attention > 0,
               has[STAGES] = {true, true, attention, attention, s->F > 0, s->F > 0, true};
    plan *p = out;
    tn_options options = {""};
    (void)pass;
    p->chunk = values[CHUNK];
    p->columns = values[COLUMNS];
    tn_decode_step_options(s, tn_decode_step_lanes(s, values[LANES]), values[CHUNK], &options);
    tn_options_int(&options, "ASK", values[ASK]);
    if (s->attention)
        TN_TRY(tn_kernel_get(dev, "decode_step_attend", names[ATTEND], &options, &p->kernels[ATTEND]));
    tn_options_int(&options, "COLUMNS", values[COLUMNS]);
    for (int i = 0; i < STAGES; i++)
        if (has[i] && i != ATTEND)
            TN_TRY(tn_kernel_get(dev, "decode_step_staged", names[i], &options, &p->kernels[i]));
    return s->rope ? tn_rope_table_of(dev, &p->turns) : TN_OK;
}

/* What the launches of a step are told. */
typedef struct step {
    tn_device *dev;
    const plan *p;
    const tn_decode_step_shape *s;
    const tn_decode_step_call *call;
    decode_step_sizes sizes;
    tn_buffer *work, *sums;
    const tn_buffer *turns;
} step;

static tn_range blocks(const step *c, int64_t columns, int64_t more) {
    return tn_range_1d((size_t)(tn_ceil_div(columns, c->p->columns) + more), 1);
}

static tn_status mixer(const step *c) {
    const tn_decode_step_args *a = c->call->args;
    const tn_decode_step_shape *s = c->s;
    tn_kernel *const *k = c->p->kernels;
    const tn_arg sizes = tn_arg_bytes(&c->sizes, sizeof c->sizes);
    TN_TRY(tn_launch(c->dev, k[FRONT], tn_range_1d((size_t)s->rows, 1), tn_arg_buffer(c->work),
                     tn_arg_buffer(a->routes), tn_arg_buffer(a->ring), tn_arg_buffer(a->x),
                     tn_arg_buffer(a->steps), tn_arg_buffer(a->given), tn_arg_buffer(a->values),
                     tn_arg_buffer(a->table), sizes));
    const bool attends = tn_decode_step_attends(s, c->sizes.from / 2);
    TN_TRY(tn_launch(c->dev, k[TRACKS], blocks(c, s->conv ? s->D : 0, attends ? s->H + 2 * s->Hkv : 0),
                     tn_arg_buffer(c->work), tn_arg_buffer(a->routes), tn_arg_buffer(a->ring),
                     tn_arg_buffer(a->k), tn_arg_buffer(a->v), tn_arg_buffer(a->projected),
                     tn_arg_buffer(a->steps), tn_arg_buffer(a->values), tn_arg_buffer(a->table),
                     tn_arg_buffer(c->turns), sizes));
    if (!attends)
        return TN_OK;
    TN_TRY(tn_decode_step_attend(c->dev, k[ATTEND], c->call, &c->sizes, c->p->chunk, c->work, c->sums));
    return tn_launch(c->dev, k[OUT], blocks(c, s->D, 0), tn_arg_buffer(c->work), tn_arg_buffer(a->routes),
                     tn_arg_buffer(c->sums), tn_arg_buffer(a->projected), tn_arg_buffer(a->steps),
                     tn_arg_buffer(a->values), tn_arg_buffer(a->table), sizes);
}

static tn_status mlp(const step *c) {
    const tn_decode_step_args *a = c->call->args;
    const tn_arg sizes = tn_arg_bytes(&c->sizes, sizeof c->sizes);
    TN_TRY(tn_launch(c->dev, c->p->kernels[UP], blocks(c, c->s->F, 0), tn_arg_buffer(c->work),
                     tn_arg_buffer(a->values), tn_arg_buffer(a->table), sizes));
    return tn_launch(c->dev, c->p->kernels[DOWN], blocks(c, c->s->D, 0), tn_arg_buffer(c->work),
                     tn_arg_buffer(a->values), tn_arg_buffer(a->table), sizes);
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_decode_step_call *call = args;
    const tn_decode_step_shape *s = call->shape;
    const plan *p = planned;
    step c = {dev, p, s, call, tn_decode_step_sizes(call, p->chunk), NULL, NULL, NULL};
    (void)pass;
    if (call->launches) {
        *call->launches = launches_of(shape);
        return TN_OK;
    }
    TN_TRY(tn_device_scratch(dev, 0, (size_t)(s->rows * (3 * s->D + s->F)) * sizeof(float), &c.work));
    if (s->attention)
        TN_TRY(tn_decode_step_sums(dev, &c.sizes, 2 * s->H + s->D, &c.sums));
    if (s->rope)
        TN_TRY(tn_rope_turns(dev, p->turns, s->D / s->H, TN_ROPE_BASE, &c.turns));
    for (int64_t i = 0; i < s->layers; i++) {
        c.sizes.from = 2 * (int)i;
        TN_TRY(mixer(&c));
        if (s->F)
            TN_TRY(mlp(&c));
    }
    return tn_launch(dev, p->kernels[HEAD], blocks(&c, s->V ? s->V : s->D, 0), tn_arg_buffer(call->args->out),
                     tn_arg_buffer(c.work), tn_arg_buffer(call->args->values),
                     tn_arg_buffer(call->args->table), tn_arg_bytes(&c.sizes, sizeof c.sizes));
}

const tn_variant tn_decode_step_staged = {.name = "staged",
                                          .style = TN_STYLE_THREADS,
                                          .tunable_count = sizeof tunables / sizeof tunables[0],
                                          .tunables = tunables,
                                          .fits = fits,
                                          .plan = make,
                                          .run = run};
