#include "rows.h"

#include "build.h"
#include "clock.h"
#include "row_clear.h"
#include "tunable.h"
#include "utf8.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

void tn_row_init(tn_cost_row *row) {
    tn_row_clear(row);
    snprintf(row->schema, sizeof row->schema, "%s", TN_ROW_SCHEMA);
    snprintf(row->version, sizeof row->version, "%s", tn_build_version());
    snprintf(row->status, sizeof row->status, "ok");
    tn_clock_utc(row->utc, sizeof row->utc);
}

void tn_row_set_device(tn_cost_row *row, const tn_device_info *info, const char *cpu_model) {
    if (gethostname(row->host, sizeof row->host - 1) != 0)
        snprintf(row->host, sizeof row->host, "unknown");
    snprintf(row->cpu, sizeof row->cpu, "%s", cpu_model);
    snprintf(row->platform, sizeof row->platform, "%s", info->platform_name);
    snprintf(row->device, sizeof row->device, "%s", info->name);
    snprintf(row->driver, sizeof row->driver, "%s", info->driver);
    snprintf(row->kind, sizeof row->kind, "%s", tn_device_kind_name(info->kind));
    snprintf(row->pci, sizeof row->pci, "%s", info->pci);
    row->compute_units = info->compute_units;
    snprintf(row->selector, sizeof row->selector, "%d:%d", info->platform, info->index);
}

void tn_row_set_cache(tn_cost_row *row, bool cold) {
    snprintf(row->cache, sizeof row->cache, cold ? "cold" : "warm");
}

void tn_row_set_choice(tn_cost_row *row, const tn_device *dev, const char *op) {
    const tn_variant *ran = op ? tn_variant_ran(dev, op) : NULL;
    snprintf(row->tuned, sizeof row->tuned, "%s", tn_tunable_source_name(tn_tunable_source_of(dev, op)));
    snprintf(row->variant, sizeof row->variant, "%s", ran ? ran->name : "");
}

static int dim(const tn_case *c, const char *name) {
    for (int i = 0; c->dims[i]; i++)
        if (strcmp(c->dims[i], name) == 0)
            return i;
    return -1;
}

void tn_row_set_shape(tn_cost_row *row, const tn_case *c, const tn_shape *shape) {
    const struct {
        const char *name;
        int64_t *value;
    } known[] = {{"B", &row->B}, {"T", &row->T},   {"D", &row->D},
                 {"H", &row->H}, {"Dh", &row->Dh}, {"K", &row->K}};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        int i = dim(c, known[k].name);
        /* K means taps only beside positions: a matrix product's K is a depth and stays in `shape` */
        if (i >= 0 && (strcmp(known[k].name, "K") != 0 || dim(c, "T") >= 0))
            *known[k].value = shape->v[i];
    }
    if (row->D < 0 && row->H > 0 && row->Dh > 0)
        row->D = row->H * row->Dh;
    tn_shape_print(c, shape, row->shape, sizeof row->shape);
}

/* A sample that was not asked for energy has none, nor a source. */
static void set_energy(tn_cost_row *row, const tn_energy_result *energy) {
    bool asked = energy->source[0] != '\0';
    if (energy->ok)
        row->energy_j = energy->joules;
    if (energy->net_ok)
        row->energy_net_j = energy->net_joules;
    if (asked)
        row->idle_w = energy->idle_watts;
    snprintf(row->energy_source, sizeof row->energy_source, "%s",
             asked ? energy->source : "unmeasured: not asked for");
}

/* Past this share of the ceiling a row claims what the device cannot do. */
static const double most_pct = 105;

/* The least time of the works, one with the other, as percent of `seconds`. */
static double share_of_roof(const tn_row_work *works, size_t count, double seconds, const tn_roofline *r) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += tn_roofline_pct(r, works[i].flops, works[i].bytes, seconds);
    return sum / (double)count;
}

static void hold_to_roof(tn_cost_row *row, const tn_row_work *works, size_t count, tn_roofline *r) {
    char reason[300];
    const double seconds = 1e-3 * row->wall_ms;
    row->roofline_pct = share_of_roof(works, count, seconds, r);
    while (row->roofline_pct > most_pct && tn_roofline_again(r))
        row->roofline_pct = share_of_roof(works, count, seconds, r);
    if (!(row->roofline_pct > most_pct))
        return;
    bool arithmetic = row->flops / r->flops > row->bytes / tn_roofline_bandwidth(r, row->bytes);
    snprintf(
        reason, sizeof reason,
        "%.0f %% of the measured ceiling, %.4g %s: more than the device can do. Either less was done than "
        "the row counts, or the time is wrong, or the ceiling was measured beside other work: run it again "
        "on a quiet machine",
        row->roofline_pct, 1e-9 * (arithmetic ? r->flops : tn_roofline_bandwidth(r, row->bytes)),
        arithmetic ? "GFLOP/s" : "GB/s");
    tn_row_set_status(row, "error", reason);
}

void tn_row_set_sample(tn_cost_row *row, const tn_sample *sample, double flops, double bytes,
                       tn_roofline *roofline) {
    tn_row_set_works(row, sample, &(tn_row_work){flops, bytes}, 1, roofline);
}

void tn_row_set_works(tn_cost_row *row, const tn_sample *sample, const tn_row_work *works, size_t count,
                      tn_roofline *roofline) {
    double seconds = 1e-3 * sample->wall_ms, flops = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        flops += works[i].flops / (double)count;
        bytes += works[i].bytes / (double)count;
    }
    row->n = sample->n;
    row->wall_ms = sample->wall_ms;
    row->wall_ms_q1 = sample->q1_ms;
    row->wall_ms_q3 = sample->q3_ms;
    if (sample->launches > 0) {
        row->event_ok = sample->event_ok;
        row->event_ms = sample->event_ok ? sample->event_ms : NAN;
        row->event_ms_launches = sample->launches;
        row->copies = sample->copies;
        row->waits = sample->waits;
        row->outside_kernels_pct = sample->event_ok ? 100 * sample->outside : NAN;
    }
    row->flops = flops;
    row->bytes = bytes;
    row->drift_pct = 100 * sample->drift;
    if (seconds > 0) {
        row->gflops = 1e-9 * flops / seconds;
        row->gbs = 1e-9 * bytes / seconds;
        if (roofline && roofline->flops > 0 && (flops > 0 || bytes > 0))
            hold_to_roof(row, works, count, roofline);
    }
    set_energy(row, &sample->energy);
}

void tn_row_set_pair(tn_cost_row *row, const tn_pair_sample *pair) {
    row->peer_wall_ms = pair->b.wall_ms;
    row->peer_ratio = pair->ratio;
    row->peer_ratio_q1 = pair->ratio_q1;
    row->peer_ratio_q3 = pair->ratio_q3;
}

void tn_row_set_dense(tn_cost_row *row, const tn_pair_sample *pair, double ideal, tn_sample *alone) {
    alone->n = pair->a.n;
    alone->wall_ms = pair->a.wall_ms;
    alone->q1_ms = pair->a.q1_ms;
    alone->q3_ms = pair->a.q3_ms;
    row->dense_wall_ms = pair->b.wall_ms;
    row->dense_ratio = pair->ratio;
    row->dense_ratio_q1 = pair->ratio_q1;
    row->dense_ratio_q3 = pair->ratio_q3;
    row->ideal_ratio = ideal;
    row->share_of_ideal_pct = 100 * pair->ratio / ideal;
}

bool tn_row_past_roof(const tn_cost_row *row) {
    return row->roofline_pct > most_pct;
}

void tn_row_set_status(tn_cost_row *row, const char *status, const char *reason) {
    if (strcmp(status, "ok") == 0 && tn_row_past_roof(row))
        return; /* a remark does not make it right */
    snprintf(row->status, sizeof row->status, "%s", status);
    snprintf(row->reason, sizeof row->reason, "%.*s", (int)sizeof row->reason - 1, reason ? reason : "");
    tn_utf8_clean(row->reason); /* line breaks, too: a row is one line */
}

void tn_row_set_failure(tn_cost_row *row, tn_status failure, const char *message) {
    tn_row_set_status(
        row, failure == TN_ERR_UNSUPPORTED || failure == TN_ERR_MEMORY ? "unsupported" : "error", message);
}

tn_status tn_row_settle(tn_cost_row *row, tn_status status, const tn_context *ctx) {
    if (status == TN_ERR_INTERRUPTED || status == TN_ERR_ARG)
        return status;
    if (status != TN_OK && tn_interrupted()) /* a driver's compiler may have been cut off: no result */
        return TN_ERR_INTERRUPTED;
    if (status != TN_OK)
        tn_row_set_failure(row, status, ctx->message);
    return TN_OK;
}
