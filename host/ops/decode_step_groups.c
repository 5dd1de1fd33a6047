/* A launch a stage of a layer, for work-groups (kernels/decode_step/decode_step_groups.cl, _groups_keys.cl).
 */
#include "decode_step_variants.h"
#include "rope.h"
#include "rope_turns.h"

enum { CHUNK, LOCAL, RUN, KEYS_LOCAL, EACH };
static const tn_tunable tunables[] = {
    [CHUNK] = TN_TUNABLE("CHUNK", "keys of a work-group", 256, 256, TN_TUNABLE_BITS, 64, 128, 256, 512, 1024),
    [LOCAL] = TN_TUNABLE("LOCAL", "work-items of a work-group of products", 256, 256, TN_TUNABLE_BITS, 64,
                         128, 256),
    [RUN] =
        TN_TUNABLE("RUN", "most work-items of an output of a product", 32, 32, TN_TUNABLE_BITS, 8, 16, 32),
    [KEYS_LOCAL] = TN_TUNABLE("KEYS_LOCAL", "work-items of a work-group of keys", 128, 128, TN_TUNABLE_BITS,
                              64, 128, 256),
    [EACH] = TN_TUNABLE("EACH", "keys of a work-item between two barriers", 8, 8, TN_TUNABLE_BITS, 2, 4, 8),
};

enum { FRONT, TRACKS, TURN, ATTEND, JOIN, OUT, UP, DOWN, HEAD, STAGES };

typedef struct plan {
    tn_kernel *kernels[STAGES];
    size_t local[STAGES];
    int64_t outputs[STAGES], chunk; /* of a group at once */
    tn_rope_table *turns;           /* where there is rope */
} plan;
_Static_assert(sizeof(plan) <= TN_PLAN_BYTES, "decode_step's plan");

static bool fits(const tn_device *dev, int pass, const void *shape, const int *values, char *why,
                 size_t size) {
    const tn_decode_step_key *s = shape;
    const int64_t Dh = s->D / s->H, group = values[KEYS_LOCAL] < 64 ? values[KEYS_LOCAL] : 64;
    (void)dev;
    (void)pass;
    if (s->D % 4 || s->F % 4 || (s->attention && Dh % 4))
        snprintf(why, size, "D=%lld, F=%lld or a head of %lld is no multiple of 4", (long long)s->D,
                 (long long)s->F, (long long)Dh);
    else if (s->attention && Dh > 4 * group)
        snprintf(why, size, "a head of %lld is wider than a work-group", (long long)Dh);
    else
        return true;
    return false;
}

/* The kernel of a stage that multiplies rows `width` long. */
static tn_status product_make(tn_device *dev, plan *p, int stage, const tn_options *common, int64_t width,
                              const int *values, const char *name, int number) {
    tn_options options = *common;
    int64_t run = 8;
    while (run < values[RUN] && run * 4 < width)
        run *= 2;
    p->local[stage] = (size_t)values[LOCAL];
    tn_options_int(&options, "RUN", (long)run);
    if (number >= 0)
        tn_options_int(&options, "STAGE", number);
    TN_TRY(tn_kernel_get_group(dev, "decode_step_groups", name, &options, "GROUP", &p->local[stage],
                               &p->kernels[stage]));
    p->outputs[stage] = (int64_t)p->local[stage] / run;
    if (p->outputs[stage] > 0)
        return TN_OK;
    return tn_fail(tn_device_context(dev), TN_ERR_UNSUPPORTED,
                   "decode_step: work-groups of %zu are fewer than the %lld items of an output",
                   p->local[stage], (long long)run);
}

static tn_status keys_make(tn_device *dev, plan *p, const tn_decode_step_key *s, const tn_options *common,
                           const int *values) {
    const char *const file = "decode_step_groups_keys";
    tn_options options = *common;
    tn_options_int(&options, "EACH", values[EACH]);
    p->local[ATTEND] = (size_t)values[KEYS_LOCAL];
    TN_TRY(tn_kernel_get_group(dev, file, "decode_step_groups_attend", &options, "GROUP", &p->local[ATTEND],
                               &p->kernels[ATTEND]));
    tn_options_int(&options, "GROUP", (long)p->local[ATTEND]);
    TN_TRY(tn_kernel_get(dev, file, "decode_step_groups_join", &options, &p->kernels[JOIN]));
    p->local[JOIN] = tn_kernel_group(p->kernels[JOIN], 64);
    if (!s->rope)
        return TN_OK;
    TN_TRY(tn_kernel_get(dev, file, "decode_step_groups_turn", &options, &p->kernels[TURN]));
    p->local[TURN] = tn_kernel_group(p->kernels[TURN], 64);
    return tn_rope_table_of(dev, &p->turns);
}

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    const tn_decode_step_key *s = shape;
    const char *const product = "decode_step_groups_product";
    plan *p = out;
    tn_options options = {""};
    (void)pass;
    p->chunk = values[CHUNK];
    tn_decode_step_options(s, 4, values[CHUNK], &options);
    TN_TRY(product_make(dev, p, FRONT, &options, s->D, values, "decode_step_groups_front", -1));
    TN_TRY(product_make(dev, p, TRACKS, &options, s->D, values, "decode_step_groups_tracks", -1));
    if (s->attention) {
        TN_TRY(keys_make(dev, p, s, &options, values));
        TN_TRY(product_make(dev, p, OUT, &options, s->D, values, product, 0));
    }
    if (s->F) {
        TN_TRY(product_make(dev, p, UP, &options, s->D, values, product, 1));
        TN_TRY(product_make(dev, p, DOWN, &options, s->F, values, product, 2));
    }
    return s->V ? product_make(dev, p, HEAD, &options, s->D, values, product, 3) : TN_OK;
}

/* What the launches of a step are told. */
typedef struct step {
    tn_device *dev;
    const plan *p;
    const tn_decode_step_shape *s;
    const tn_decode_step_args *a;
    const tn_decode_step_call *call;
    decode_step_sizes sizes;
    tn_buffer *work, *sums;
    const tn_buffer *turns;
} step;

static int64_t groups_of(const step *c, int stage, int64_t outputs) {
    return tn_ceil_div(outputs, c->p->outputs[stage]);
}

static tn_range range(const step *c, int stage, int64_t groups) {
    return tn_range_1d((size_t)groups * c->p->local[stage], c->p->local[stage]);
}

static tn_status product(const step *c, int stage, int64_t outputs) {
    return tn_launch(c->dev, c->p->kernels[stage], range(c, stage, groups_of(c, stage, outputs)),
                     tn_arg_buffer(c->a->out), tn_arg_buffer(c->work), tn_arg_buffer(c->a->routes),
                     tn_arg_buffer(c->a->values), tn_arg_buffer(c->a->table),
                     tn_arg_bytes(&c->sizes, sizeof c->sizes));
}

/* Groups that share the chunks of a head of a row: enough for a large card, and so few that finding nothing
 * to do takes them no time. */
static size_t sharing(const step *c) {
    const int64_t each = tn_ceil_div(2048, c->s->rows * c->s->H),
                  live = tn_decode_step_live(c->call, c->p->chunk);
    return (size_t)(each < live ? each : live);
}

static tn_status attend(const step *c) {
    const tn_decode_step_args *a = c->a;
    const plan *p = c->p;
    const tn_arg sizes = tn_arg_bytes(&c->sizes, sizeof c->sizes);
    const size_t rows = (size_t)c->s->rows, D = (size_t)c->s->D, H = (size_t)c->s->H;
    if (c->turns)
        TN_TRY(tn_launch(c->dev, p->kernels[TURN], tn_range_2d(D / H / 2, rows, p->local[TURN], 1),
                         tn_arg_buffer(c->work), tn_arg_buffer(a->k), tn_arg_buffer(a->projected),
                         tn_arg_buffer(a->routes), tn_arg_buffer(a->steps), tn_arg_buffer(a->table),
                         tn_arg_buffer(c->turns), sizes));
    TN_TRY(tn_launch(c->dev, p->kernels[ATTEND],
                     tn_range_3d(sharing(c) * p->local[ATTEND], H, rows, p->local[ATTEND], 1, 1),
                     tn_arg_buffer(c->sums), tn_arg_buffer(c->work), tn_arg_buffer(a->k), tn_arg_buffer(a->v),
                     tn_arg_buffer(a->routes), tn_arg_buffer(a->steps), tn_arg_buffer(a->table), sizes));
    TN_TRY(tn_launch(c->dev, p->kernels[JOIN], tn_range_1d(rows * D / 4, p->local[JOIN]),
                     tn_arg_buffer(c->work), tn_arg_buffer(c->sums), tn_arg_buffer(a->projected),
                     tn_arg_buffer(a->routes), tn_arg_buffer(a->steps), sizes));
    return product(c, OUT, c->s->D);
}

static tn_status layer(const step *c) {
    const tn_decode_step_args *a = c->a;
    const tn_decode_step_shape *s = c->s;
    const plan *p = c->p;
    const tn_arg sizes = tn_arg_bytes(&c->sizes, sizeof c->sizes);
    const bool attends = tn_decode_step_attends(s, c->sizes.from / 2);
    const int64_t of_d = groups_of(c, TRACKS, s->D), of_kv = groups_of(c, TRACKS, s->D / s->H * s->Hkv),
                  groups = (s->conv ? of_d : 0) + (attends ? of_d + 2 * of_kv : 0);
    TN_TRY(tn_launch(c->dev, p->kernels[FRONT], range(c, FRONT, s->rows), tn_arg_buffer(c->work),
                     tn_arg_buffer(a->routes), tn_arg_buffer(a->ring), tn_arg_buffer(a->x),
                     tn_arg_buffer(a->steps), tn_arg_buffer(a->given), tn_arg_buffer(a->values),
                     tn_arg_buffer(a->table), sizes));
    TN_TRY(tn_launch(c->dev, p->kernels[TRACKS], range(c, TRACKS, groups), tn_arg_buffer(c->work),
                     tn_arg_buffer(a->routes), tn_arg_buffer(a->ring), tn_arg_buffer(a->k),
                     tn_arg_buffer(a->v), tn_arg_buffer(a->projected), tn_arg_buffer(a->steps),
                     tn_arg_buffer(a->values), tn_arg_buffer(a->table), sizes));
    if (attends)
        TN_TRY(attend(c));
    if (!s->F)
        return TN_OK;
    TN_TRY(product(c, UP, s->F));
    return product(c, DOWN, s->D);
}

/* Scratch between launches, and room for sums of chunks of keys. */
static tn_status room(step *c) {
    const tn_decode_step_shape *s = c->s;
    TN_TRY(tn_device_scratch(c->dev, 0, (size_t)(s->rows * (3 * s->D + s->F)) * sizeof(float), &c->work));
    return s->attention ? tn_decode_step_sums(c->dev, &c->sizes, s->D + 4 * s->H, &c->sums) : TN_OK;
}

static tn_status run(tn_device *dev, int pass, const void *shape, const void *planned, const void *args) {
    const tn_decode_step_call *call = args;
    const tn_decode_step_shape *s = call->shape;
    const plan *p = planned;
    step c = {dev, p, s, call->args, call, tn_decode_step_sizes(call, p->chunk), NULL, NULL, NULL};
    (void)pass;
    (void)shape;
    if (call->launches) {
        *call->launches = s->layers * (2 + 2 * (s->F > 0)) + (s->V > 0) +
                          tn_decode_step_caches(s, s->layers) * (3 + s->rope);
        return TN_OK;
    }
    if (s->rows == 0) /* keys are shared among 2048 / rows groups */
        return TN_OK;
    TN_TRY(room(&c));
    if (s->rope)
        TN_TRY(tn_rope_turns(dev, p->turns, s->D / s->H, TN_ROPE_BASE, &c.turns));
    for (int64_t i = 0; i < s->layers; i++) {
        c.sizes.from = 2 * (int)i;
        TN_TRY(layer(&c));
    }
    if (s->V)
        return product(&c, HEAD, s->V);
    return tn_buffer_copy(call->args->out, (size_t)(call->args->step * s->rows * s->D) * sizeof(float),
                          c.work, 0, (size_t)(s->rows * s->D) * sizeof(float));
}

const tn_variant tn_decode_step_groups = {.name = "groups",
                                          .style = TN_STYLE_GROUPS,
                                          .tunable_count = sizeof tunables / sizeof tunables[0],
                                          .tunables = tunables,
                                          .fits = fits,
                                          .plan = make,
                                          .run = run};
