#include "breakeven.h"

#include "cost_columns.h"
#include "devices.h"
#include "name_index.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct view {
    const tn_csv *t;
    int key[TN_COLUMNS]; /* those of TN_COL_CURVE, which make a group */
    int keys;
    int level, pass, mixer, execution, rho, wall, q1, q3, flops, dense, ratio, ratio_q1, ratio_q3, ideal,
        part, host, pci;
    size_t *place;  /* [rows] of layer rows: which layer on which device, from 0 */
    size_t *beside; /* [places] 1 + the last attention row; 0: none */
    size_t *masked; /* [places] 1 + the last masked row that is a point; 0: none */
} view;

static view view_of(const tn_csv *t) {
    view v = {.t = t};
    for (int i = 0; i < TN_COLUMNS; i++)
        if (tn_cost_columns[i].uses & TN_COL_CURVE)
            v.key[v.keys++] = tn_csv_column(t, tn_cost_columns[i].name);
    v.level = tn_csv_column(t, "level");
    v.pass = tn_csv_column(t, "pass");
    v.mixer = tn_csv_column(t, "mixer");
    v.execution = tn_csv_column(t, "schedule");
    v.rho = tn_csv_column(t, "rho");
    v.wall = tn_csv_column(t, "wall_ms");
    v.q1 = tn_csv_column(t, "wall_ms_q1");
    v.q3 = tn_csv_column(t, "wall_ms_q3");
    v.flops = tn_csv_column(t, "flops");
    v.dense = tn_csv_column(t, "dense_wall_ms");
    v.ratio = tn_csv_column(t, "dense_ratio");
    v.ratio_q1 = tn_csv_column(t, "dense_ratio_q1");
    v.ratio_q3 = tn_csv_column(t, "dense_ratio_q3");
    v.ideal = tn_csv_column(t, "ideal_ratio");
    v.part = tn_csv_column(t, "part");
    v.host = tn_csv_column(t, "host");
    v.pci = tn_csv_column(t, "pci");
    return v;
}

static bool is_layer_row(const view *v, size_t row, const char *mixer) {
    const char *level = tn_csv_text(v->t, row, v->level), *pass = tn_csv_text(v->t, row, v->pass);
    return ((strcmp(level, "layer") == 0 && strcmp(pass, "forward") == 0) || strcmp(level, "decode") == 0) &&
           tn_csv_use(v->t, row) == TN_ROW_USED &&
           !*tn_csv_text(v->t, row, v->part) && /* a part of a layer is no layer */
           strcmp(tn_csv_text(v->t, row, v->mixer), mixer) == 0;
}

/* A routed layer run for all rows: something to compare with, not a curve over ρ. */
static bool is_masked(const view *v, size_t row) {
    return strcmp(tn_csv_text(v->t, row, v->execution), "masked") == 0;
}

/* The layer and the device of a row, numbered. */
static tn_status find_place(const view *v, tn_names *places, size_t row) {
    char key[4096], mark[32];
    size_t used = 0;
    const bool shard = tn_shard_row(v->t, row);
    for (int i = 0; i < v->keys && used < sizeof key; i++)
        if (!shard || (v->key[i] != v->host && v->key[i] != v->pci))
            used +=
                (size_t)snprintf(key + used, sizeof key - used, "%s\x1f", tn_csv_text(v->t, row, v->key[i]));
    tn_device_mark(v->t, row, mark, sizeof mark);
    if (used < sizeof key)
        snprintf(key + used, sizeof key - used, "%s", mark);
    return tn_names_add(places, key, &v->place[row]);
}

/* The last attention row of the same layer; NaN where there is none. */
static void find_dense(const view *v, size_t row, double *ms, double *flops) {
    size_t at = v->beside[v->place[row]];
    *ms = *flops = NAN;
    if (at == 0)
        return;
    (void)tn_csv_number(v->t, at - 1, v->flops, flops);
    (void)tn_csv_number(v->t, at - 1, v->wall, ms);
}

/* The ratio of neighbouring batches is steadier than the ratio of two medians, and has quartiles. Those of a
 * file that holds them on the wrong side of their median are none. */
static void read_speedup(const view *v, size_t row, tn_breakeven_point *p) {
    double ratio;
    p->speedup_q1 = p->speedup_q3 = NAN;
    if (!tn_csv_number(v->t, row, v->ratio, &ratio) || !(ratio > 0)) {
        p->speedup = p->dense_ms / p->wall_ms;
        return;
    }
    double q1, q3;
    p->speedup = ratio;
    if (tn_csv_number(v->t, row, v->ratio_q1, &q1) && tn_csv_number(v->t, row, v->ratio_q3, &q3) && q1 > 0 &&
        q1 <= ratio && ratio <= q3) {
        p->speedup_q1 = q1;
        p->speedup_q3 = q3;
    }
}

/* False where the row cannot be a point. */
static bool read_point(const view *v, size_t row, tn_breakeven_point *p) {
    double dense_ms, dense_flops, flops;
    if (!tn_csv_number(v->t, row, v->rho, &p->rho) || p->rho < 0 || p->rho > 1 ||
        !tn_csv_number(v->t, row, v->wall, &p->wall_ms) || !(p->wall_ms > 0))
        return false;
    (void)tn_csv_number(v->t, row, v->q1, &p->wall_ms_q1);
    (void)tn_csv_number(v->t, row, v->q3, &p->wall_ms_q3);
    find_dense(v, row, &dense_ms, &dense_flops);
    bool beside = tn_csv_number(v->t, row, v->dense, &p->dense_ms) && p->dense_ms > 0;
    if (!beside)
        p->dense_ms = dense_ms;
    read_speedup(v, row, p);
    if (!(p->speedup > 0))
        return false;
    if (!(p->dense_ms > 0))
        p->dense_ms = p->speedup * p->wall_ms;
    if (!tn_csv_number(v->t, row, v->ideal, &p->ideal) || !(p->ideal > 0))
        p->ideal = tn_csv_number(v->t, row, v->flops, &flops) && flops > 0 ? dense_flops / flops : NAN;
    p->share_pct = 100 * p->speedup / p->ideal;
    return true;
}

/* Keeps ρ rising; a ρ that is there already is replaced. */
static tn_status insert_point(tn_context *ctx, tn_breakeven *b, const tn_breakeven_point *p) {
    size_t at = 0;
    while (at < b->count && b->points[at].rho < p->rho)
        at++;
    if (at == b->count || b->points[at].rho != p->rho) {
        TN_TRY(tn_grow(ctx, &b->points, &b->capacity, b->count + 1, sizeof *b->points));
        memmove(b->points + at + 1, b->points + at, (b->count - at) * sizeof *b->points);
        b->count++;
    }
    b->points[at] = *p;
    return TN_OK;
}

static tn_breakeven group_of(const view *v, size_t row) {
    const tn_csv *t = v->t;
    tn_breakeven b = {.file = t->path, .row = row, .place = v->place[row]};
    b.platform = tn_csv_text(t, row, tn_csv_column(t, "platform"));
    tn_csv_device(t, row, b.device, sizeof b.device);
    b.device_kind = tn_csv_text(t, row, tn_csv_column(t, "kind"));
    b.execution = tn_csv_text(t, row, v->execution);
    (void)tn_csv_number(t, row, tn_csv_column(t, "B"), &b.B);
    (void)tn_csv_number(t, row, tn_csv_column(t, "T"), &b.T);
    (void)tn_csv_number(t, row, tn_csv_column(t, "D"), &b.D);
    (void)tn_csv_number(t, row, tn_csv_column(t, "H"), &b.H);
    (void)tn_csv_number(t, row, tn_csv_column(t, "K"), &b.K);
    (void)tn_csv_number(t, row, tn_csv_column(t, "context"), &b.context);
    b.contexts = tn_csv_text(t, row, tn_csv_column(t, "contexts"));
    return b;
}

/* The last masked row of the group, if its execution is the one that is an alternative to it. */
static void find_masked(const view *v, tn_breakeven *b) {
    tn_breakeven_point p;
    size_t at = v->masked[b->place];
    b->masked_speedup =
        at > 0 && strcmp(b->execution, "compacted") == 0 && read_point(v, at - 1, &p) ? p.speedup : NAN;
}

/* Beside the compacted points of a group those of whole blocks, which have a group of their own. */
static void find_blocks(const tn_breakevens *all, size_t first, tn_breakeven *b) {
    for (size_t p = 0; p < b->count; p++)
        b->points[p].blocks_speedup = b->points[p].over_blocks = NAN;
    if (strcmp(b->execution, "compacted") != 0)
        return;
    for (size_t i = first; i < all->count; i++) {
        const tn_breakeven *other = &all->items[i];
        if (strcmp(other->execution, "block-skipping") != 0 || other->place != b->place)
            continue;
        for (size_t p = 0; p < b->count; p++)
            for (size_t q = 0; q < other->count; q++)
                if (other->points[q].rho == b->points[p].rho) {
                    b->points[p].blocks_speedup = other->points[q].speedup;
                    b->points[p].over_blocks = b->points[p].speedup / other->points[q].speedup;
                    b->has_blocks = true;
                }
    }
}

/* What the run-time takes comes first. */
static int by_execution(const char *a, const char *b) {
    int order = (strcmp(b, "compacted") == 0) - (strcmp(a, "compacted") == 0);
    return order ? order : strcmp(a, b);
}

/* A sweep's rows come in random order; people read lengths in theirs. NaN, an empty cell, counts as 0. */
static int by_shape(const void *a, const void *b) {
    const tn_breakeven *x = a, *y = b;
    const double left[] = {x->D, x->H, x->K, x->T, x->B, x->context},
                 right[] = {y->D, y->H, y->K, y->T, y->B, y->context};
    int order = strcmp(x->device, y->device);
    if (order == 0)
        order = (x->context > 0) - (y->context > 0);
    if (order == 0)
        order = by_execution(x->execution, y->execution);
    for (int i = 0; order == 0 && i < 6; i++) {
        double l = isnan(left[i]) ? 0 : left[i], r = isnan(right[i]) ? 0 : right[i];
        order = (l > r) - (l < r);
    }
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

/* The place of every row of a layer, and what stands beside the curves of each. */
static tn_status survey(view *v) {
    tn_context *ctx = v->t->ctx;
    tn_breakeven_point point;
    tn_names places = {.ctx = ctx};
    tn_status status = TN_OK;
    TN_GO(tn_alloc(ctx, v->t->rows, sizeof *v->place, &v->place));
    for (size_t row = 0; row < v->t->rows; row++)
        if (is_layer_row(v, row, "attention") || is_layer_row(v, row, "routed"))
            TN_GO(find_place(v, &places, row));
    TN_GO(tn_alloc(ctx, places.count, sizeof *v->beside, &v->beside));
    TN_GO(tn_alloc(ctx, places.count, sizeof *v->masked, &v->masked));
    for (size_t row = 0; row < v->t->rows; row++)
        if (is_layer_row(v, row, "attention"))
            v->beside[v->place[row]] = row + 1;
    for (size_t row = 0; row < v->t->rows; row++)
        if (is_layer_row(v, row, "routed") && is_masked(v, row) && read_point(v, row, &point))
            v->masked[v->place[row]] = row + 1;
cleanup:
    tn_names_free(&places);
    return status;
}

static tn_status add_points(const view *v, tn_breakevens *out, size_t first, tn_names *groups) {
    for (size_t row = 0; row < v->t->rows; row++) {
        tn_breakeven_point point;
        char key[160];
        size_t i;
        if (!is_layer_row(v, row, "routed") || is_masked(v, row) || !read_point(v, row, &point))
            continue;
        snprintf(key, sizeof key, "%zu %.128s", v->place[row], tn_csv_text(v->t, row, v->execution));
        TN_TRY(tn_names_add(groups, key, &i));
        if (first + i == out->count) {
            TN_TRY(tn_grow(out->ctx, &out->items, &out->capacity, out->count + 1, sizeof *out->items));
            out->items[out->count++] = group_of(v, row);
        }
        TN_TRY(insert_point(out->ctx, &out->items[first + i], &point));
    }
    return TN_OK;
}

tn_status tn_breakevens_add(tn_context *ctx, const tn_csv *costs, tn_breakevens *out) {
    view v = view_of(costs);
    size_t first = out->count;
    out->ctx = ctx;
    tn_names groups = {.ctx = ctx};
    tn_status status = survey(&v);
    if (status == TN_OK)
        status = add_points(&v, out, first, &groups);
    for (size_t i = first; i < out->count && status == TN_OK; i++) {
        find_masked(&v, &out->items[i]);
        find_blocks(out, first, &out->items[i]);
        tn_breakeven_solve(&out->items[i]);
    }
    if (out->count > first)
        qsort(out->items + first, out->count - first, sizeof *out->items, by_shape);
    tn_names_free(&groups);
    tn_free(ctx, v.place);
    tn_free(ctx, v.beside);
    tn_free(ctx, v.masked);
    return status;
}

void tn_breakevens_free(tn_breakevens *b) {
    for (size_t i = 0; i < b->count; i++)
        tn_free(b->ctx, b->items[i].points);
    if (b->ctx)
        tn_free(b->ctx, b->items);
    *b = (tn_breakevens){0};
}

/* `offset`: of the ratio within a point. */
static double ratio_of(const tn_breakeven_point *p, size_t offset) {
    return *(const double *)((const char *)p + offset);
}

/* Where the ratio first falls to `other`: 1 is what it is a ratio to. Points without it, NaN, are passed
 * over; one has it. */
static tn_breakeven_bound first_crossing(const tn_breakeven *b, size_t offset, double other) {
    const tn_breakeven_point *before = NULL;
    for (size_t i = 0; i < b->count; i++) {
        const tn_breakeven_point *p = &b->points[i];
        double ratio = ratio_of(p, offset);
        if (isnan(ratio))
            continue;
        if (!before && ratio <= other)
            return (tn_breakeven_bound){ratio == other ? TN_BREAKEVEN_FOUND : TN_BREAKEVEN_NEVER, p->rho};
        if (ratio <= other) {
            /* routed / other goes from below 1 to 1 or above: as time, it is close to a straight line in ρ */
            double low = other / ratio_of(before, offset), high = other / ratio;
            double rho = before->rho + (p->rho - before->rho) * (1 - low) / (high - low);
            return (tn_breakeven_bound){TN_BREAKEVEN_FOUND, rho};
        }
        before = p;
    }
    return (tn_breakeven_bound){TN_BREAKEVEN_ALWAYS, before ? before->rho : NAN};
}

void tn_breakeven_solve(tn_breakeven *b) {
    b->even = first_crossing(b, offsetof(tn_breakeven_point, speedup), 1);
    if (isfinite(b->masked_speedup))
        b->compact = first_crossing(b, offsetof(tn_breakeven_point, speedup), b->masked_speedup);
    if (b->has_blocks)
        b->skip = first_crossing(b, offsetof(tn_breakeven_point, over_blocks), 1);
    b->has_interval = true;
    for (size_t i = 0; i < b->count; i++)
        b->has_interval = b->has_interval && isfinite(b->points[i].speedup_q1);
    if (b->has_interval) {
        b->low = first_crossing(b, offsetof(tn_breakeven_point, speedup_q1), 1);
        b->high = first_crossing(b, offsetof(tn_breakeven_point, speedup_q3), 1);
    }
}

void tn_breakeven_text(const tn_breakeven_bound *bound, char *text, size_t size) {
    const char *sign = bound->kind == TN_BREAKEVEN_ALWAYS  ? "≥ "
                       : bound->kind == TN_BREAKEVEN_NEVER ? "< "
                                                           : "";
    if (bound->kind == TN_BREAKEVEN_NEVER && bound->rho == 0) /* nothing is below 0 */
        snprintf(text, size, "none");
    else
        snprintf(text, size, "%s%.3g", sign, bound->rho);
}

void tn_breakeven_interval_text(const tn_breakeven *b, char *text, size_t size) {
    char low[32], high[32];
    if (!b->has_interval) {
        snprintf(text, size, "no quartiles");
        return;
    }
    tn_breakeven_text(&b->low, low, sizeof low);
    tn_breakeven_text(&b->high, high, sizeof high);
    if (b->low.kind == b->high.kind && b->low.kind != TN_BREAKEVEN_FOUND)
        snprintf(text, size, "%s", low); /* both ends say the same */
    else
        snprintf(text, size, "%s … %s", low, high);
}
