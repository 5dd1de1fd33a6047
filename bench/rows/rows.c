#include "rows.h"

#include "build.h"
#include "clock.h"
#include "old_names.h"
#include "row_table.h"
#include "tunable.h"
#include "utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum column_type { TEXT, COUNT, REAL } column_type;

typedef struct column {
    const char *name;
    column_type type;
    size_t offset, size;
} column;

#define COLUMN(name, type)                                                                                   \
    { #name, type, offsetof(tn_cost_row, name), sizeof((tn_cost_row *)0)->name }

/* The order is the file's: columns are only ever appended. */
static const column columns[] = {
    COLUMN(schema, TEXT),
    COLUMN(version, TEXT),
    COLUMN(utc, TEXT),
    COLUMN(host, TEXT),
    COLUMN(cpu, TEXT),
    COLUMN(platform, TEXT),
    COLUMN(device, TEXT),
    COLUMN(driver, TEXT),
    COLUMN(kind, TEXT),
    COLUMN(compute_units, COUNT),
    COLUMN(pci, TEXT),
    COLUMN(level, TEXT),
    COLUMN(op, TEXT),
    COLUMN(pass, TEXT),
    COLUMN(mixer, TEXT),
    COLUMN(B, COUNT),
    COLUMN(T, COUNT),
    COLUMN(D, COUNT),
    COLUMN(H, COUNT),
    COLUMN(Dh, COUNT),
    COLUMN(K, COUNT),
    COLUMN(rho, REAL),
    COLUMN(schedule, TEXT),
    COLUMN(status, TEXT),
    COLUMN(reason, TEXT),
    COLUMN(n, COUNT),
    COLUMN(wall_ms, REAL),
    COLUMN(wall_ms_q1, REAL),
    COLUMN(wall_ms_q3, REAL),
    COLUMN(event_ms, REAL),
    COLUMN(event_ok, COUNT),
    COLUMN(flops, REAL),
    COLUMN(bytes, REAL),
    COLUMN(gflops, REAL),
    COLUMN(gbs, REAL),
    COLUMN(roofline_pct, REAL),
    COLUMN(energy_j, REAL),
    COLUMN(energy_source, TEXT),
    COLUMN(seed, TEXT),
    COLUMN(event_ms_launches, COUNT),
    COLUMN(dense_wall_ms, REAL),
    COLUMN(dense_ratio, REAL),
    COLUMN(ideal_ratio, REAL),
    COLUMN(share_of_ideal_pct, REAL),
    COLUMN(shape, TEXT),
    COLUMN(dense_ratio_q1, REAL),
    COLUMN(dense_ratio_q3, REAL),
    COLUMN(drift_pct, REAL),
    COLUMN(verified, TEXT),
    COLUMN(selector, TEXT),
    COLUMN(outside_kernels_pct, REAL),
    COLUMN(peer, TEXT),
    COLUMN(peer_wall_ms, REAL),
    COLUMN(peer_ratio, REAL),
    COLUMN(peer_ratio_q1, REAL),
    COLUMN(peer_ratio_q3, REAL),
    COLUMN(peer_max_diff, REAL),
    COLUMN(tuned, TEXT),
    COLUMN(keys, TEXT),
    COLUMN(part, TEXT),
    COLUMN(energy_net_j, REAL),
    COLUMN(idle_w, REAL),
    COLUMN(cores, COUNT),
    COLUMN(cache, TEXT),
    COLUMN(block, COUNT),
    COLUMN(executed_rho, REAL),
    COLUMN(timing_s, REAL),
    COLUMN(variant, TEXT),
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static char *text_of(const tn_cost_row *row, const column *c) {
    return (char *)row + c->offset;
}

static int64_t count_of(const tn_cost_row *row, const column *c) {
    int64_t value;
    memcpy(&value, (const char *)row + c->offset, sizeof value);
    return value;
}

static double real_of(const tn_cost_row *row, const column *c) {
    double value;
    memcpy(&value, (const char *)row + c->offset, sizeof value);
    return value;
}

static void clear(tn_cost_row *row) {
    memset(row, 0, sizeof *row);
    for (int i = 0; i < COLUMNS; i++) {
        const int64_t none = -1;
        const double nothing = NAN;
        if (columns[i].type == COUNT)
            memcpy((char *)row + columns[i].offset, &none, sizeof none);
        if (columns[i].type == REAL)
            memcpy((char *)row + columns[i].offset, &nothing, sizeof nothing);
    }
}

void tn_row_init(tn_cost_row *row) {
    clear(row);
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

static void hold_to_roof(tn_cost_row *row, double flops, double bytes, double seconds, tn_roofline *r) {
    char reason[300];
    row->roofline_pct = tn_roofline_pct(r, flops, bytes, seconds);
    while (row->roofline_pct > most_pct && tn_roofline_again(r))
        row->roofline_pct = tn_roofline_pct(r, flops, bytes, seconds);
    if (!(row->roofline_pct > most_pct))
        return;
    bool arithmetic = flops / r->flops > bytes / tn_roofline_bandwidth(r, bytes);
    snprintf(
        reason, sizeof reason,
        "%.0f %% of the measured ceiling, %.4g %s: more than the device can do. Either less was done than "
        "the row counts, or the time is wrong, or the ceiling was measured beside other work: run it again "
        "on a quiet machine",
        row->roofline_pct, 1e-9 * (arithmetic ? r->flops : tn_roofline_bandwidth(r, bytes)),
        arithmetic ? "GFLOP/s" : "GB/s");
    tn_row_set_status(row, "error", reason);
}

void tn_row_set_sample(tn_cost_row *row, const tn_sample *sample, double flops, double bytes,
                       tn_roofline *roofline) {
    double seconds = 1e-3 * sample->wall_ms;
    row->n = sample->n;
    row->wall_ms = sample->wall_ms;
    row->wall_ms_q1 = sample->q1_ms;
    row->wall_ms_q3 = sample->q3_ms;
    if (sample->launches > 0) {
        row->event_ok = sample->event_ok;
        row->event_ms = sample->event_ok ? sample->event_ms : NAN;
        row->event_ms_launches = sample->launches;
        row->outside_kernels_pct = sample->event_ok ? 100 * sample->outside : NAN;
    }
    row->flops = flops;
    row->bytes = bytes;
    row->drift_pct = 100 * sample->drift;
    if (seconds > 0) {
        row->gflops = 1e-9 * flops / seconds;
        row->gbs = 1e-9 * bytes / seconds;
        if (roofline && roofline->flops > 0 && (flops > 0 || bytes > 0))
            hold_to_roof(row, flops, bytes, seconds, roofline);
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
    if (status != TN_OK)
        tn_row_set_failure(row, status, ctx->message);
    return TN_OK;
}

tn_row_format tn_row_format_choose(const char *name, const char *path, tn_row_format fallback) {
    const char *dot = path ? strrchr(path, '.') : NULL;
    const char *kind = name ? name : dot ? dot + 1 : "";
    return strcmp(kind, "csv") == 0    ? TN_ROW_CSV
           : strcmp(kind, "json") == 0 ? TN_ROW_JSON
           : strcmp(kind, "md") == 0   ? TN_ROW_TABLE
                                       : fallback;
}

/* RFC 4180: quoted where a comma, quote or line break stands, quotes doubled. */
static void csv_text(FILE *to, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

static void csv_write(FILE *to, const tn_cost_row *row) {
    for (int i = 0; i < COLUMNS; i++) {
        const column *c = &columns[i];
        if (i)
            fputc(',', to);
        if (c->type == TEXT)
            csv_text(to, text_of(row, c));
        else if (c->type == COUNT && count_of(row, c) >= 0)
            fprintf(to, "%lld", (long long)count_of(row, c));
        else if (c->type == REAL && isfinite(real_of(row, c)))
            fprintf(to, "%.6g", real_of(row, c));
    }
    fputc('\n', to);
}

void tn_rows_header(FILE *to) {
    for (int i = 0; i < COLUMNS; i++)
        fprintf(to, "%s%s", i ? "," : "", columns[i].name);
    fputc('\n', to);
}

static json_t *value_json(const tn_cost_row *row, const column *c) {
    if (c->type == TEXT)
        return json_string(text_of(row, c));
    if (c->type == COUNT && count_of(row, c) >= 0)
        return c->offset == offsetof(tn_cost_row, event_ok) ? json_boolean(count_of(row, c) != 0)
                                                            : json_integer(count_of(row, c));
    if (c->type == REAL && isfinite(real_of(row, c)))
        return json_real(real_of(row, c));
    return json_null();
}

static bool is_among(const char *name, const char *const *names) {
    if (!names)
        return true;
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

json_t *tn_row_json(const tn_cost_row *row, const char *const *names) {
    json_t *object = json_object();
    for (int i = 0; i < COLUMNS; i++)
        if (is_among(columns[i].name, names))
            json_object_set_new(object, columns[i].name, value_json(row, &columns[i]));
    return object;
}

/* A row may have been written when its op had another name. */
static void take_current_names(tn_cost_row *row) {
    const char *op = tn_op_current_name(row->op), *part = tn_op_current_name(row->part);
    if (op != row->op)
        snprintf(row->op, sizeof row->op, "%s", op);
    if (part != row->part)
        snprintf(row->part, sizeof row->part, "%s", part);
}

void tn_row_from_json(const json_t *object, const char *const *names, tn_cost_row *out) {
    clear(out);
    for (int i = 0; i < COLUMNS; i++) {
        const column *c = &columns[i];
        const json_t *value = json_object_get(object, c->name);
        if (!is_among(c->name, names))
            continue;
        if (c->type == TEXT && json_is_string(value)) {
            snprintf(text_of(out, c), c->size, "%s", json_string_value(value));
        } else if (c->type == COUNT && json_is_integer(value)) {
            int64_t whole = json_integer_value(value);
            memcpy((char *)out + c->offset, &whole, sizeof whole);
        } else if (c->type == REAL && json_is_number(value)) {
            double number = json_number_value(value);
            memcpy((char *)out + c->offset, &number, sizeof number);
        }
    }
    take_current_names(out);
}

static void json_write(FILE *to, int index, const tn_cost_row *row) {
    json_t *object = tn_row_json(row, NULL);
    fputs(index ? ",\n  " : "\n  ", to);
    json_dumpf(object, to, JSON_REAL_PRECISION(9));
    json_decref(object);
}

void tn_rows_begin(FILE *to, tn_row_format format) {
    if (format == TN_ROW_CSV)
        tn_rows_header(to);
    else if (format == TN_ROW_JSON)
        fputc('[', to);
    else
        tn_row_table_begin(to);
}

void tn_rows_write(FILE *to, tn_row_format format, int index, const tn_cost_row *row) {
    if (format == TN_ROW_CSV)
        csv_write(to, row);
    else if (format == TN_ROW_JSON)
        json_write(to, index, row);
    else
        tn_row_table_write(to, row);
    fflush(to);
}

void tn_rows_end(FILE *to, tn_row_format format) {
    if (format == TN_ROW_JSON)
        fputs("\n]\n", to);
}

/* The next field of a CSV line into `field`, unquoted; `*p` is left behind its comma, NULL after the last. */
static bool next_field(const char **p, char *field, size_t size) {
    size_t used = 0;
    const char *s = *p;
    bool quoted = *s == '"';
    for (s += quoted; *s; s++) {
        if (quoted && *s == '"' && s[1] != '"') {
            s++;
            quoted = false;
            break;
        }
        if (quoted && *s == '"')
            s++;
        else if (!quoted && (*s == ',' || *s == '\n' || *s == '\r'))
            break;
        if (used + 1 < size)
            field[used++] = *s;
    }
    field[used] = '\0';
    if (quoted || (*s && *s != ',' && *s != '\n' && *s != '\r'))
        return false;
    *p = *s == ',' ? s + 1 : NULL;
    return true;
}

static bool take(tn_cost_row *row, const column *c, const char *field) {
    char *end = NULL;
    if (c->type == TEXT) {
        snprintf(text_of(row, c), c->size, "%s", field);
        return strlen(field) < c->size;
    }
    if (!field[0])
        return true;
    if (c->type == COUNT) {
        int64_t value = strtoll(field, &end, 10);
        memcpy((char *)row + c->offset, &value, sizeof value);
    } else {
        double value = strtod(field, &end);
        memcpy((char *)row + c->offset, &value, sizeof value);
    }
    return *end == '\0';
}

tn_status tn_row_parse(tn_context *ctx, const char *line, tn_cost_row *out) {
    char field[1024];
    const char *p = line;
    clear(out);
    for (int i = 0; p; i++) {
        if (!next_field(&p, field, sizeof field))
            return tn_fail(ctx, TN_ERR_INPUT, "field %d of a CSV row is cut short or badly quoted", i + 1);
        if (i >= COLUMNS)
            return tn_fail(ctx, TN_ERR_INPUT, "a CSV row has more than %d fields", (int)COLUMNS);
        if (!take(out, &columns[i], field))
            return tn_fail(ctx, TN_ERR_INPUT, "column %s of a CSV row holds '%.40s'", columns[i].name, field);
    }
    if (strcmp(out->schema, TN_ROW_SCHEMA) != 0)
        return tn_fail(ctx, TN_ERR_INPUT, "a CSV row is of schema '%s', not %s", out->schema, TN_ROW_SCHEMA);
    if (!out->status[0])
        return tn_fail(ctx, TN_ERR_INPUT, "a CSV row ends before its status");
    take_current_names(out);
    return TN_OK;
}
