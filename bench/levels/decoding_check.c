/* The verification of a decode cell. */
#include "agree.h"
#include "decode_step_ref.h"
#include "decoding_run.h"
#include "launch.h"

#include <math.h>
#include <string.h>

static const double budget = 1e9; /* operations of the reference of one side */

/* One sequence as the reference has it, and what the device made of all. */
typedef struct sequence {
    decoding_run *r;
    const decoding_side *side;
    double *weights, *ring, *k, *v, *x, *out, *scratch;
    float *row, *got; /* [D]; [period,B,D] */
} sequence;

static const char *name_of(const decoding_side *s) {
    return !s->step.attention ? "convolution" : s->step.router ? "routed layer" : "attention";
}

static void to_doubles(double *to, const float *from, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i];
}

static tn_status check_step(const sequence *q, int64_t b, int64_t i) {
    const int64_t D = q->r->shape->D, B = q->r->shape->B;
    const float *got = q->got + (i * B + b) * D;
    for (int64_t d = 0; d < D; d++)
        if (!(fabs(got[d] - q->out[d]) <= 2e-5 * (1 + fabs(q->out[d]))))
            return tn_fail(q->r->ctx, TN_ERR_CHECK,
                           "a token of the %s is wrong at position %d of sequence %lld, column %lld: %g, "
                           "reference %g",
                           name_of(q->side), q->side->steps[(4 * i + 1) * B + b], (long long)b, (long long)d,
                           (double)got[d], q->out[d]);
    return TN_OK;
}

static void begin_sequence(const sequence *q, int64_t b) {
    const decoding_run *r = q->r;
    const int64_t D = r->shape->D;
    to_doubles(q->ring, r->ring + b * r->ring_rows * D, r->ring_rows * D);
    for (int64_t m = 0; q->side->step.attention && m <= r->contexts[b]; m++) {
        tn_decoding_run_cache(r, 0, b, m, m + 1, q->row);
        to_doubles(q->k + m * D, q->row, D);
        tn_decoding_run_cache(r, 1, b, m, m + 1, q->row);
        to_doubles(q->v + m * D, q->row, D);
    }
}

/* All steps of a span, one after the other. */
static tn_status check_sequence(const sequence *q, int64_t b) {
    const decoding_run *r = q->r;
    const decoding_side *s = q->side;
    const int64_t B = r->shape->B, D = r->shape->D;
    int32_t projected = s->steps[B + b], route;
    begin_sequence(q, b);
    for (int64_t i = 0; i < s->period; i++) {
        const int32_t step[4] = {0, s->steps[(4 * i + 1) * B + b], 0}, given = s->given[i * B + b];
        const tn_decode_step_ref ref = {.rows = 1,
                                        .slots = 1,
                                        .capacity = r->capacity,
                                        .layers = 1,
                                        .D = D,
                                        .H = s->step.H,
                                        .Hkv = s->step.Hkv,
                                        .K = s->step.K,
                                        .conv = s->step.conv,
                                        .attention = s->step.attention,
                                        .router = s->step.router,
                                        .ring_rows = r->ring_rows,
                                        .pending = TN_DECODE_STEP_PENDING,
                                        .eps = 1e-5,
                                        .steps = step,
                                        .given = &given,
                                        .table = r->table,
                                        .values = q->weights,
                                        .x = q->x};
        to_doubles(q->x, r->x + (i % r->inputs * B + b) * D, D);
        tn_decode_step_forward_ref(&ref, q->out, &route, q->ring, q->k, q->v, &projected, q->scratch);
        TN_TRY(check_step(q, b, i));
    }
    return TN_OK;
}

static double cost_of(const decoding_run *r, const decoding_side *s, int64_t b) {
    const double D = (double)r->shape->D, routed = s->step.attention ? (double)r->contexts[b] * D : 0;
    return (double)s->period * 8 * D * D + 12 * routed;
}

static int64_t longest_of(const decoding_run *r) {
    int64_t longest = 0;
    for (int64_t b = 1; b < r->shape->B; b++)
        longest = r->contexts[b] > r->contexts[longest] ? b : longest;
    return longest;
}

/* The longest sequence, the last and the first, and of the others as many as there is time for. */
static tn_status check_sequences(sequence *q) {
    const int64_t B = q->r->shape->B, first[] = {longest_of(q->r), B - 1, 0};
    double left = budget;
    for (int64_t i = 0; i < B + 3; i++) {
        const int64_t b = i < 3 ? first[i] : i - 3;
        const double cost = cost_of(q->r, q->side, b);
        bool before = false;
        for (int k = 0; k < 3 && k < i; k++)
            before = before || first[k] == b;
        if (before)
            continue;
        if (i > 0 && cost > left) {
            q->r->sampled = true;
            continue;
        }
        left -= cost;
        TN_TRY(check_sequence(q, b));
        if (tn_interrupted())
            return tn_fail(q->r->ctx, TN_ERR_INTERRUPTED, "stopped while verifying");
    }
    return TN_OK;
}

static tn_status check_routes(const decoding_run *r, const decoding_side *s) {
    const int64_t rows = s->period * r->shape->B;
    uint8_t *routes;
    TN_TRY(tn_alloc(r->ctx, (size_t)rows, 1, &routes));
    tn_status status = tn_buffer_read(s->routes, 0, (size_t)rows, routes);
    for (int64_t i = 0; i < rows && status == TN_OK; i++) {
        const int want = s->step.conv ? s->given[i] : 1;
        if (routes[i] != want)
            status =
                tn_fail(r->ctx, TN_ERR_CHECK, "token %lld of a span of the %s says %d of its route, not %d",
                        (long long)i, name_of(s), routes[i], want);
    }
    tn_free(r->ctx, routes);
    return status;
}

static tn_status run_span(decoding_run *r, const decoding_side *s) {
    TN_TRY(tn_decoding_run_input(r, true)); /* what another input leaves behind */
    TN_TRY(tn_decoding_run_span(r, s));
    TN_TRY(tn_decoding_run_input(r, false));
    TN_TRY(tn_decoding_run_reset(r, s));
    TN_TRY(tn_agree_poison(s->out));
    TN_TRY(tn_agree_poison(s->routes));
    tn_launch_watch(r->dev, r->watched);
    tn_status status = tn_decoding_run_span(r, s);
    r->watched = tn_launch_unwatch(r->dev);
    return status;
}

static tn_status make_sequence(sequence *q) {
    const decoding_run *r = q->r;
    const size_t D = (size_t)r->shape->D, keys = q->side->step.attention ? (size_t)r->capacity * D : 0;
    TN_TRY(tn_alloc(r->ctx, (size_t)r->floats, sizeof(double), &q->weights));
    TN_TRY(tn_alloc(r->ctx, (size_t)r->ring_rows * D, sizeof(double), &q->ring));
    TN_TRY(tn_alloc(r->ctx, keys, sizeof(double), &q->k));
    TN_TRY(tn_alloc(r->ctx, keys, sizeof(double), &q->v));
    TN_TRY(tn_alloc(r->ctx, D, sizeof(double), &q->x));
    TN_TRY(tn_alloc(r->ctx, D, sizeof(double), &q->out));
    TN_TRY(tn_alloc(r->ctx, 8 * D + (size_t)r->capacity, sizeof(double), &q->scratch));
    TN_TRY(tn_alloc(r->ctx, D, sizeof(float), &q->row));
    TN_TRY(tn_alloc(r->ctx, (size_t)(q->side->period * r->shape->B) * D, sizeof(float), &q->got));
    to_doubles(q->weights, r->weights, r->floats);
    return TN_OK;
}

static tn_status check_side(decoding_run *r, const decoding_side *s) {
    sequence q = {.r = r, .side = s};
    tn_status status = TN_OK;
    TN_GO(run_span(r, s));
    TN_GO(check_routes(r, s));
    TN_GO(make_sequence(&q));
    TN_GO(tn_buffer_read(s->out, 0, (size_t)(s->period * r->shape->B * r->shape->D) * sizeof(float), q.got));
    status = check_sequences(&q);
cleanup:;
    void *const all[] = {q.weights, q.ring, q.k, q.v, q.x, q.out, q.scratch, q.row, q.got};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tn_free(r->ctx, all[i]);
    return status;
}

tn_status tn_decoding_run_check(decoding_run *r) {
    r->sampled = false;
    for (int i = 0; i < r->count; i++)
        TN_TRY(check_side(r, &r->sides[i]));
    return TN_OK;
}
