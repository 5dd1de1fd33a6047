#include "decoding_run.h"

#include "rng.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { NOISE = 1048573 /* a prime: no two rows of keys are the same */, BLOCK = 512, PIECE = 1 << 18 };

/* Floats of a tensor of the layer, in the order of decode_step's table; the layer has all of them. */
static int64_t weight_floats(const tn_decoding_shape *s, int which) {
    const int64_t D = s->D, square = D * D;
    const int64_t counts[TN_DECODE_STEP_WEIGHTS] = {D,      D * s->K, D,      square, square,
                                                    square, square,   square, D,      1};
    return counts[which];
}

/* Matrices that keep what they multiply near 1. */
static double weight_scale(const tn_decoding_shape *s, int which) {
    return which >= 3 && which <= 8 ? 1 / sqrt((double)s->D) : 1;
}

static tn_status upload(decoding_run *r, const void *host, size_t bytes, tn_buffer **out) {
    TN_TRY(tn_buffer_create(r->dev, bytes, out));
    return tn_buffer_write(*out, 0, bytes, host);
}

static tn_status make_weights(decoding_run *r, tn_rng *rng) {
    for (int i = 0; i < TN_DECODE_STEP_WEIGHTS; i++) {
        r->table[i] = (int32_t)r->floats; /* a multiple of 4 */
        r->floats += tn_ceil_div(weight_floats(r->shape, i), 4) * 4;
    }
    TN_TRY(tn_alloc(r->ctx, (size_t)r->floats, sizeof(float), &r->weights));
    for (int i = 0; i < TN_DECODE_STEP_WEIGHTS; i++)
        for (int64_t k = 0; k < weight_floats(r->shape, i); k++)
            r->weights[r->table[i] + k] = (float)(tn_rng_normal(rng) * weight_scale(r->shape, i));
    TN_TRY(upload(r, r->weights, (size_t)r->floats * sizeof(float), &r->d_weights));
    return upload(r, r->table, sizeof r->table, &r->d_table);
}

void tn_decoding_run_cache(const decoding_run *r, int what, int64_t b, int64_t from, int64_t end,
                           float *out) {
    const int64_t D = r->shape->D;
    for (int64_t m = from; m < end; m++) {
        /* Values have another mean in each block of positions: who leaves one out is found, however long the
         * context. */
        const uint32_t mixed = (uint32_t)(m / BLOCK * 64 + b) * 2654435761u;
        const float level = what ? (float)(mixed >> 24) / 32 - 4 : 0;
        int64_t at = ((b * r->capacity + m) * D + what * (NOISE / 2)) % NOISE;
        for (int64_t d = 0; d < D; d++, at = at + 1 < NOISE ? at + 1 : 0)
            *out++ = r->noise[at] + level;
    }
}

static tn_status write_cache(decoding_run *r, int64_t b, int64_t from, int64_t end) {
    const int64_t D = r->shape->D, most = PIECE / D > 0 ? PIECE / D : 1;
    float *piece;
    tn_status status = TN_OK;
    TN_TRY(tn_alloc(r->ctx, (size_t)(most * D), sizeof *piece, &piece));
    for (int64_t m = from; m < end; m += most)
        for (int what = 0; what < 2; what++) {
            const int64_t stop = m + most < end ? m + most : end;
            tn_decoding_run_cache(r, what, b, m, stop, piece);
            TN_GO(tn_buffer_write(what ? r->v : r->k, (size_t)((b * r->capacity + m) * D) * sizeof *piece,
                                  (size_t)((stop - m) * D) * sizeof *piece, piece));
        }
cleanup:
    tn_free(r->ctx, piece);
    return status;
}

static int64_t key_bytes(const decoding_run *r) {
    return strcmp(r->shape->mixer, "conv") == 0
               ? 0
               : r->shape->B * r->capacity * r->shape->D * (int64_t)sizeof(float);
}

double tn_decoding_run_bytes(const decoding_run *r) {
    return 2.0 * (double)key_bytes(r) +
           4.0 * (double)r->shape->B * (1 + (double)r->ring_rows * (double)r->shape->D);
}

static tn_status check_memory(const decoding_run *r) {
    const tn_device_info *info = tn_device_get_info(r->dev);
    const double bytes = tn_decoding_run_bytes(r), one = (double)key_bytes(r),
                 reference = 4 * one / (double)r->shape->B, /* a sequence's keys and values in doubles */
        here = reference + (info->kind == TN_KIND_CPU ? bytes : 0),
                 host = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (here > 0.75 * host)
        return tn_fail(
            r->ctx, TN_ERR_MEMORY,
            "%lld sequences of %lld positions and a reference to verify them would take %.0f bytes "
            "of this machine's %.0f; take fewer or shorter ones",
            (long long)r->shape->B, (long long)r->capacity, here, host);
    if (bytes <= (double)info->global_bytes && one <= (double)info->max_alloc_bytes)
        return TN_OK;
    return tn_fail(
        r->ctx, TN_ERR_MEMORY,
        "%lld sequences of %lld positions would take %.0f bytes on %s, which has %.0f and gives %.0f "
        "at a time (keys: %.0f); take fewer or shorter ones",
        (long long)r->shape->B, (long long)r->capacity, bytes, info->name, (double)info->global_bytes,
        (double)info->max_alloc_bytes, one);
}

static tn_status make_state(decoding_run *r, tn_rng *rng) {
    const int64_t B = r->shape->B, D = r->shape->D, ring = B * r->ring_rows * D;
    TN_TRY(check_memory(r));
    TN_TRY(tn_alloc(r->ctx, (size_t)ring, sizeof(float), &r->ring));
    for (int64_t i = 0; i < ring; i++)
        r->ring[i] = (float)tn_rng_normal(rng);
    TN_TRY(upload(r, r->ring, (size_t)ring * sizeof(float), &r->d_ring));
    if (key_bytes(r) == 0)
        return TN_OK;
    TN_TRY(tn_alloc(r->ctx, NOISE, sizeof(float), &r->noise));
    for (int64_t i = 0; i < NOISE; i++)
        r->noise[i] = (float)tn_rng_normal(rng);
    TN_TRY(tn_buffer_create(r->dev, (size_t)key_bytes(r), &r->k));
    TN_TRY(tn_buffer_create(r->dev, (size_t)key_bytes(r), &r->v));
    for (int64_t b = 0; b < B; b++)
        TN_TRY(write_cache(r, b, 0, r->contexts[b] + 1));
    return TN_OK;
}

static tn_status make_inputs(decoding_run *r, tn_rng *rng) {
    const int64_t rows = r->shape->B * r->shape->D;
    for (int i = 0; i < r->count; i++)
        r->inputs = r->inputs > r->sides[i].period ? r->inputs : r->sides[i].period;
    r->inputs = r->inputs < DECODING_INPUTS ? r->inputs : DECODING_INPUTS;
    TN_TRY(tn_alloc(r->ctx, (size_t)(2 * r->inputs * rows), sizeof(float), &r->x));
    for (int64_t i = 0; i < 2 * r->inputs * rows; i++)
        r->x[i] = (float)tn_rng_normal(rng);
    for (int64_t i = 0; i < r->inputs; i++)
        TN_TRY(tn_buffer_create(r->dev, (size_t)rows * sizeof(float), &r->d_x[i]));
    return tn_decoding_run_input(r, false);
}

tn_status tn_decoding_run_input(decoding_run *r, bool other) {
    const int64_t rows = r->shape->B * r->shape->D;
    for (int64_t i = 0; i < r->inputs; i++)
        TN_TRY(tn_buffer_write(r->d_x[i], 0, (size_t)rows * sizeof(float),
                               r->x + ((other ? r->inputs : 0) + i) * rows));
    return TN_OK;
}

/* The token that ends a period stands at the context, and those before it before that. */
static int64_t position(int64_t context, int64_t period, int64_t of_period) {
    return context - (period - 1 - of_period) % (context + 1);
}

/* Sequences are spread over a period, so that they are not routed all at once. */
static void plan_steps(const decoding_run *r, decoding_side *s, bool routed_last) {
    const int64_t B = r->shape->B;
    for (int64_t i = 0; i < s->period; i++)
        for (int64_t b = 0; b < B; b++) {
            const int64_t j = (i + b * s->period / B) % s->period;
            const int64_t t = position(r->contexts[b], s->period, j);
            s->steps[(4 * i + 1) * B + b] = (int32_t)t;
            s->steps[(4 * i + 2) * B + b] = (int32_t)b;
            s->given[i * B + b] = routed_last && j == s->period - 1;
            s->contexts[i] = s->contexts[i] > t + 1 ? s->contexts[i] : t + 1;
        }
}

/* rho: of a layer with a router; of others 1 where they have attention. */
static tn_status make_side(decoding_run *r, bool conv, bool attention, double rho) {
    const tn_decoding_shape *of = r->shape;
    decoding_side *s = &r->sides[r->count++];
    s->step = (tn_decode_step_shape){.rows = of->B,
                                     .slots = of->B,
                                     .capacity = r->capacity,
                                     .layers = 1,
                                     .D = of->D,
                                     .H = of->H,
                                     .Hkv = of->H,
                                     .K = of->K,
                                     .conv = conv,
                                     .attention = attention,
                                     .router = conv && attention};
    s->period = !attention ? 1 : rho > 0 ? llround(1 / rho) : TN_DECODE_STEP_PENDING;
    const size_t rows = (size_t)(s->period * of->B);
    TN_TRY(tn_alloc(r->ctx, 4 * rows, sizeof *s->steps, &s->steps));
    TN_TRY(tn_alloc(r->ctx, rows, 1, &s->given));
    TN_TRY(tn_alloc(r->ctx, (size_t)s->period, sizeof *s->contexts, &s->contexts));
    plan_steps(r, s, attention && rho > 0);
    TN_TRY(upload(r, s->steps, 4 * rows * sizeof *s->steps, &s->d_steps));
    TN_TRY(upload(r, s->given, rows, &s->d_given));
    TN_TRY(tn_buffer_create(r->dev, rows * (size_t)of->D * sizeof(float), &s->out));
    TN_TRY(tn_buffer_create(r->dev, rows, &s->routes));
    return tn_buffer_create(r->dev, (size_t)of->B * sizeof(int32_t), &s->projected);
}

static tn_status make_sides(decoding_run *r) {
    const bool conv = strcmp(r->shape->mixer, "conv") == 0, routed = strcmp(r->shape->mixer, "routed") == 0;
    TN_TRY(make_side(r, conv || routed, !conv, r->shape->masked || !routed ? 1 : r->shape->rho));
    if (r->shape->masked)
        TN_TRY(make_side(r, true, false, 0));
    r->mine = r->count;
    return routed ? make_side(r, false, true, 1) : TN_OK;
}

void tn_decoding_run_contexts(const tn_decoding_shape *s, uint64_t seed, int64_t *contexts) {
    tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, (1u << 20) + 2);
    for (int64_t b = 0; b < s->B; b++) {
        const double drawn = (double)s->context * exp2(-4 * tn_rng_uniform(&rng));
        contexts[b] = !s->ragged || b == 0 || drawn < 1 ? s->context : (int64_t)drawn;
    }
}

tn_status tn_decoding_run_make(decoding_run *r) {
    const tn_decoding_shape *s = r->shape;
    tn_rng rng = tn_rng_make(r->seed, TN_RNG_MEASURE, (1u << 20) + 1);
    int64_t longest = 0;
    TN_TRY(tn_alloc(r->ctx, (size_t)s->B, sizeof *r->contexts, &r->contexts));
    tn_decoding_run_contexts(s, r->seed, r->contexts);
    for (int64_t b = 0; b < s->B; b++)
        longest = r->contexts[b] > longest ? r->contexts[b] : longest;
    r->capacity = tn_ceil_div(longest + 1, 64) * 64; /* as a decoder has it */
    r->ring_rows = tn_decode_step_ring(s->K);
    TN_TRY(make_state(r, &rng));
    TN_TRY(make_weights(r, &rng));
    TN_TRY(make_sides(r));
    TN_TRY(make_inputs(r, &rng));
    for (int i = 0; i < r->count; i++)
        TN_TRY(tn_decoding_run_reset(r, &r->sides[i]));
    return TN_OK;
}

void tn_decoding_run_free(decoding_run *r) {
    void *const host[] = {r->contexts, r->noise, r->weights, r->ring, r->x};
    tn_buffer *const all[] = {r->d_weights, r->d_table, r->d_ring, r->k, r->v};
    for (size_t i = 0; i < sizeof host / sizeof host[0]; i++)
        tn_free(r->ctx, host[i]);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_buffer_destroy(all[i]);
    for (int i = 0; i < DECODING_INPUTS; i++)
        tn_buffer_destroy(r->d_x[i]);
    for (int i = 0; i < r->count; i++) {
        decoding_side *s = &r->sides[i];
        tn_buffer *const of_side[] = {s->d_steps, s->d_given, s->out, s->routes, s->projected};
        for (size_t k = 0; k < sizeof of_side / sizeof of_side[0]; k++)
            tn_buffer_destroy(of_side[k]);
        tn_free(r->ctx, s->steps);
        tn_free(r->ctx, s->given);
        tn_free(r->ctx, s->contexts);
    }
}

tn_status tn_decoding_run_reset(decoding_run *r, const decoding_side *s) {
    const int64_t B = r->shape->B;
    int64_t longest = 0; /* any side may have written there */
    for (int i = 0; i < r->count; i++)
        longest = r->sides[i].period > longest ? r->sides[i].period : longest;
    /* Every position in front of the first has its keys. */
    TN_TRY(tn_buffer_write(s->projected, 0, (size_t)B * sizeof(int32_t), s->steps + B));
    TN_TRY(tn_buffer_write(r->d_ring, 0, (size_t)(B * r->ring_rows * r->shape->D) * sizeof(float), r->ring));
    for (int64_t b = 0; b < B && s->step.attention; b++) {
        const int64_t from = r->contexts[b] + 1 - longest;
        TN_TRY(write_cache(r, b, from > 0 ? from : 0, r->contexts[b] + 1));
    }
    return TN_OK;
}

tn_status tn_decoding_run_span(decoding_run *r, const decoding_side *s) {
    tn_decode_step_args a = {.out = s->out,
                             .routes = s->routes,
                             .ring = r->d_ring,
                             .k = s->step.attention ? r->k : NULL,
                             .v = s->step.attention ? r->v : NULL,
                             .projected = s->step.attention ? s->projected : NULL,
                             .steps = s->d_steps,
                             .given = s->d_given,
                             .values = r->d_weights,
                             .table = r->d_table,
                             .share = r->shape->rho > 0 ? 1 / (double)s->period : 1e-4, /* as seen so far */
                             .eps = 1e-5};
    for (a.step = 0; a.step < s->period; a.step++) {
        a.x = r->d_x[a.step % r->inputs];
        a.context = s->contexts[a.step];
        TN_TRY(tn_decode_step_forward(r->dev, &s->step, &a));
    }
    return TN_OK;
}
