/* Decode cells: what a token takes, and what of it the row says. */
#include "decoding.h"

#include "config.h"
#include "decoding_run.h"
#include "execution.h"
#include "pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double tn_decoding_rho(double rho) {
    return rho > 0 ? 1.0 / (double)llround(1 / rho) : rho;
}

static bool is_routed(const tn_decoding_shape *s) {
    return s->mixer && strcmp(s->mixer, "routed") == 0;
}

tn_status tn_decoding_check(tn_context *ctx, const tn_decoding_shape *s) {
    tn_model_config c = tn_model_config_default(2);
    const double rows = (double)s->B * ((double)s->context + 64);
    c.d_model = s->D;
    c.heads = s->H;
    c.conv_taps = s->K;
    TN_TRY(tn_model_config_check(ctx, &c));
    if (s->B < 1 || s->context < 1)
        return tn_fail(ctx, TN_ERR_ARG, "%lld sequences of %lld positions: at least one of each",
                       (long long)s->B, (long long)s->context);
    if (is_routed(s) && s->rho != 0 && !(s->rho >= 1.0 / TN_DECODING_PERIOD && s->rho <= 1))
        return tn_fail(ctx, TN_ERR_ARG, "a routed fraction of %g: 0, or %g to 1", s->rho,
                       1.0 / TN_DECODING_PERIOD);
    if (rows * (double)s->D > (double)TN_MOST_ELEMENTS)
        return tn_fail(
            ctx, TN_ERR_ARG,
            "%lld sequences of %lld positions would have %.4g floats of keys and as many of values, "
            "and kernels count to %lld; take fewer or shorter ones",
            (long long)s->B, (long long)s->context, rows * (double)s->D, (long long)TN_MOST_ELEMENTS);
    return TN_OK;
}

tn_status tn_decoding_parse(tn_context *ctx, const char *text, tn_decoding_shape *out) {
    int64_t ragged = 0;
    *out = (tn_decoding_shape){.B = -1, .context = 4096, .D = 64, .H = -1, .K = 4, .rho = NAN};
    tn_pair_field fields[] = {{.name = "context", .whole = &out->context, .low = 1, .high = INT32_MAX},
                              {.name = "B", .whole = &out->B, .low = 1, .high = 65536},
                              {.name = "D", .whole = &out->D, .low = 1, .high = 8192},
                              {.name = "H", .whole = &out->H, .low = 1, .high = 128},
                              {.name = "K", .whole = &out->K, .low = 1, .high = 256},
                              {.name = "rho", .real = &out->rho, .low = 0, .high = 1},
                              {.name = "ragged", .whole = &ragged, .low = 0, .high = 1}};
    TN_TRY(tn_pairs_read(ctx, "shape of decoding", text, fields, sizeof fields / sizeof fields[0]));
    out->ragged = ragged != 0;
    out->B = out->B > 0 ? out->B : out->ragged ? 8 : 1;
    out->H = out->H > 0 ? out->H : out->D < 128 ? 2 : out->D / 64;
    if (!isnan(out->rho)) {
        out->mixer = "routed";
        TN_TRY(tn_decoding_check(ctx, out));
        out->rho = tn_decoding_rho(out->rho);
        out->mixer = NULL;
    }
    return tn_decoding_check(ctx, out);
}

/* Work of a step: the least that its decisions and positions leave to be done. */
static tn_row_work work_of(const decoding_run *r, const decoding_side *s, int64_t i, int32_t *projected) {
    const int64_t B = r->shape->B;
    const double D = (double)r->shape->D, K = (double)r->shape->K, square = D * D;
    bool cheap = false, routed = false, keys = false;
    double flops = 0, floats = D + (s->step.router ? D + 1 : 0);
    for (int64_t b = 0; b < B; b++) {
        const int32_t t = s->steps[(4 * i + 1) * B + b], first = projected[b] < t ? projected[b] : t;
        const bool h = !s->step.conv || s->given[i * B + b],
                   makes = s->step.attention && (h || t + 1 - first >= TN_DECODE_STEP_PENDING);
        const double made = makes ? (double)(t + 1 - first) : 0, seen = (double)t + 1;
        projected[b] = makes ? t + 1 : first;
        flops += 5 * D + (h ? 4 * square + 4 * D * seen : 2 * square + 2 * D * K) + 4 * square * made;
        floats += 3 * D + (h ? 2 * D * seen : (K - 1) * D) + 3 * D * made;
        cheap |= !h;
        routed |= h;
        keys |= makes;
    }
    floats += (cheap ? square + D * K + D : 0) + (routed ? 2 * square : 0) + (keys ? 2 * square : 0);
    return (tn_row_work){flops, 4 * floats};
}

/* Of all steps of a span, as they follow one another for good. Caller frees. */
static tn_status works_of(const decoding_run *r, const decoding_side *s, tn_row_work **out) {
    const int64_t B = r->shape->B;
    int32_t *projected;
    TN_TRY(tn_alloc(r->ctx, (size_t)B, sizeof *projected, &projected));
    tn_status status = tn_alloc(r->ctx, (size_t)s->period, sizeof **out, out);
    memcpy(projected, s->steps + B, (size_t)B * sizeof *projected);
    for (int64_t i = 0; i < 2 * s->period && status == TN_OK; i++)
        (*out)[i % s->period] = work_of(r, s, i % s->period, projected);
    tn_free(r->ctx, projected);
    return status;
}

static double flops_of(const tn_row_work *works, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += works[i].flops;
    return sum / (double)count;
}

static tn_status run_mine(tn_device *dev, void *data) {
    decoding_run *r = data;
    (void)dev;
    for (int i = 0; i < r->mine; i++)
        TN_TRY(tn_decoding_run_span(r, &r->sides[i]));
    return TN_OK;
}

static tn_status run_dense(tn_device *dev, void *data) {
    decoding_run *r = data;
    (void)dev;
    return tn_decoding_run_span(r, &r->sides[r->mine]);
}

/* Of a span into those of a step. */
static void per_step(tn_sample *s, double steps) {
    double *const all[] = {&s->wall_ms,  &s->q1_ms,         &s->q3_ms,
                           &s->event_ms, &s->energy.joules, &s->energy.net_joules};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        *all[i] /= steps;
    s->launches = (int)lround(s->launches / steps);
    s->copies = (int)lround(s->copies / steps);
    s->waits = (int)lround(s->waits / steps);
}

static void raw_per_step(tn_raw *raw, double steps) {
    for (int i = 0; i < raw->wall; i++)
        raw->wall_ms[i] /= steps;
    if (raw->event)
        raw->event_ms[0] /= steps;
}

static tn_status time_dense(decoding_run *r, const tn_bench_options *o, double steps, double flops,
                            tn_sample *alone, tn_cost_row *row) {
    tn_pair_sample pair;
    tn_row_work *dense;
    tn_measure_options measure = {.seconds = o->seconds > 0 ? 2 * o->seconds : 0.8, .raw = o->raw};
    TN_TRY(tn_measure_pair(r->dev, run_mine, r, run_dense, r, &measure, &pair));
    per_step(&pair.a, steps);
    pair.ratio *= steps;
    pair.ratio_q1 *= steps;
    pair.ratio_q3 *= steps;
    TN_TRY(works_of(r, &r->sides[r->mine], &dense));
    tn_row_set_dense(row, &pair, flops_of(dense, 1) / flops, alone);
    tn_free(r->ctx, dense);
    return TN_OK;
}

/* Of what is timed; a masked layer runs one step after the other. */
static tn_status works_of_mine(const decoding_run *r, tn_row_work **out) {
    tn_row_work *more;
    TN_TRY(works_of(r, &r->sides[0], out));
    if (r->mine == 1)
        return TN_OK;
    TN_TRY(works_of(r, &r->sides[1], &more));
    (*out)->flops += more->flops;
    (*out)->bytes += more->bytes;
    tn_free(r->ctx, more);
    return TN_OK;
}

static int by_size(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void set_own_columns(decoding_run *r, tn_cost_row *row) {
    const int64_t B = r->shape->B;
    qsort(r->contexts, (size_t)B, sizeof *r->contexts, by_size);
    row->context_min = r->contexts[0];
    row->context_median = r->contexts[B / 2];
    row->state_bytes = tn_decoding_run_bytes(r);
    row->tokens_per_s = 1e3 * (double)B / row->wall_ms;
    snprintf(row->verified, sizeof row->verified, r->sampled ? "sampled outputs" : "outputs");
}

static tn_status time_it(decoding_run *r, const tn_bench_options *o, tn_cost_row *row) {
    const int64_t period = r->sides[0].period;
    tn_measure_options measure = {.seconds = o->seconds, .energy = o->energy, .raw = o->raw};
    tn_sample alone;
    tn_row_work *works = NULL;
    tn_status status = TN_OK;
    TN_GO(works_of_mine(r, &works));
    TN_GO(tn_measure(r->dev, run_mine, r, &measure, &alone));
    per_step(&alone, (double)period);
    if (r->count > r->mine)
        TN_GO(time_dense(r, o, (double)period, flops_of(works, period), &alone, row));
    if (o->raw)
        raw_per_step(o->raw, (double)period);
    tn_row_set_choice(row, r->dev, tn_decode_step_op.name);
    tn_row_set_works(row, &alone, works, (size_t)period, o->roofline);
    set_own_columns(r, row);
cleanup:
    tn_free(r->ctx, works);
    return status;
}

void tn_decoding_identify(const tn_decoding_shape *s, tn_cost_row *row) {
    snprintf(row->level, sizeof row->level, "decode");
    snprintf(row->op, sizeof row->op, "mixer");
    snprintf(row->pass, sizeof row->pass, "token");
    snprintf(row->mixer, sizeof row->mixer, "%s", s->mixer);
    snprintf(row->schedule, sizeof row->schedule, "%s",
             s->masked      ? tn_execution_name(TN_EXECUTION_MASKED)
             : is_routed(s) ? "compacted"
                            : "dense");
    row->B = s->B;
    row->context = s->context;
    snprintf(row->contexts, sizeof row->contexts, s->ragged ? "ragged" : "equal");
    row->D = s->D;
    row->H = s->H;
    row->Dh = s->H > 0 ? s->D / s->H : -1;
    row->K = s->K;
    row->rho = is_routed(s) ? s->rho : NAN;
}

tn_status tn_decoding_fill(tn_device *dev, const tn_decoding_shape *shape, const tn_bench_options *o,
                           tn_cost_row *row) {
    decoding_run r = {.ctx = tn_device_context(dev), .dev = dev, .shape = shape, .seed = o->seed};
    tn_status status = TN_OK;
    TN_TRY(tn_decoding_check(r.ctx, shape));
    if (o->evict)
        return tn_fail(
            r.ctx, TN_ERR_ARG,
            "cold caches: a span of decoding is many tokens, and only its first would find them so");
    TN_GO(tn_decoding_run_make(&r));
    TN_GO(tn_decoding_run_check(&r));
    TN_GO(time_it(&r, o, row));
cleanup:
    tn_decoding_run_free(&r);
    return status;
}

tn_status tn_decoding_measure(tn_device *dev, const tn_decoding_shape *shape, const tn_bench_options *o,
                              tn_cost_row *row) {
    tn_row_init(row);
    tn_row_set_device(row, tn_device_get_info(dev), o->cpu_model ? o->cpu_model : "");
    tn_decoding_identify(shape, row);
    tn_row_set_cache(row, false);
    snprintf(row->seed, sizeof row->seed, "%llu", (unsigned long long)o->seed);
    return tn_row_settle(row, tn_decoding_fill(dev, shape, o, row), tn_device_context(dev));
}
