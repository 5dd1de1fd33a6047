#include "report_data.h"

#include "bits_table.h"
#include "breakeven.h"
#include "build.h"
#include "clock.h"
#include "paying.h"
#include "report_paths.h"
#include "report_routes.h"
#include "text_file.h"
#include "verdict.h"

#include <math.h>
#include <string.h>

static json_t *real_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *number_json(const tn_csv *t, size_t row, int column) {
    double value;
    return tn_csv_number(t, row, column, &value) ? json_real(value) : json_null();
}

/* A cell: a number where it is one, null where it is empty, else its text. */
static json_t *cell_json(const tn_csv *t, size_t row, int column) {
    double value;
    if (tn_csv_number(t, row, column, &value))
        return json_real(value);
    const char *text = tn_csv_text(t, row, column);
    return *text ? json_string(text) : json_null();
}

static const char *text_of(const tn_csv *t, size_t row, const char *name) {
    return tn_csv_text(t, row, tn_csv_column(t, name));
}

/* The named columns of a row as an object (NULL-ended); the device with its cores and caches. */
static json_t *row_json(const tn_csv *t, size_t row, const char *const *names) {
    char device[TN_CSV_DEVICE];
    json_t *object = json_object();
    tn_csv_device(t, row, device, sizeof device);
    for (; *names; names++)
        json_object_set_new(object, *names,
                            strcmp(*names, "device") == 0 ? json_string(device)
                                                          : cell_json(t, row, tn_csv_column(t, *names)));
    return object;
}

/* ---- devices ---- */

static const char *const device_names[] = {"platform", "device", "driver", "kind",    "compute_units",
                                           "pci",      "host",   "cpu",    "version", NULL};

static json_t *find_device(json_t *devices, const json_t *row) {
    size_t i;
    json_t *device;
    json_array_foreach(devices, i, device) {
        bool same = true;
        for (const char *const *name = device_names; *name && same; name++)
            same = json_equal(json_object_get(device, *name), json_object_get(row, *name));
        if (same)
            return device;
    }
    return NULL;
}

static void count_up(json_t *object, const char *name) {
    json_object_set_new(object, name, json_integer(json_integer_value(json_object_get(object, name)) + 1));
}

/* "" where memory lacked for it, which whoever writes the page finds out. */
static const char *said(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* Devices with first and last moment of measuring, and how many rows did and did not come out. */
static json_t *devices_json(const tn_inputs *in) {
    static const char *const counted[] = {[TN_ROW_USED] = "rows_ok",
                                          [TN_ROW_NOT_MEASURED] = "rows_failed",
                                          [TN_ROW_PAST_CEILING] = "rows_unused",
                                          [TN_ROW_DAMAGED] = "rows_unused"};
    json_t *devices = json_array();
    for (size_t f = 0; f < in->cost_count; f++) {
        const tn_csv *t = &in->costs[f];
        for (size_t row = 0; row < t->rows; row++) {
            json_t *fresh = row_json(t, row, device_names), *device = find_device(devices, fresh);
            const char *utc = text_of(t, row, "utc");
            if (!device) {
                json_array_append(devices, fresh);
                device = fresh;
                json_object_set_new(device, "first", json_string(utc));
                json_object_set_new(device, "last", json_string(utc));
            }
            if (strcmp(utc, said(device, "first")) < 0)
                json_object_set_new(device, "first", json_string(utc));
            if (strcmp(utc, said(device, "last")) > 0)
                json_object_set_new(device, "last", json_string(utc));
            count_up(device, counted[tn_csv_use(t, row)]);
            json_decref(fresh);
        }
    }
    return devices;
}

/* ---- runs ---- */

static json_t *metrics_json(const tn_csv *t) {
    if (!t->ctx)
        return json_null();
    json_t *object = json_object(), *columns = json_array(), *rows = json_array();
    for (size_t c = 0; c < t->columns; c++)
        json_array_append_new(columns, json_string(tn_csv_name(t, c)));
    for (size_t row = 0; row < t->rows; row++) {
        json_t *cells = json_array();
        for (size_t c = 0; c < t->columns; c++)
            json_array_append_new(cells, number_json(t, row, (int)c));
        json_array_append_new(rows, cells);
    }
    json_object_set_new(object, "columns", columns);
    json_object_set_new(object, "rows", rows);
    return object;
}

static tn_status runs_json(const tn_inputs *in, json_t *runs) {
    for (size_t i = 0; i < in->run_count; i++) {
        const tn_run *run = &in->runs[i];
        json_t *object = json_object(), *routes;
        json_array_append_new(runs, object);
        json_object_set_new(object, "name", tn_text_json(run->name));
        json_object_set_new(object, "path", tn_text_json(run->path));
        json_object_set(object, "config", run->config ? run->config : json_null());
        json_object_set(object, "summary", run->summary ? run->summary : json_null());
        json_object_set_new(object, "metrics", metrics_json(&run->metrics));
        TN_TRY(tn_routes_json(&run->routes, &routes));
        json_object_set_new(object, "routes", routes);
    }
    return TN_OK;
}

/* ---- break-evens ---- */

static json_t *points_json(const tn_breakeven *b) {
    json_t *points = json_array();
    for (size_t i = 0; i < b->count; i++) {
        const tn_breakeven_point *p = &b->points[i];
        json_t *object = json_object();
        json_object_set_new(object, "rho", real_json(p->rho));
        json_object_set_new(object, "wall_ms", real_json(p->wall_ms));
        json_object_set_new(object, "wall_ms_q1", real_json(p->wall_ms_q1));
        json_object_set_new(object, "wall_ms_q3", real_json(p->wall_ms_q3));
        json_object_set_new(object, "dense_ms", real_json(p->dense_ms));
        json_object_set_new(object, "speedup", real_json(p->speedup));
        json_object_set_new(object, "speedup_q1", real_json(p->speedup_q1));
        json_object_set_new(object, "speedup_q3", real_json(p->speedup_q3));
        json_object_set_new(object, "blocks_speedup", real_json(p->blocks_speedup));
        json_object_set_new(object, "ideal", real_json(p->ideal));
        json_object_set_new(object, "share_pct", real_json(p->share_pct));
        json_array_append_new(points, object);
    }
    return points;
}

static void set_bound(json_t *object, const tn_breakeven_bound *bound) {
    static const char *const verdicts[] = {"found", "always", "never"};
    char text[32];
    tn_breakeven_text(bound, text, sizeof text);
    json_object_set_new(object, "verdict", json_string(verdicts[bound->kind]));
    json_object_set_new(object, "rho", real_json(bound->rho));
    json_object_set_new(object, "text", json_string(text));
}

static json_t *bound_json(const tn_breakeven_bound *bound) {
    json_t *object = json_object();
    set_bound(object, bound);
    return object;
}

/* Null without quartiles. */
static json_t *interval_json(const tn_breakeven *b) {
    if (!b->has_interval)
        return json_null();
    json_t *object = json_object();
    json_object_set_new(object, "low", bound_json(&b->low));
    json_object_set_new(object, "high", bound_json(&b->high));
    return object;
}

static json_t *breakeven_json(const tn_breakeven *b) {
    char interval[80];
    tn_breakeven_interval_text(b, interval, sizeof interval);
    json_t *object = json_object();
    json_object_set_new(object, "file", tn_text_json(b->file));
    json_object_set_new(object, "platform", json_string(b->platform));
    json_object_set_new(object, "device", json_string(b->device));
    json_object_set_new(object, "schedule", json_string(b->execution));
    json_object_set_new(object, "B", real_json(b->B));
    json_object_set_new(object, "T", real_json(b->T));
    json_object_set_new(object, "D", real_json(b->D));
    json_object_set_new(object, "H", real_json(b->H));
    json_object_set_new(object, "K", real_json(b->K));
    json_object_set_new(object, "context", real_json(b->context));
    json_object_set_new(object, "contexts", *b->contexts ? json_string(b->contexts) : json_null());
    set_bound(object, &b->even);
    json_object_set_new(object, "masked_speedup", real_json(b->masked_speedup));
    json_object_set_new(object, "compact",
                        isfinite(b->masked_speedup) ? bound_json(&b->compact) : json_null());
    json_object_set_new(object, "skip", b->has_blocks ? bound_json(&b->skip) : json_null());
    json_object_set_new(object, "interval", interval_json(b));
    json_object_set_new(object, "interval_text", json_string(interval));
    json_object_set_new(object, "points", points_json(b));
    return object;
}

static json_t *paying_json(const tn_paying *p) {
    static const char *const verdicts[] = {"found", "always", "never"};
    char text[32];
    json_t *object = json_object(), *points = json_array();
    tn_paying_text(&p->from, text, sizeof text);
    for (size_t i = 0; i < p->count; i++)
        json_array_append_new(points, json_pack("{s:f, s:f}", "context", p->points[i].context, "speedup",
                                                p->points[i].speedup));
    json_object_set_new(object, "file", tn_text_json(p->of->file));
    json_object_set_new(object, "platform", json_string(p->of->platform));
    json_object_set_new(object, "device", json_string(p->of->device));
    json_object_set_new(object, "B", real_json(p->of->B));
    json_object_set_new(object, "D", real_json(p->of->D));
    json_object_set_new(object, "H", real_json(p->of->H));
    json_object_set_new(object, "K", real_json(p->of->K));
    json_object_set_new(object, "contexts", json_string(p->of->contexts));
    json_object_set_new(object, "rho", real_json(p->rho));
    json_object_set_new(object, "verdict", json_string(verdicts[p->from.kind]));
    json_object_set_new(object, "context", real_json(p->from.context));
    json_object_set_new(object, "text", json_string(text));
    json_object_set_new(object, "points", points);
    return object;
}

static tn_status breakevens_json(const tn_inputs *in, json_t *array, json_t *paying) {
    tn_breakevens found = {.ctx = in->ctx};
    tn_payings contexts = {.ctx = in->ctx};
    tn_status status = TN_OK;
    for (size_t f = 0; f < in->cost_count && status == TN_OK; f++)
        status = tn_breakevens_add(in->ctx, &in->costs[f], &found);
    if (status == TN_OK)
        status = tn_payings_make(&found, &contexts);
    for (size_t i = 0; i < contexts.count; i++)
        json_array_append_new(paying, paying_json(&contexts.items[i]));
    tn_payings_free(&contexts);
    for (size_t i = 0; i < found.count; i++)
        json_array_append_new(array, breakeven_json(&found.items[i]));
    tn_breakevens_free(&found);
    return status;
}

/* ---- rows ---- */

static const char *const cell_names[] = {"device",
                                         "level",
                                         "op",
                                         "part",
                                         "reason",
                                         "pass",
                                         "mixer",
                                         "schedule",
                                         "B",
                                         "T",
                                         "D",
                                         "H",
                                         "K",
                                         "rho",
                                         "n",
                                         "wall_ms",
                                         "wall_ms_q1",
                                         "wall_ms_q3",
                                         "flops",
                                         "bytes",
                                         "gflops",
                                         "gbs",
                                         "roofline_pct",
                                         "energy_j",
                                         "energy_net_j",
                                         "idle_w",
                                         "energy_source",
                                         "keys",
                                         "block",
                                         "executed_rho",
                                         "context",
                                         "contexts",
                                         "context_min",
                                         "context_median",
                                         "state_bytes",
                                         "tokens_per_s",
                                         "variant",
                                         NULL};
static const char *const op_names[] = {"device",
                                       "level",
                                       "op",
                                       "pass",
                                       "shape",
                                       "B",
                                       "T",
                                       "D",
                                       "schedule",
                                       "n",
                                       "wall_ms",
                                       "wall_ms_q1",
                                       "wall_ms_q3",
                                       "event_ms",
                                       "gflops",
                                       "gbs",
                                       "roofline_pct",
                                       "energy_j",
                                       "energy_source",
                                       "verified",
                                       "peer",
                                       "peer_ratio",
                                       "peer_ratio_q1",
                                       "peer_ratio_q3",
                                       NULL};
static const char *const failure_names[] = {"device", "level",    "op",     "pass",   "shape",
                                            "mixer",  "schedule", "B",      "T",      "D",
                                            "rho",    "context",  "status", "reason", NULL};

/* What is measured and believed, by level; what is not, with the reason. Damaged rows stand in `flaws`. */
static void rows_json(const tn_inputs *in, json_t *cells, json_t *ops, json_t *failures) {
    for (size_t f = 0; f < in->cost_count; f++) {
        const tn_csv *t = &in->costs[f];
        for (size_t row = 0; row < t->rows; row++) {
            tn_row_use use = tn_csv_use(t, row);
            bool ok = use == TN_ROW_USED, op = strcmp(text_of(t, row, "level"), "op") == 0;
            if (use == TN_ROW_DAMAGED)
                continue;
            json_t *object = row_json(t, row, !ok ? failure_names : op ? op_names : cell_names);
            json_object_set_new(object, "source", json_integer((json_int_t)f)); /* the place in `files` */
            if (use == TN_ROW_PAST_CEILING) {
                json_object_set_new(object, "status", json_string("past its ceiling"));
                json_object_set_new(object, "reason",
                                    json_sprintf("%s %% of what the device was measured to be able to",
                                                 text_of(t, row, "roofline_pct")));
            }
            json_array_append_new(!ok ? failures : op ? ops : cells, object);
        }
    }
}

static json_t *flaws_json(const tn_inputs *in) {
    json_t *flaws = json_array();
    for (size_t i = 0; i < in->flaw_count; i++) {
        const tn_csv_flaw *flaw = &in->flaws[i].flaw;
        json_t *object = json_object();
        json_object_set_new(object, "file", tn_text_json(in->flaws[i].file));
        json_object_set_new(object, "line", json_integer(flaw->line));
        json_object_set_new(object, "column", flaw->column ? json_string(flaw->column) : json_null());
        json_object_set_new(object, "value", flaw->column ? tn_text_json(flaw->value) : json_null());
        json_object_set_new(object, "why", tn_text_json(flaw->why));
        json_object_set_new(object, "unused", json_boolean(flaw->use != TN_ROW_USED));
        json_array_append_new(flaws, object);
    }
    return flaws;
}

static json_t *files_json(const tn_inputs *in) {
    json_t *files = json_array();
    for (size_t f = 0; f < in->cost_count; f++)
        json_array_append_new(files, tn_text_json(in->costs[f].path));
    for (size_t i = 0; i < in->run_count; i++) /* rows of one study.csv share its name */
        if (i == 0 || strcmp(in->runs[i].path, in->runs[i - 1].path) != 0)
            json_array_append_new(files, tn_text_json(in->runs[i].path));
    for (size_t i = 0; i < in->bits_count; i++)
        json_array_append_new(files, tn_text_json(in->bits[i].path));
    return files;
}

static tn_status verdict_json(const tn_inputs *in, json_t **out) {
    tn_verdicts verdicts;
    *out = NULL;
    TN_TRY(tn_verdicts_make(in, &verdicts));
    *out = tn_verdicts_json(&verdicts);
    tn_verdicts_free(&verdicts);
    return TN_OK;
}

tn_status tn_report_data(const tn_inputs *in, json_t **out) {
    char now[24];
    tn_clock_utc(now, sizeof now);
    json_t *root = json_object(), *cells = json_array(), *ops = json_array(), *failures = json_array(),
           *breakevens = json_array(), *paying = json_array(), *runs = json_array(), *bits = json_array(),
           *verdict = NULL;
    rows_json(in, cells, ops, failures);
    for (size_t i = 0; i < in->bits_count; i++)
        tn_bits_json(&in->bits[i], bits);
    tn_status status = breakevens_json(in, breakevens, paying);
    if (status == TN_OK)
        status = verdict_json(in, &verdict);
    if (status == TN_OK)
        status = runs_json(in, runs);
    json_object_set_new(root, "version", json_string(tn_build_version()));
    json_object_set_new(root, "written", json_string(now));
    json_object_set_new(root, "devices", devices_json(in));
    json_object_set_new(root, "verdict", verdict ? verdict : json_null());
    json_object_set_new(root, "runs", runs);
    json_object_set_new(root, "bits", bits);
    json_object_set_new(root, "breakevens", breakevens);
    json_object_set_new(root, "paying", paying);
    json_object_set_new(root, "cells", cells);
    json_object_set_new(root, "ops", ops);
    json_object_set_new(root, "failures", failures);
    json_object_set_new(root, "flaws", flaws_json(in));
    if (json_object_set_new(root, "files", files_json(in)) != 0 && status == TN_OK)
        status = tn_fail(in->ctx, TN_ERR_MEMORY, "out of host memory while gathering the report");
    tn_report_shorten_paths(root);
    if (status != TN_OK) {
        json_decref(root);
        root = NULL;
    }
    *out = root;
    return status;
}
