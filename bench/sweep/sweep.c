#include "sweep.h"

#include "build.h"
#include "cell_child.h"
#include "clock.h"
#include "presets.h"
#include "samples.h"

#include <string.h>

/* The quick preset does not begin a call that would take longer than this at the rate attention reached on a
 * small shape. */
static const double quick_call_s = 0.8;
/* Once all cells have taken this long together it goes on with devices that have not had their share of it.
 */
static const double quick_cells_s = 140;

/* Of a device, or so many of its cores. */
typedef struct ceiling {
    const tn_device_info *info;
    int cores;
    tn_cell_ceilings is;
    double spent_s; /* on its cells in this run */
} ceiling;

typedef struct sweep {
    tn_context *ctx;
    const tn_sweep_options *o;
    tn_partial_file partial;
    tn_samples_file samples;
    tn_cell_list cells;
    ceiling *ceilings;
    size_t ceiling_count, ceiling_capacity;
    double start;
    size_t done, to_do;
} sweep;

static double seconds_of(const tn_sweep_options *o) {
    const tn_sweep_preset *preset = tn_sweep_preset_find(o->preset);
    return o->seconds > 0 ? o->seconds : preset ? preset->seconds : 0.4;
}

/* Seconds of a cell beside its timing, and how often it is timed: a layer and a model in turn with dense
 * attention. As found on two cores of a server's CPU. */
static const struct {
    const char *level;
    double alone_s, timings;
} costs[] = {{"op", 0.5, 1}, {"layer", 0.9, 3}, {"model", 1.5, 3}, {"decode", 0.9, 3}};

double tn_sweep_estimate(const tn_sweep_options *options, const tn_cell_list *cells) {
    double sum = 0;
    for (size_t i = 0; i < cells->count; i++)
        for (size_t k = 0; k < sizeof costs / sizeof costs[0]; k++)
            if (strcmp(costs[k].level, cells->items[i].level) == 0)
                sum += costs[k].alone_s + costs[k].timings * seconds_of(options);
    return sum;
}

tn_status tn_sweep_cells(tn_context *ctx, const tn_sweep_options *o, bool tell, tn_cell_list *out) {
    for (int i = 0; i < o->device_count; i++)
        TN_TRY(tn_cells_make(ctx, o->preset, &o->axes, o->devices[i], tell && i == 0, out));
    tn_cells_keep(out, &o->shard);
    return TN_OK;
}

static double timeout_of(const sweep *s) {
    return s->o->timeout_s > 0 ? s->o->timeout_s : 60;
}

static ceiling *ceiling_of(const sweep *s, const tn_sweep_cell *cell) {
    for (size_t i = 0; i < s->ceiling_count; i++)
        if (s->ceilings[i].info == cell->info && s->ceilings[i].cores == cell->cores)
            return &s->ceilings[i];
    return NULL;
}

/* One for every device and number of cores among the cells. */
static tn_status list_ceilings(sweep *s) {
    for (size_t i = 0; i < s->cells.count; i++) {
        const tn_sweep_cell *cell = &s->cells.items[i];
        if (ceiling_of(s, cell))
            continue;
        TN_TRY(
            tn_grow(s->ctx, &s->ceilings, &s->ceiling_capacity, s->ceiling_count + 1, sizeof *s->ceilings));
        s->ceilings[s->ceiling_count++] = (ceiling){.info = cell->info, .cores = cell->cores};
    }
    return TN_OK;
}

static tn_cell_child how_of(const sweep *s) {
    return (tn_cell_child){.program = s->o->program,
                           .seed = s->o->seed,
                           .seconds = seconds_of(s->o),
                           .timeout_s = timeout_of(s),
                           .no_energy = s->o->no_energy,
                           .samples = s->samples.stream != NULL,
                           .cpu_model = s->o->cpu_model};
}

/* Without them a row has no roofline_pct. */
static tn_status measure_ceilings(sweep *s, ceiling *c) {
    const tn_cell_child how = how_of(s);
    const tn_device_info *info = c->info;
    char reason[TN_CELL_REASON];
    if (s->cells.count && strcmp(s->cells.items[0].level, "test") == 0)
        return TN_OK;
    if (c->cores > 0)
        tn_progress(s->ctx, "%d:%d %s: measuring the ceilings of %d of its cores", info->platform,
                    info->index, info->name, c->cores);
    else
        tn_progress(s->ctx, "%d:%d %s: measuring its ceilings", info->platform, info->index, info->name);
    TN_TRY(tn_cell_child_ceilings(s->ctx, &how, info, c->cores, &c->is, reason));
    if (reason[0])
        tn_warn(s->ctx, "%s: its ceilings could not be measured, and rows have no roofline_pct: %s",
                info->name, reason);
    return TN_OK;
}

/* True, and a row, where the quick preset does not try: one call alone would take too long on this device, or
 * cells have and its own more than their share. */
static bool too_slow(const sweep *s, const tn_sweep_cell *cell, tn_cost_row *row) {
    const ceiling *c = ceiling_of(s, cell);
    char reason[200];
    double seconds =
               c->is.known && c->is.attention_rate > 0 ? tn_sweep_cell_flops(cell) / c->is.attention_rate : 0,
           spent = 0;
    for (size_t i = 0; i < s->ceiling_count; i++)
        spent += s->ceilings[i].spent_s;
    bool late = spent > quick_cells_s && c->spent_s * (double)s->ceiling_count > quick_cells_s;
    if (strcmp(s->o->preset, "quick") != 0 || (seconds <= quick_call_s && !late))
        return false;
    if (seconds > quick_call_s)
        snprintf(reason, sizeof reason,
                 "not tried: one call would take about %.0f s at the rate attention reaches here on a small "
                 "shape; --preset full tries it",
                 seconds);
    else
        snprintf(reason, sizeof reason,
                 "not tried: the quick preset's time is up, cells of this device have taken %.0f s of it; "
                 "--preset full tries it",
                 c->spent_s);
    tn_row_set_status(row, "timeout", reason);
    return true;
}

static tn_status run_cell(sweep *s, const tn_sweep_cell *cell, tn_cost_row *row) {
    const tn_cell_child how = how_of(s);
    char reason[TN_CELL_REASON], *samples = NULL;
    tn_cell_end end;
    tn_sweep_cell_identify(cell, s->o->seed, s->o->cpu_model, row);
    row->timing_s = seconds_of(s->o);
    if (too_slow(s, cell, row))
        return TN_OK;
    TN_TRY(tn_cell_child_run(s->ctx, &how, cell, &ceiling_of(s, cell)->is, row,
                             s->samples.stream ? &samples : NULL, &end, reason));
    tn_status status = TN_OK;
    if (end == TN_CELL_INTERRUPTED)
        status =
            tn_fail(s->ctx, TN_ERR_INTERRUPTED, "stopped with %zu of %zu rows done", s->done, s->cells.count);
    else if (end == TN_CELL_OTHER_BUILD)
        status =
            tn_fail(s->ctx, TN_ERR_INPUT,
                    "%s was built anew under way: it is turnout %s now and was %s; begin again, or go on "
                    "with the build that began",
                    s->o->program, reason, row->version);
    else if (samples)
        status = tn_samples_add(s->ctx, &s->samples, samples);
    tn_free(s->ctx, samples);
    return status;
}

static void show_progress(sweep *s, const tn_sweep_cell *cell, size_t measured) {
    char text[240], left[64] = "";
    tn_sweep_cell_describe(cell, text, sizeof text);
    if (measured >= 3) {
        double each = (tn_clock_seconds() - s->start) / (double)measured,
               rest = each * (double)(s->to_do - measured);
        snprintf(left, sizeof left, rest < 90 ? ", about %.0f s left" : ", about %.0f min left",
                 rest < 90 ? rest : rest / 60);
    }
    tn_progress(s->ctx, "%zu/%zu %d:%d %s%s", s->done + 1, s->cells.count, cell->info->platform,
                cell->info->index, text, left);
}

static tn_status keep_row(sweep *s, const tn_cost_row *row) {
    tn_row_list *list = s->o->rows;
    if (!list)
        return tn_partial_file_add(s->ctx, &s->partial, row);
    TN_TRY(tn_grow(s->ctx, &list->items, &list->capacity, list->count + 1, sizeof *list->items));
    list->items[list->count++] = *row;
    return TN_OK;
}

static tn_status run_all(sweep *s, tn_sweep_result *out) {
    size_t measured = 0;
    s->start = tn_clock_seconds();
    for (size_t i = 0; i < s->cells.count; i++) {
        tn_cost_row row;
        char key[1400];
        tn_sweep_cell_identify(&s->cells.items[i], s->o->seed, s->o->cpu_model, &row);
        tn_row_key(&row, key, sizeof key);
        if (tn_partial_file_has(&s->partial, key))
            continue;
        if (tn_interrupted())
            return tn_fail(s->ctx, TN_ERR_INTERRUPTED, "stopped with %zu of %zu rows done", s->done,
                           s->cells.count);
        show_progress(s, &s->cells.items[i], measured++);
        double before = tn_clock_seconds();
        TN_TRY(run_cell(s, &s->cells.items[i], &row));
        tn_shard_print(&s->o->shard, row.shard);
        ceiling_of(s, &s->cells.items[i])->spent_s += tn_clock_seconds() - before;
        TN_TRY(keep_row(s, &row));
        tn_row_count(&row, &out->tally);
        s->done++;
    }
    return TN_OK;
}

static tn_status check_seconds(const sweep *s) {
    const tn_partial_file *p = &s->partial;
    double now = seconds_of(s->o), slack = 1e-5 * now;
    if (p->key_count == 0 || (p->timing_least > now - slack && p->timing_most < now + slack))
        return TN_OK;
    double was = p->timing_least > now - slack ? p->timing_most : p->timing_least;
    char text[40] = "a time that they do not say";
    if (was > 0)
        snprintf(text, sizeof text, "--seconds %g", was);
    return tn_fail(
        s->ctx, TN_ERR_INPUT,
        "%s holds rows that were measured with %s, now it would be --seconds %g; give the same, move "
        "the file away, or choose another -o",
        p->finished ? p->path : p->partial, text, now);
}

/* A file holds one part of a grid, or the whole: what stands in it says which. */
static tn_status check_shard(const sweep *s) {
    const tn_partial_file *p = &s->partial;
    char now[TN_SHARD_TEXT];
    tn_shard_print(&s->o->shard, now);
    if (p->key_count == 0 || (!p->shards_differ && strcmp(p->shard, now) == 0))
        return TN_OK;
    return tn_fail(
        s->ctx, TN_ERR_INPUT,
        "%s holds rows of %s%s, now it would be %s%s; give the same, move the file away, or choose "
        "another -o",
        p->finished ? p->path : p->partial,
        p->shards_differ ? "several shards"
        : p->shard[0]    ? "shard "
                         : "a whole grid",
        p->shards_differ ? "" : p->shard, now[0] ? "shard " : "the whole grid", now);
}

/* Rows that were there and belong to no cell of this sweep, or were measured for another time: of another
 * one, which must not be mixed in. */
static tn_status check_kept(sweep *s, tn_sweep_result *out) {
    for (size_t i = 0; i < s->cells.count; i++) {
        tn_cost_row row;
        char key[1400];
        tn_sweep_cell_identify(&s->cells.items[i], s->o->seed, s->o->cpu_model, &row);
        tn_row_key(&row, key, sizeof key);
        out->kept += tn_partial_file_has(&s->partial, key);
    }
    if (s->partial.other_build[0])
        return tn_fail(s->ctx, TN_ERR_INPUT,
                       "%s holds rows of another sweep: turnout %s measured them, and this is %s; go on with "
                       "that build, "
                       "move the file away, or choose another -o",
                       s->partial.finished ? s->partial.path : s->partial.partial, s->partial.other_build,
                       tn_build_version());
    TN_TRY(check_shard(s));
    if ((size_t)out->kept != s->partial.key_count)
        return tn_fail(
            s->ctx, TN_ERR_INPUT,
            "%s holds rows of another sweep (other preset, axes, shard, seed, devices or driver); go on with "
            "the options it "
            "was begun with, move it away, or choose another -o",
            s->partial.finished ? s->partial.path : s->partial.partial);
    TN_TRY(check_seconds(s));
    out->tally = s->partial.kept;
    s->done = (size_t)out->kept;
    s->to_do = s->cells.count - s->done;
    return TN_OK;
}

static tn_status finish(sweep *s) {
    if (s->samples.stream)
        TN_TRY(tn_samples_finish(s->ctx, &s->samples));
    if (s->o->rows)
        return TN_OK;
    return tn_partial_file_finish(s->ctx, &s->partial);
}

/* The rows that there are come to stand under the file's own name; the partial file stays, to go on with. */
static tn_status stop(sweep *s, tn_status status) {
    if (s->o->rows)
        return status;
    static tn_context aside; /* static for its size; the message that counts is the one of what stopped it */
    aside = (tn_context){.quiet = s->ctx->quiet};
    bool kept = tn_partial_file_stop(&aside, &s->partial) == TN_OK;
    if (status != TN_ERR_INTERRUPTED || s->partial.spare || !s->partial.partial)
        return status;
    tn_fail_prefix(s->ctx,
                   kept ? "%s has the rows that are done, and the same command goes on"
                        : "%s keeps what is done, and the same command goes on",
                   kept ? s->partial.path : s->partial.partial);
    return status;
}

tn_status tn_sweep_run(tn_context *ctx, const tn_sweep_options *options, tn_sweep_result *out) {
    sweep s = {.ctx = ctx, .o = options};
    tn_status status = TN_OK;
    *out = (tn_sweep_result){0};
    TN_GO(tn_sweep_cells(ctx, options, true, &s.cells));
    tn_cells_shuffle(&s.cells, options->seed);
    TN_GO(list_ceilings(&s));
    if (!options->rows)
        TN_GO(tn_partial_file_open(ctx, options->path, options->format, &s.partial));
    out->cells = (int)s.cells.count;
    TN_GO(check_kept(&s, out));
    out->whole = s.to_do == 0 && s.partial.finished;
    if (out->whole && options->samples && !tn_file_exists(options->samples))
        status = tn_fail(ctx, TN_ERR_INPUT,
                         "%s is whole, but was measured without --samples %s; leave that out, move the file "
                         "away, or choose another -o",
                         s.partial.path, options->samples);
    if (out->whole)
        goto cleanup;
    TN_GO(tn_samples_open(ctx, options->samples, &s.partial, &s.samples));
    for (size_t i = 0; i < s.ceiling_count && s.to_do > 0; i++)
        TN_GO(measure_ceilings(&s, &s.ceilings[i]));
    status = run_all(&s, out);
    tn_progress_end(ctx);
    status = status == TN_OK ? finish(&s) : stop(&s, status);
cleanup:
    tn_samples_close(ctx, &s.samples);
    tn_partial_file_close(ctx, &s.partial);
    tn_cell_list_free(ctx, &s.cells);
    tn_free(ctx, s.ceilings);
    return status;
}
