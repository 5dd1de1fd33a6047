#include "case.h"

#include "decode_step.h"
#include "decode_step_ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIM_ROWS,
    DIM_SLOTS,
    DIM_H,
    DIM_HKV,
    DIM_DH,
    DIM_K,
    DIM_F,
    DIM_V,
    DIM_LAYERS,
    DIM_C,
    DIM_MODEL,
    DIM_WINDOW
};
/* bits of `model` */
enum { CONV = 1, ATTENTION = 2, ROUTER = 4, ROPE = 8, ADDED = 16, CODED = 32, MIXED = 64 };
enum { T_OUT, T_ROUTES, T_RING, T_K, T_V, T_PROJECTED, T_X, T_VALUES, T_STEPS, T_GIVEN, T_TABLE, TENSORS };
static const double eps = 1e-5;

static void draw(tn_rng *rng, tn_shape *s) {
    static const int64_t models[] = {CONV, ATTENTION, CONV | ATTENTION, CONV | ATTENTION | ROUTER};
    static const int64_t widths[] = {16, 32, 20, 64, 6, 16, 32, 48};
    const bool large = tn_rng_below(rng, 6) == 0;
    s->v[DIM_MODEL] = models[tn_rng_below(rng, 4)];
    if (s->v[DIM_MODEL] & ATTENTION && tn_rng_below(rng, 3) == 0)
        s->v[DIM_MODEL] |= ROPE;
    if ((s->v[DIM_MODEL] & 3) == 3 && tn_rng_below(rng, 2) == 0)
        s->v[DIM_MODEL] |= ADDED;
    s->v[DIM_SLOTS] = tn_rng_range(rng, 1, 5);
    s->v[DIM_ROWS] = tn_rng_range(rng, tn_rng_below(rng, 8) > 0, s->v[DIM_SLOTS]);
    s->v[DIM_HKV] = tn_rng_range(rng, 1, 2);
    s->v[DIM_H] = s->v[DIM_HKV] * tn_rng_range(rng, 1, 3);
    s->v[DIM_DH] = s->v[DIM_MODEL] == CONV ? tn_rng_range(rng, 1, 40) : widths[tn_rng_below(rng, 8)];
    s->v[DIM_K] = tn_rng_below(rng, 5) == 0 ? tn_rng_range(rng, 1, 80) : tn_rng_range(rng, 1, 5);
    s->v[DIM_F] = tn_rng_below(rng, 4) == 0 ? 0 : 16 * tn_rng_range(rng, 1, 6) + (tn_rng_below(rng, 3) == 0);
    s->v[DIM_V] = tn_rng_below(rng, 3) == 0 ? 0 : tn_rng_range(rng, 1, 100);
    s->v[DIM_LAYERS] = tn_rng_range(rng, 1, 3);
    s->v[DIM_C] = tn_rng_below(rng, 4) == 0 ? 1 : tn_rng_range(rng, 1, 300);
    if (large) { /* weights past what one item should read */
        s->v[DIM_DH] = s->v[DIM_DH] < 32 ? 32 : s->v[DIM_DH];
        s->v[DIM_V] = 600000 / (s->v[DIM_H] * s->v[DIM_DH]);
    }
    /* What came later is drawn last, so that the shapes of before stay. */
    if ((s->v[DIM_MODEL] & 3) == 3 && tn_rng_below(rng, 2) == 0) {
        s->v[DIM_MODEL] |= MIXED;
        s->v[DIM_LAYERS] = large ? s->v[DIM_LAYERS] : tn_rng_range(rng, 1, 6);
    }
    if (s->v[DIM_V] && tn_rng_below(rng, 3) == 0)
        s->v[DIM_MODEL] |= CODED;
    s->v[DIM_WINDOW] = tn_rng_below(rng, 3) ? 0 : tn_rng_range(rng, 1, s->v[DIM_C]);
    if (s->v[DIM_WINDOW] && tn_rng_below(rng, 2)) /* whole chunks of keys before it */
        s->v[DIM_C] += 600;
}

static tn_status check(tn_context *ctx, const tn_shape *s) {
    const int64_t model = s->v[DIM_MODEL];
    if (s->v[DIM_SLOTS] < 1 || s->v[DIM_ROWS] > s->v[DIM_SLOTS] || s->v[DIM_HKV] < 1 || s->v[DIM_DH] < 1 ||
        s->v[DIM_H] < 1 || s->v[DIM_H] % s->v[DIM_HKV] || s->v[DIM_K] < 1 || s->v[DIM_K] > 256 ||
        s->v[DIM_LAYERS] < 1 || s->v[DIM_LAYERS] > 64 || s->v[DIM_C] < 1 || model > 127 || (model & 3) == 0 ||
        (model & (ROUTER | ADDED | MIXED) && (model & 3) != 3) || (model & CODED && !s->v[DIM_V]) ||
        (model & ROPE && (!(model & 2) || s->v[DIM_DH] % 2)))
        return tn_fail(
            ctx, TN_ERR_ARG,
            "decode_step: slots, H, Hkv, Dh, C at least 1, layers 1 to 64, rows at most slots, H a multiple "
            "of Hkv, K 1 to 256, model a sum of 1 convolution, 2 attention, 4 router (with both), 8 "
            "rope (with attention, Dh even), 16 both tracks of a routed row (with both), 32 codes (with V), "
            "64 layers that lack one thing in turn (with both)");
    return TN_OK;
}

/* Layers of a mixed model in turn, from one that K gives on: attention alone, both tracks, the convolution
 * alone, both but the router.
 */
static uint64_t turn_of(int64_t layers, int64_t first, int64_t turn) {
    uint64_t bits = 0;
    for (int64_t i = 0; i < layers; i++)
        bits |= (uint64_t)((i + first) % 4 == turn) << i;
    return bits;
}

static tn_decode_step_shape shape_of(const tn_shape *s) {
    const int64_t model = s->v[DIM_MODEL], layers = model & MIXED ? s->v[DIM_LAYERS] : 0, first = s->v[DIM_K];
    return (tn_decode_step_shape){.rows = s->v[DIM_ROWS],
                                  .slots = s->v[DIM_SLOTS],
                                  .capacity = s->v[DIM_C],
                                  .layers = s->v[DIM_LAYERS],
                                  .D = s->v[DIM_H] * s->v[DIM_DH],
                                  .H = s->v[DIM_H],
                                  .Hkv = s->v[DIM_HKV],
                                  .K = s->v[DIM_K],
                                  .F = s->v[DIM_F],
                                  .V = s->v[DIM_V],
                                  .conv = (model & CONV) != 0,
                                  .attention = (model & ATTENTION) != 0,
                                  .router = (model & ROUTER) != 0,
                                  .rope = (model & ROPE) != 0,
                                  .added = (model & ADDED) != 0,
                                  .coded = (model & CODED) != 0,
                                  .window = s->v[DIM_WINDOW],
                                  .without_conv = turn_of(layers, first, 0),
                                  .without_attention = turn_of(layers, first, 2),
                                  .without_router = layers ? ~turn_of(layers, first, 1) : 0};
}

enum { CODES = 9 /* how many are told apart */ };

/* Tensors are counted layer by layer, then beside layers: */
static int64_t tensor_count(const tn_decode_step_shape *s) {
    return s->layers * TN_DECODE_STEP_WEIGHTS + TN_DECODE_STEP_BESIDE;
}

/* Which of the kinds of tensors i is: of a layer's, or, from TN_DECODE_STEP_WEIGHTS on, beside layers. */
static int kind_of(const tn_decode_step_shape *s, int64_t i) {
    const int64_t rows = s->layers * TN_DECODE_STEP_WEIGHTS;
    return (int)(i < rows ? i % TN_DECODE_STEP_WEIGHTS : i - rows + TN_DECODE_STEP_WEIGHTS);
}

/* Where in the table tensor i's place stands. */
static int64_t entry_of(const tn_decode_step_shape *s, int64_t i) {
    const int64_t rows = s->layers * TN_DECODE_STEP_WEIGHTS;
    return i < rows ? i / TN_DECODE_STEP_WEIGHTS * TN_DECODE_STEP_COLUMNS + i % TN_DECODE_STEP_WEIGHTS
                    : i - rows + s->layers * TN_DECODE_STEP_COLUMNS;
}

/* Floats of tensor i; 0: the model, or the layer, has none. */
static int64_t weight_floats(const tn_decode_step_shape *s, int64_t i) {
    const int64_t D = s->D, width = D / s->H * s->Hkv, square = D * D,
                  rows = s->layers * TN_DECODE_STEP_WEIGHTS,
                  layer = i < rows ? i / TN_DECODE_STEP_WEIGHTS : 0;
    const bool conv = tn_decode_step_convolves(s, layer), attention = tn_decode_step_attends(s, layer),
               router = tn_decode_step_routes(s, layer);
    const int64_t counts[] = {D,
                              conv * D * s->K,
                              conv * D,
                              conv * square,
                              attention * square,
                              attention * D * width,
                              attention * D * width,
                              attention * square,
                              router * D,
                              router,
                              s->F ? D : 0,
                              D * s->F,
                              s->F,
                              D * s->F,
                              s->F ? D : 0,
                              D * s->V,
                              s->V ? D : 0,
                              D * s->V,
                              s->coded * D * CODES};
    return counts[kind_of(s, i)];
}

/* Floats up to where the next tensor begins, at a multiple of 4. */
static int64_t room_of(const tn_decode_step_shape *s, int64_t i) {
    return (weight_floats(s, i) + 3) / 4 * 4;
}

static int64_t all_floats(const tn_decode_step_shape *s) {
    int64_t all = 0;
    for (int64_t i = 0; i < tensor_count(s); i++)
        all += room_of(s, i);
    return all;
}

static int64_t table_length(const tn_decode_step_shape *s) {
    return s->layers * TN_DECODE_STEP_COLUMNS + TN_DECODE_STEP_BESIDE;
}

static int tensors(const tn_shape *shape, int pass, tn_tensor *t) {
    const tn_decode_step_shape s = shape_of(shape);
    const size_t rows = (size_t)s.rows, D = (size_t)s.D, states = (size_t)(s.layers * s.slots),
                 cache = (size_t)(tn_decode_step_caches(&s, s.layers) * s.slots * s.capacity *
                                  (s.D / s.H * s.Hkv));
    const double tol = 1e-5 * (double)(1 + s.layers);
    (void)pass;
    t[T_OUT] = (tn_tensor){"out", TN_F32, TN_OUT, rows * (s.V ? (size_t)s.V : D), tol};
    t[T_ROUTES] = (tn_tensor){"routes", TN_U8, TN_OUT, (size_t)s.layers * rows};
    t[T_RING] = (tn_tensor){"ring", TN_F32, TN_INOUT, states * (size_t)tn_decode_step_ring(s.K) * D, tol};
    t[T_K] = (tn_tensor){"k", TN_F32, TN_INOUT, cache, tol};
    t[T_V] = (tn_tensor){"v", TN_F32, TN_INOUT, cache, tol};
    t[T_PROJECTED] = (tn_tensor){"projected", TN_I32, TN_INOUT, s.attention ? states : 0};
    t[T_X] = (tn_tensor){"x", TN_F32, TN_IN, s.V ? 0 : rows * D};
    t[T_VALUES] = (tn_tensor){"values", TN_F32, TN_IN, (size_t)all_floats(&s)};
    t[T_STEPS] = (tn_tensor){"steps", TN_I32, TN_IN, 4 * rows};
    t[T_GIVEN] = (tn_tensor){"given", TN_U8, TN_IN, (size_t)s.layers * rows};
    t[T_TABLE] = (tn_tensor){"table", TN_I32, TN_IN, (size_t)table_length(&s)};
    return TENSORS;
}

/* Rows that multiply what is as wide as their number keep it near 1. */
static double weight_scale(const tn_decode_step_shape *s, int which) {
    static const int narrow[] = {3, 4, 5, 6, 7, 11, 13, 17};
    for (size_t i = 0; i < sizeof narrow / sizeof narrow[0]; i++)
        if (which == narrow[i])
            return 1 / sqrt((double)(which == 13 ? s->F : s->D));
    return 1;
}

static void fill(tn_rng *rng, const tn_shape *shape, int pass, tn_tensor *t) {
    const tn_decode_step_shape s = shape_of(shape);
    (void)pass;
    for (int64_t i = 0, at = 0; i < tensor_count(&s); at += room_of(&s, i++)) {
        const int64_t floats = weight_floats(&s, i);
        t[T_TABLE].i32[entry_of(&s, i)] = floats ? (int32_t)at : -1;
        for (int64_t k = 0; k < floats; k++)
            t[T_VALUES].f64[at + k] *= weight_scale(&s, kind_of(&s, i));
    }
    for (int64_t i = 0; i < s.layers; i++)
        t[T_TABLE].i32[i * TN_DECODE_STEP_COLUMNS + TN_DECODE_STEP_WEIGHTS] =
            (int32_t)(tn_decode_step_attends(&s, i) ? tn_decode_step_caches(&s, i) : 0);
    for (int64_t r = 0; r < s.rows; r++) { /* slots in descending order, so that none is its row's number */
        t[T_STEPS].i32[r] = s.V ? (int32_t)tn_rng_below(rng, (uint32_t)s.V) : 0;
        t[T_STEPS].i32[s.rows + r] =
            (int32_t)(tn_rng_below(rng, 3) ? tn_rng_range(rng, 0, s.capacity - 1) : s.capacity - 1);
        t[T_STEPS].i32[2 * s.rows + r] = (int32_t)(s.slots - 1 - r);
        t[T_STEPS].i32[3 * s.rows + r] = s.coded ? (int32_t)tn_rng_below(rng, CODES) : 0;
    }
    for (size_t i = 0; i < t[T_GIVEN].count; i++) /* decisions: a NaN must not change them (poison.h) */
        t[T_GIVEN].i32[i] = (int32_t)tn_rng_below(rng, 2);
    for (size_t i = 0; i < t[T_PROJECTED].count; i++) /* as after a sequence was cut back; rows below: */
        t[T_PROJECTED].i32[i] = (int32_t)s.capacity;
    for (int64_t i = 0; s.attention && i < s.layers * s.rows; i++) {
        const int64_t pos = t[T_STEPS].i32[s.rows + i % s.rows],
                      place = i / s.rows * s.slots + t[T_STEPS].i32[2 * s.rows + i % s.rows];
        const int64_t least = pos > TN_DECODE_STEP_PENDING - 1 ? pos - TN_DECODE_STEP_PENDING + 1 : 0;
        if (tn_rng_below(rng, 4))
            t[T_PROJECTED].i32[place] =
                (int32_t)(tn_rng_below(rng, 3) ? tn_rng_range(rng, least, pos) : least);
    }
}

static tn_status run(tn_device *dev, const tn_shape *shape, int pass, tn_tensor *t) {
    const tn_decode_step_shape s = shape_of(shape);
    const tn_decode_step_args a = {.out = t[T_OUT].buffer,
                                   .routes = t[T_ROUTES].buffer,
                                   .ring = t[T_RING].buffer,
                                   .k = t[T_K].buffer,
                                   .v = t[T_V].buffer,
                                   .projected = t[T_PROJECTED].buffer,
                                   .x = t[T_X].buffer,
                                   .steps = t[T_STEPS].buffer,
                                   .given = t[T_GIVEN].buffer,
                                   .values = t[T_VALUES].buffer,
                                   .table = t[T_TABLE].buffer,
                                   .context = s.capacity,
                                   .eps = eps};
    (void)pass;
    return tn_decode_step_forward(dev, &s, &a);
}

static void reference(const tn_shape *shape, int pass, tn_tensor *t) {
    const tn_decode_step_shape s = shape_of(shape);
    const tn_decode_step_ref ref = {.rows = s.rows,
                                    .slots = s.slots,
                                    .capacity = s.capacity,
                                    .layers = s.layers,
                                    .D = s.D,
                                    .H = s.H,
                                    .Hkv = s.Hkv,
                                    .K = s.K,
                                    .F = s.F,
                                    .V = s.V,
                                    .conv = s.conv,
                                    .attention = s.attention,
                                    .router = s.router,
                                    .rope = s.rope,
                                    .added = s.added,
                                    .coded = s.coded,
                                    .window = s.window,
                                    .ring_rows = tn_decode_step_ring(s.K),
                                    .pending = TN_DECODE_STEP_PENDING,
                                    .eps = eps,
                                    .steps = t[T_STEPS].i32,
                                    .given = t[T_GIVEN].i32,
                                    .table = t[T_TABLE].i32,
                                    .values = t[T_VALUES].f64,
                                    .x = t[T_X].f64};
    double *scratch = calloc((size_t)(8 * (s.D + s.F) + s.capacity), sizeof *scratch);
    (void)pass;
    if (scratch)
        tn_decode_step_forward_ref(&ref, t[T_OUT].f64, t[T_ROUTES].i32, t[T_RING].f64, t[T_K].f64, t[T_V].f64,
                                   t[T_PROJECTED].i32, scratch);
    free(scratch);
}

/* What the rows of a step do in a layer. */
typedef struct uses {
    bool any, cheap, attend,
        project;  /* a row; one on the cheap track; one that attends; that has keys made */
    int64_t taps; /* most that a row on the cheap track has */
} uses;

static uses uses_of(const tn_decode_step_shape *s, const tn_tensor *t, int64_t layer) {
    uses u = {.any = s->rows > 0};
    for (int64_t r = 0; r < s->rows; r++) {
        const int64_t pos = t[T_STEPS].i32[s->rows + r],
                      place = layer * s->slots + t[T_STEPS].i32[2 * s->rows + r];
        const bool conv = tn_decode_step_convolves(s, layer), attention = tn_decode_step_attends(s, layer),
                   h = !conv || (attention && t[T_GIVEN].i32[layer * s->rows + r]),
                   cheap = conv && (!h || s->added);
        if (cheap && (pos < s->K ? pos + 1 : s->K) > u.taps)
            u.taps = pos < s->K ? pos + 1 : s->K;
        u.cheap |= cheap;
        u.attend |= h;
        u.project |= h || (attention && pos + 1 - t[T_PROJECTED].i32[place] >= TN_DECODE_STEP_PENDING);
    }
    return u;
}

static bool weight_is_seen(const tn_decode_step_shape *s, const tn_tensor *t, int64_t i) {
    const int64_t rows = s->layers * TN_DECODE_STEP_WEIGHTS;
    int64_t of = 0, within = i;
    for (; within >= room_of(s, of); of++)
        within -= room_of(s, of);
    if (within >= weight_floats(s, of))
        return false;                   /* between two tensors */
    if (of == rows || of == rows + 3) { /* the embedding, or what is added to it */
        for (int64_t r = 0; r < s->rows; r++)
            if (t[T_STEPS].i32[(of == rows ? 0 : 3 * s->rows) + r] == within / s->D)
                return true;
        return false;
    }
    const uses u = uses_of(s, t, of < rows ? of / TN_DECODE_STEP_WEIGHTS : 0);
    switch (of < rows ? of % TN_DECODE_STEP_WEIGHTS : 0) {
    case 1:
        return u.cheap && within % s->K < u.taps;
    case 2:
    case 3:
        return u.cheap;
    case 4:
    case 7:
        return u.attend;
    case 5:
    case 6:
        return u.project;
    case 8:
    case 9:
        return false; /* decisions are given */
    default:
        return u.any;
    }
}

/* The layer that a cache belongs to. */
static int64_t layer_of(const tn_decode_step_shape *s, int64_t cache) {
    int64_t layer = 0;
    while (!tn_decode_step_attends(s, layer) || tn_decode_step_caches(s, layer) < cache)
        layer++;
    return layer;
}

/* State that is written over: the ring's row of the position, and keys and values that are made anew. What of
 * the rest an output sees is told by the reference: a NaN there passes through to itself at least. */
static bool state_is_seen(const tn_decode_step_shape *s, const tn_tensor *t, int in, int64_t i) {
    const int64_t ring = tn_decode_step_ring(s->K), width = s->D / s->H * s->Hkv,
                  place = in == T_RING ? i / (ring * s->D) : i / (s->capacity * width),
                  at = in == T_RING ? i / s->D % ring : i / width % s->capacity;
    for (int64_t r = 0; r < s->rows; r++) {
        const int64_t pos = t[T_STEPS].i32[s->rows + r];
        if (t[T_STEPS].i32[2 * s->rows + r] != place % s->slots)
            continue;
        if (in == T_RING)
            return at != pos % ring;
        const int64_t layer = layer_of(s, place / s->slots),
                      projected = t[T_PROJECTED].i32[layer * s->slots + place % s->slots],
                      first = projected < pos ? projected : pos;
        const bool h = !tn_decode_step_convolves(s, layer) || t[T_GIVEN].i32[layer * s->rows + r];
        return at < first || at > pos || !(h || pos + 1 - first >= TN_DECODE_STEP_PENDING);
    }
    return true;
}

static bool sees(const tn_shape *shape, int pass, const tn_tensor *t, int out, size_t o, int in, size_t i) {
    const tn_decode_step_shape s = shape_of(shape);
    (void)pass;
    (void)o;
    if (out != TN_ANY_OUTPUT)
        return true;
    return in == T_X        ? true
           : in == T_VALUES ? weight_is_seen(&s, t, (int64_t)i)
                            : state_is_seen(&s, t, in, (int64_t)i);
}

/* Of `count` positions those that the last one sees. */
static int64_t seen_of(const tn_decode_step_shape *s, int64_t count) {
    return s->window && s->window < count ? s->window : count;
}

/* As much as it can be: all rows attend to all positions, and wait for nothing. */
static double flops(const tn_shape *shape, int pass) {
    const tn_decode_step_shape s = shape_of(shape);
    const double D = (double)s.D, width = (double)(s.D / s.H * s.Hkv), rows = (double)s.rows;
    const double seen = (double)seen_of(&s, s.capacity);
    double layer = 5 * D + 4 * D * (double)s.F;
    (void)pass;
    if (s.attention)
        layer += 4 * D * D + 4 * D * width + 4 * D * seen;
    if (!s.attention || s.added)
        layer += 2 * D * D + 2 * D * (double)s.K;
    return rows * ((double)s.layers * layer + 2 * D * (double)s.V);
}

static double bytes(const tn_shape *shape, int pass) {
    const tn_decode_step_shape s = shape_of(shape);
    const double D = (double)s.D, width = (double)(s.D / s.H * s.Hkv), rows = (double)s.rows;
    double floats = 2 * D * (double)s.F * (double)s.layers + D * (double)s.V;
    (void)pass;
    if (s.attention)
        floats += (double)s.layers *
                  (2 * D * D + 2 * D * width + 2 * rows * width * (double)seen_of(&s, s.capacity));
    if (!s.attention || s.added)
        floats += (double)s.layers * (D * D + rows * D * (double)s.K);
    return s.rows ? 4 * floats : 0;
}

/* What the decisions and positions as drawn leave of that. */
static void least(const tn_shape *shape, int pass, const tn_tensor *t, double *flops_, double *bytes_) {
    const tn_decode_step_shape s = shape_of(shape);
    const double D = (double)s.D, F = (double)s.F, width = (double)(s.D / s.H * s.Hkv), rows = (double)s.rows;
    double operations = rows * 2 * D * (double)s.V,
           floats = s.rows ? D * (double)s.V + rows * (double)(s.V ? s.V : s.D) : 0;
    (void)pass;
    for (int64_t layer = 0; layer < s.layers; layer++) {
        const uses u = uses_of(&s, t, layer);
        floats += (u.any ? 2 * D * F : 0) + (u.cheap ? D * D : 0) + (u.attend ? 2 * D * D : 0) +
                  (u.project ? 2 * D * width : 0);
        operations += rows * (5 * D + 4 * D * F);
        for (int64_t r = 0; r < s.rows; r++) {
            const bool conv = tn_decode_step_convolves(&s, layer),
                       h = !conv || (tn_decode_step_attends(&s, layer) && t[T_GIVEN].i32[layer * s.rows + r]),
                       cheap = conv && (!h || s.added);
            const double seen = (double)seen_of(&s, t[T_STEPS].i32[s.rows + r] + 1);
            operations += h ? 4 * D * D + 4 * D * width + 4 * D * seen : 0;
            floats += h ? 2 * width * seen : 0;
            operations += cheap ? 2 * D * D + 2 * D * (double)s.K : 0;
            floats += cheap ? D * (double)s.K : 0;
        }
    }
    *flops_ = operations < *flops_ ? operations : *flops_;
    *bytes_ = 4 * floats < *bytes_ ? 4 * floats : *bytes_;
}

static const char *const dims[] = {"rows", "slots",  "H", "Hkv",   "Dh",     "K", "F",
                                   "V",    "layers", "C", "model", "window", NULL};
static const char *const passes[] = {"forward", NULL};

const tn_case tn_case_decode_step = {.op = "decode_step",
                                     .dims = dims,
                                     .optional = DIM_WINDOW,
                                     .passes = passes,
                                     .draw = draw,
                                     .check = check,
                                     .tensors = tensors,
                                     .fill = fill,
                                     .run = run,
                                     .reference = reference,
                                     .sees = sees,
                                     .flops = flops,
                                     .bytes = bytes,
                                     .least = least};
