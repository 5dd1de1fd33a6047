#include "verdict_rows.h"

#include "statistics.h"

#include <math.h>
#include <string.h>

/* ---- cost rows ---- */

typedef struct view {
    const tn_csv *t;
    size_t row;
} view;

static const char *text(const view *v, const char *column) {
    return tn_csv_text(v->t, v->row, tn_csv_column(v->t, column));
}

static double number(const view *v, const char *column) {
    double value;
    return tn_csv_number(v->t, v->row, tn_csv_column(v->t, column), &value) ? value : NAN;
}

static bool is(const view *v, const char *column, const char *word) {
    return strcmp(text(v, column), word) == 0;
}

/* A row of that device that was measured, is believed, and is no part of another nor beside a peer. */
static bool counts(const tn_inputs *in, const view *v, size_t device) {
    const tn_device_id *id = &in->devices.items[device];
    return tn_csv_use(v->t, v->row) == TN_ROW_USED && v->t->labels && v->t->labels[v->row] == id->label &&
           !*text(v, "part") && !*text(v, "peer") && !*text(v, "cores") && !is(v, "cache", "cold") &&
           is(v, "status", "ok");
}

typedef bool (*wanted)(const view *v);

/* The row that `want` takes with the greatest `rank`; the last of equals. */
static bool find(const tn_inputs *in, size_t device, wanted want, double (*rank)(const view *v), view *out) {
    double best = -INFINITY;
    bool found = false;
    *out = (view){0};
    for (size_t f = 0; f < in->cost_count; f++)
        for (size_t row = 0; row < in->costs[f].rows; row++) {
            const view v = {&in->costs[f], row};
            if (!counts(in, &v, device) || !want(&v))
                continue;
            const double value = rank(&v);
            if (!(value >= best))
                continue;
            best = value;
            *out = v;
            found = true;
        }
    return found;
}

/* About one in a hundred: the fraction that all surveys have. */
static bool few(const view *v) {
    const double rho = number(v, "rho");
    return rho > 0.002 && rho < 0.05;
}

static double nearness(double value, double wish) {
    return value > 0 ? -fabs(log(value / wish)) : -INFINITY;
}

/* What `row` takes as a share of the attention beside it, and of the energy of that row of attention which
 * has the same value in `column`. */
static bool share_of(const tn_inputs *in, size_t device, const view *v, wanted attention, const char *column,
                     tn_share *out) {
    const double ratio = number(v, "dense_ratio"), q1 = number(v, "dense_ratio_q1"),
                 q3 = number(v, "dense_ratio_q3"), mine = number(v, "energy_j");
    if (!(ratio > 0))
        return false;
    out->time_pct = 100 / ratio;
    out->low_pct = q1 > 0 && q3 >= q1 ? 100 / q3 : NAN;
    out->high_pct = q1 > 0 && q3 >= q1 ? 100 / q1 : NAN;
    out->energy_pct = NAN;
    for (size_t row = 0; row < v->t->rows; row++) {
        const view other = {v->t, row};
        const double theirs = number(&other, "energy_j");
        if (counts(in, &other, device) && attention(&other) && mine > 0 && theirs > 0 &&
            number(&other, column) == number(v, column) && number(&other, "B") == number(v, "B") &&
            number(&other, "D") == number(v, "D"))
            out->energy_pct = 100 * mine / theirs;
    }
    return true;
}

static bool is_token(const view *v) {
    return is(v, "level", "decode") && is(v, "mixer", "routed") && !is(v, "schedule", "masked") && few(v) &&
           number(v, "dense_ratio") > 0;
}

static bool is_attention_token(const view *v) {
    return is(v, "level", "decode") && is(v, "mixer", "attention");
}

/* The longest context; of those, the width that every survey has, and a sequence alone. */
static double by_context(const view *v) {
    return number(v, "context") - 1e-3 * number(v, "D") - 1e-6 * number(v, "B");
}

bool tn_share_of_decode(const tn_inputs *in, size_t device, tn_share *out) {
    view v = {0};
    *out = (tn_share){0};
    if (!find(in, device, is_token, by_context, &v) ||
        !share_of(in, device, &v, is_attention_token, "context", out))
        return false;
    snprintf(out->what, sizeof out->what,
             "With 1 token in %.0f routed, a token decoded at a context of %.0f (D = %.0f)",
             1 / number(&v, "rho"), number(&v, "context"), number(&v, "D"));
    snprintf(out->whose, sizeof out->whose, "attention's");
    snprintf(out->where, sizeof out->where, "context %.0f, 1 token in %.0f routed", number(&v, "context"),
             1 / number(&v, "rho"));
    snprintf(out->more, sizeof out->more, ".");
    return true;
}

static bool is_any_step(const view *v) {
    return (is(v, "level", "model") || is(v, "level", "step")) && is(v, "pass", "step");
}

static bool is_step(const view *v) {
    return is_any_step(v) && few(v) && number(v, "dense_ratio") > 0;
}

static bool is_dense_step(const view *v) {
    return is_any_step(v) && !*text(v, "rho");
}

static double by_step_length(const view *v) {
    return nearness(number(v, "T"), 128) - 1e-6 * number(v, "D");
}

bool tn_share_of_step(const tn_inputs *in, size_t device, tn_share *out) {
    view v = {0};
    *out = (tn_share){0};
    if (!find(in, device, is_step, by_step_length, &v) || !share_of(in, device, &v, is_dense_step, "T", out))
        return false;
    snprintf(out->what, sizeof out->what,
             "With %.2g %% of the rows routed, a training step of the recall model (T = %.0f, B = %.0f)",
             100 * number(&v, "rho"), number(&v, "T"), number(&v, "B"));
    snprintf(out->whose, sizeof out->whose, "a dense step's");
    snprintf(out->where, sizeof out->where, "T = %.0f, B = %.0f", number(&v, "T"), number(&v, "B"));
    snprintf(out->more, sizeof out->more, ".");
    return true;
}

tn_status tn_ceiling_rows_of(const tn_inputs *in, size_t device, tn_ceiling_rows *out) {
    double *all = NULL;
    size_t capacity = 0;
    tn_summary summary;
    *out = (tn_ceiling_rows){.least = INFINITY};
    for (size_t f = 0; f < in->cost_count; f++)
        for (size_t row = 0; row < in->costs[f].rows; row++) {
            const view v = {&in->costs[f], row};
            const double pct = number(&v, "roofline_pct");
            if (!is(&v, "level", "op") || !counts(in, &v, device) || !(pct > 0))
                continue;
            TN_TRY(tn_grow(in->ctx, &all, &capacity, out->count + 1, sizeof *all));
            all[out->count++] = pct;
            if (pct >= out->least)
                continue;
            out->least = pct;
            out->least_ms = number(&v, "wall_ms");
            snprintf(out->weakest, sizeof out->weakest, "%.60s %.30s", text(&v, "op"), text(&v, "pass"));
        }
    tn_summarise(all, (int)out->count, &summary);
    out->median = summary.median;
    out->q1 = summary.q1;
    out->q3 = summary.q3;
    tn_free(in->ctx, all);
    return TN_OK;
}

/* ---- runs ---- */

/* Does `path` stand in `folder`, or is it that? */
static bool is_within(const char *path, const char *folder, size_t length) {
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool has_folder(const tn_inputs *in, const tn_run *run, size_t device) {
    for (size_t f = 0; f < in->cost_count; f++) {
        const tn_csv *t = &in->costs[f];
        const char *end = strrchr(t->path, '/');
        if (!end || t->rows == 0 || !t->labels || !is_within(run->path, t->path, (size_t)(end - t->path)))
            continue;
        for (size_t row = 0; row < t->rows; row++)
            if (t->labels[row] == in->devices.items[device].label)
                return true;
    }
    return false;
}

static bool has_name(const tn_device_id *id, const tn_run *run) {
    const char *platform = tn_run_text(run, "platform");
    return strcmp(id->name, tn_run_text(run, "device")) == 0 &&
           (!*platform || strcmp(id->platform, platform) == 0);
}

/* Is it of this device? Two of one name are told apart by the folder; where that does not, it is of neither.
 */
static bool is_of(const tn_inputs *in, const tn_run *run, size_t device) {
    const tn_device_id *id = &in->devices.items[device];
    size_t namesakes = 0, neighbours = 0;
    if (!has_name(id, run))
        return false;
    for (size_t i = 0; i < in->devices.count; i++) {
        const bool named = has_name(&in->devices.items[i], run);
        namesakes += named;
        neighbours += named && has_folder(in, run, i);
    }
    return namesakes == 1 || (neighbours == 1 && has_folder(in, run, device));
}

static double distance_of(const tn_run *run) {
    return tn_run_number(run, "distance");
}

/* The run whose recall was tried farthest away, the nearest to 8190; of several seeds the one in the middle.
 */
static const tn_run *recall_of(const tn_inputs *in, size_t device) {
    const tn_run *best = NULL;
    for (size_t i = 0; i < in->run_count; i++) {
        const tn_run *run = &in->runs[i];
        if (!run->summary || strcmp(tn_run_text(run, "task"), "recall") != 0 ||
            strcmp(tn_run_text(run, "mixer"), "routed") != 0 ||
            strcmp(tn_run_text(run, "status"), "ok") != 0 ||
            !(tn_run_number(run, "eval_ms_per_sequence") > 0) || !(distance_of(run) > 0) ||
            !is_of(in, run, device))
            continue;
        if (!best || nearness(distance_of(run), 8190) > nearness(distance_of(best), 8190))
            best = run;
    }
    return best;
}

bool tn_share_of_recall(const tn_inputs *in, size_t device, tn_share *out) {
    const tn_run *run = recall_of(in, device);
    *out = (tn_share){0};
    const double saved = run ? tn_run_number(run, "time_saved_pct") : NAN;
    if (!isfinite(saved))
        return false;
    const double q1 = tn_run_number(run, "time_saved_pct_q1"), q3 = tn_run_number(run, "time_saved_pct_q3"),
                 trained = tn_run_number(run, "trained_distance"), right = tn_run_number(run, "accuracy");
    out->time_pct = 100 - saved;
    out->low_pct = 100 - fmax(q1, q3); /* NaN where either is: fmax would drop it */
    out->high_pct = 100 - fmin(q1, q3);
    if (isnan(q1) || isnan(q3))
        out->low_pct = out->high_pct = NAN;
    out->energy_pct = 100 - tn_run_number(run, "energy_saved_pct");
    snprintf(out->what, sizeof out->what, "The recall model at distance %.0f", distance_of(run));
    if (trained > 0)
        snprintf(out->what, sizeof out->what, "The recall model, trained at distance %.0f and tried at %.0f,",
                 trained, distance_of(run));
    snprintf(out->whose, sizeof out->whose, "attention's");
    snprintf(out->where, sizeof out->where, "distance %.0f, %.4g %% right", distance_of(run), 100 * right);
    snprintf(out->more, sizeof out->more, "; it answers %.4g %% right with %.2g %% of the rows routed%s",
             100 * right, tn_run_number(run, "attention_pct"),
             right >= 0.99 ? "." : ": it has not learned the task well, so its saving says little.");
    if (!isfinite(right))
        snprintf(out->more, sizeof out->more, "; how many of its answers are right is not known.");
    return true;
}

/* ---- works ---- */

static bool is_layer(const view *v) {
    return is(v, "level", "layer") && is(v, "pass", "forward") && is(v, "mixer", "routed") && few(v) &&
           !is(v, "schedule", "masked") && !is(v, "schedule", "block-skipping");
}

static double by_layer_length(const view *v) {
    return nearness(number(v, "T"), 4096) - 1e-6 * number(v, "D");
}

void tn_work_of(const tn_inputs *in, size_t device, tn_work_kind kind, tn_work *out) {
    static const wanted rows[TN_WORKS] = {
        [TN_WORK_LAYER] = is_layer, [TN_WORK_STEP] = is_step, [TN_WORK_DECODE] = is_token};
    static double (*const ranks[TN_WORKS])(const view *) = {
        [TN_WORK_LAYER] = by_layer_length, [TN_WORK_STEP] = by_step_length, [TN_WORK_DECODE] = by_context};
    view v = {0};
    *out = (tn_work){.ms = NAN, .energy_j = NAN, .ms_q1 = NAN, .ms_q3 = NAN};
    if (kind == TN_WORK_RECALL) {
        const tn_run *run = recall_of(in, device);
        if (run) {
            out->ms = tn_run_number(run, "eval_ms_per_sequence");
            snprintf(out->shape, sizeof out->shape, "a sequence of %.0f", distance_of(run) + 2);
        }
        return;
    }
    if (!find(in, device, rows[kind], ranks[kind], &v))
        return;
    out->ms = number(&v, "wall_ms");
    out->ms_q1 = number(&v, "wall_ms_q1");
    out->ms_q3 = number(&v, "wall_ms_q3");
    out->energy_j = number(&v, "energy_j");
    const bool token = kind == TN_WORK_DECODE;
    snprintf(out->shape, sizeof out->shape, "%s %.0f, B = %.0f, D = %.0f, 1 in %.0f routed",
             token ? "context" : "T =", number(&v, token ? "context" : "T"), number(&v, "B"), number(&v, "D"),
             1 / number(&v, "rho"));
}
