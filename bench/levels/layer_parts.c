#include "layer_parts.h"

#include "clock.h"
#include "pairs.h"
#include "routed_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[TN_PARTS] = {
    [TN_PART_CONV_TRACK] = "conv_track",   [TN_PART_NORM] = "norm",
    [TN_PART_ROUTER] = "router",           [TN_PART_COMPACTION] = "compaction",
    [TN_PART_CONVOLUTION] = "convolution", [TN_PART_CONVOLUTION_OUT] = "convolution_out",
    [TN_PART_GATHER] = "gather",           [TN_PART_PROJECTIONS] = "projections",
    [TN_PART_ATTENTION] = "attention",     [TN_PART_OUTPUT] = "output",
    [TN_PART_SCATTER] = "scatter",
};

const char *tn_layer_part_name(tn_mixer_part part) {
    return names[part];
}

tn_status tn_layer_parts_parse(tn_context *ctx, const char *text, tn_layer_shape *out) {
    *out = (tn_layer_shape){
        .B = 1, .T = 4096, .D = 64, .K = 4, .rho = 0.01, .mixer = "routed", .pass = "forward"};
    tn_pair_field fields[] = {{.name = "B", .whole = &out->B, .low = 1, .high = INT32_MAX},
                              {.name = "T", .whole = &out->T, .low = 1, .high = INT32_MAX},
                              {.name = "D", .whole = &out->D, .low = 1, .high = INT32_MAX},
                              {.name = "H", .whole = &out->H, .low = 1, .high = INT32_MAX},
                              {.name = "K", .whole = &out->K, .low = 1, .high = INT32_MAX},
                              {.name = "rho", .real = &out->rho, .low = 1e-9, .high = 1}};
    TN_TRY(tn_pairs_read(ctx, "shape of a layer", text, fields, sizeof fields / sizeof fields[0]));
    if (out->H == 0)
        out->H = out->D < 128 ? 2 : out->D / 64;
    return out->D % out->H == 0
               ? TN_OK
               : tn_fail(
                     ctx, TN_ERR_ARG,
                     "shape of a layer: a width of D=%lld is no multiple of its H=%lld heads; for example "
                     "D=64,H=2",
                     (long long)out->D, (long long)out->H);
}

enum {
    CALLS = 32 /* of a batch at most */,
    LEAST = 9,
    ROUNDS = 129,
    LAUNCH = TN_PARTS,
    COLUMNS = TN_PARTS + 1
};

/* Rounds of a plain batch of the whole and one of its parts with events, so that drift touches both alike. */
typedef struct rounds {
    tn_device *dev;
    tn_layer *layer;
    int calls, n;
    double whole[ROUNDS]; /* ms of a call by the clock */
    double parts[COLUMNS]
                [ROUNDS]; /* ms of a call in which a part's kernels ran; in LAUNCH those in which none did */
} rounds;

/* The parts in their order give the bits of the whole, which is held against the reference, on buffers that
 * hold another input's: no launch is missing, and what is checked of the whole is checked of each part. */
static tn_status check_parts(tn_device *dev, tn_layer *layer, size_t bytes) {
    tn_context *ctx = tn_device_context(dev);
    char *whole = NULL, *parts = NULL;
    tn_status status = TN_OK;
    TN_GO(tn_alloc(ctx, bytes, 1, &whole));
    TN_GO(tn_alloc(ctx, bytes, 1, &parts));
    TN_GO(tn_layer_forward(dev, layer));
    TN_GO(tn_buffer_read(tn_layer_output(layer), 0, bytes, whole));
    TN_GO(tn_layer_forward_other(layer));
    TN_GO(tn_layer_parts_run(layer));
    TN_GO(tn_buffer_read(tn_layer_output(layer), 0, bytes, parts));
    if (memcmp(whole, parts, bytes) != 0)
        status = tn_fail(ctx, TN_ERR_CHECK, "the parts of the routed layer do not give what the whole gives");
cleanup:
    tn_free(ctx, parts);
    tn_free(ctx, whole);
    return status;
}

static void identify(tn_device *dev, const tn_layer_shape *s, const tn_bench_options *o, const char *part,
                     tn_cost_row *row) {
    tn_row_init(row);
    tn_row_set_device(row, tn_device_get_info(dev), o->cpu_model ? o->cpu_model : "");
    snprintf(row->level, sizeof row->level, "layer");
    snprintf(row->op, sizeof row->op, "routed_layer");
    snprintf(row->pass, sizeof row->pass, "%s", s->pass);
    snprintf(row->mixer, sizeof row->mixer, "%s", s->mixer);
    snprintf(row->schedule, sizeof row->schedule, "compacted");
    snprintf(row->seed, sizeof row->seed, "%llu", (unsigned long long)o->seed);
    snprintf(row->part, sizeof row->part, "%s", part);
    row->B = s->B;
    row->T = s->T;
    row->D = s->D;
    row->H = s->H;
    row->Dh = s->D / s->H;
    row->K = s->K;
    row->rho = (double)tn_routed_rows(s->rho, s->T) / (double)s->T;
}

static tn_status plain_batch(rounds *r, int calls, double *ms) {
    TN_TRY(tn_device_finish(r->dev));
    double start = tn_clock_seconds();
    for (int i = 0; i < calls; i++)
        TN_TRY(tn_layer_forward(r->dev, r->layer));
    TN_TRY(tn_device_finish(r->dev));
    *ms = 1e3 * (tn_clock_seconds() - start) / calls;
    return TN_OK;
}

static tn_status parts_queue(rounds *r, int *ends) {
    for (int i = 0; i < r->calls * TN_PARTS; i++) {
        TN_TRY(tn_layer_part(r->layer, i % TN_PARTS));
        ends[i] = tn_device_profile_launches(r->dev);
    }
    return tn_device_finish(r->dev);
}

static tn_status parts_batch(rounds *r) {
    int ends[CALLS * TN_PARTS] = {0};
    double seconds[CALLS * TN_PARTS];
    TN_TRY(tn_device_finish(r->dev));
    TN_TRY(tn_device_profile_begin(r->dev));
    double start = tn_clock_seconds();
    tn_status status = parts_queue(r, ends);
    double left = (tn_clock_seconds() - start) * 1e3 / r->calls;
    tn_status ended = tn_device_profile_end_split(r->dev, ends, r->calls * TN_PARTS, seconds);
    TN_TRY(status);
    TN_TRY(ended);
    for (int part = 0; part < TN_PARTS; part++) {
        double sum = 0;
        for (int i = 0; i < r->calls; i++)
            sum += seconds[i * TN_PARTS + part];
        r->parts[part][r->n] = 1e3 * sum / r->calls;
        left -= r->parts[part][r->n];
    }
    r->parts[LAUNCH][r->n] = left;
    return TN_OK;
}

static tn_status run_rounds(rounds *r, double seconds) {
    double once, start = tn_clock_seconds();
    TN_TRY(plain_batch(r, 1, &once));
    r->calls = once < 5 ? (int)fmin(CALLS, ceil(5 / once)) : 1;
    TN_TRY(parts_batch(r)); /* warm-up: its numbers are written over */
    for (; r->n < ROUNDS && (r->n < LEAST || tn_clock_seconds() - start < seconds); r->n++) {
        if (tn_interrupted())
            return tn_fail(tn_device_context(r->dev), TN_ERR_INTERRUPTED,
                           "stopped while timing a layer's parts");
        TN_TRY(plain_batch(r, r->calls, &r->whole[r->n]));
        TN_TRY(parts_batch(r));
    }
    return TN_OK;
}

static void set_times(tn_cost_row *row, const double *ms, int n) {
    double sorted[ROUNDS];
    tn_summary summary;
    memcpy(sorted, ms, sizeof *ms * (size_t)n);
    tn_summarise(sorted, n, &summary);
    row->n = n;
    row->wall_ms = summary.median;
    row->wall_ms_q1 = summary.q1;
    row->wall_ms_q3 = summary.q3;
}

static double middle(const double *ms, int n) {
    tn_cost_row row;
    set_times(&row, ms, n);
    return row.wall_ms;
}

/* Work, rates and energy of the whole from a measurement of its own; its times are those of the rounds. */
static tn_status fill_whole(const rounds *r, const tn_bench_options *o, tn_cost_row *row) {
    tn_sample sample;
    double flops, bytes;
    const char *keys;
    tn_measure_options options = {.seconds = o->seconds, .energy = o->energy, .raw = o->raw};
    TN_TRY(tn_measure(r->dev, tn_layer_forward, r->layer, &options, &sample));
    if (!sample.event_ok)
        return tn_fail(
            tn_device_context(r->dev), TN_ERR_UNSUPPORTED,
            "event times are not to be believed on this device, and the parts are told apart by them");
    set_times(row, r->whole, r->n);
    sample.n = r->n;
    sample.wall_ms = row->wall_ms;
    sample.q1_ms = row->wall_ms_q1;
    sample.q3_ms = row->wall_ms_q3;
    if (o->raw) {
        o->raw->wall = r->n;
        memcpy(o->raw->wall_ms, r->whole, sizeof r->whole[0] * (size_t)r->n);
    }
    TN_TRY(tn_layer_work(r->layer, &flops, &bytes, &keys));
    snprintf(row->keys, sizeof row->keys, "%s", keys);
    tn_row_set_sample(row, &sample, flops, bytes, o->roofline);
    return TN_OK;
}

static tn_status fill(const rounds *r, const tn_layer_shape *s, const tn_bench_options *o, tn_cost_row *rows,
                      int *count) {
    double sum = 0;
    char text[120];
    TN_TRY(fill_whole(r, o, &rows[0]));
    *count = 1;
    for (int i = 0; i < COLUMNS; i++) {
        double ms = middle(r->parts[i], r->n);
        if (i != LAUNCH && ms == 0)
            continue; /* no launch of its own: a step of a fused conv_track, or that where it is composed */
        tn_cost_row *row = &rows[(*count)++];
        identify(r->dev, s, o, i == LAUNCH ? "launch" : names[i], row);
        set_times(row, r->parts[i], r->n);
        row->event_ms = i == LAUNCH ? NAN : row->wall_ms;
        row->event_ok = i == LAUNCH ? -1 : 1;
        if (!(row->wall_ms > 0))
            tn_row_set_status(row, "unsupported",
                              "its event times add up to nothing, or to more than the clock's");
        sum += row->wall_ms;
    }
    for (int i = 0; i < *count; i++) {
        tn_row_set_choice(&rows[i], r->dev, NULL);
        snprintf(rows[i].verified, sizeof rows[i].verified, "%s", tn_layer_verified(r->layer));
    }
    snprintf(text, sizeof text, "its parts add up to %.0f %% of it", 100 * sum / rows[0].wall_ms);
    if (!(fabs(sum - rows[0].wall_ms) <= 0.1 * rows[0].wall_ms))
        tn_row_set_status(&rows[0], "ok", text);
    return TN_OK;
}

static tn_status measure(tn_device *dev, const tn_layer_shape *s, const tn_bench_options *o,
                         tn_cost_row *rows, int *count) {
    tn_context *ctx = tn_device_context(dev);
    rounds *r = NULL;
    tn_layer *layer;
    tn_status status = TN_OK;
    TN_TRY(tn_layer_open(dev, s, o->seed, &layer));
    TN_GO(check_parts(dev, layer, (size_t)(s->B * s->T * s->D) * sizeof(float)));
    TN_GO(tn_alloc(ctx, 1, sizeof *r, &r));
    r->dev = dev;
    r->layer = layer;
    TN_GO(run_rounds(r, o->seconds > 0 ? 2 * o->seconds : 0.8));
    TN_GO(fill(r, s, o, rows, count));
cleanup:
    tn_free(ctx, r);
    tn_layer_close(layer);
    return status;
}

tn_status tn_layer_parts_measure(tn_device *dev, const tn_layer_shape *shape, const tn_bench_options *options,
                                 tn_cost_row *rows, int *count) {
    *count = 1;
    identify(dev, shape, options, "whole", &rows[0]);
    return tn_row_settle(&rows[0], measure(dev, shape, options, rows, count), tn_device_context(dev));
}
