#include "lineup.h"

#include "comparison.h"
#include "name_index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* While rows are put in their places. */
typedef struct filling {
    tn_lineup *l;
    tn_lineup_by by;
    tn_names works, versions, runs;
    int columns[TN_COLUMNS]; /* of the table that is being read */
} filling;

static const char *cell_of(const filling *f, const tn_csv *t, size_t row, int column) {
    return tn_csv_text(t, row, f->columns[column]);
}

static tn_status check_flaws(const tn_inputs *in) {
    for (size_t i = 0; i < in->flaw_count; i++) {
        const tn_csv_flaw *flaw = &in->flaws[i].flaw;
        if (flaw->use == TN_ROW_DAMAGED && flaw->line > 1)
            return tn_fail(in->ctx, TN_ERR_INPUT,
                           "%s, line %ld: %s%s%s%s%s; measure again, or use the file as it was written",
                           in->flaws[i].file, flaw->line, flaw->column ? flaw->column : "",
                           flaw->column ? " '" : "", flaw->column ? flaw->value : "",
                           flaw->column ? "': " : "", flaw->why);
    }
    return TN_OK;
}

/* ---- rows to works and cells ---- */

static tn_status find_work(filling *f, const tn_csv *t, size_t row, size_t device, size_t *out) {
    char name[TN_COMPARISON_NAME];
    tn_lineup *l = f->l;
    size_t before = f->works.count;
    size_t used = (size_t)snprintf(name, sizeof name, "%zu\x1f", f->by == TN_LINEUP_VERSIONS ? device : 0);
    for (int k = 0; k < TN_COLUMNS; k++)
        if (tn_cost_columns[k].uses & TN_COL_WORK)
            used = tn_comparison_add_text(name, used, k, cell_of(f, t, row, k));
    TN_TRY(tn_names_add(&f->works, name, out));
    if (*out < before)
        return TN_OK;
    TN_TRY(tn_grow(l->ctx, &l->works, &l->work_capacity, l->work_count + 1, sizeof *l->works));
    tn_lineup_work *work = &l->works[l->work_count++];
    work->device = device;
    for (int k = 0; k < TN_COLUMNS; k++)
        if (tn_cost_columns[k].uses & TN_COL_WORK)
            work->key[k] = cell_of(f, t, row, k);
    return TN_OK;
}

static void times_of(const filling *f, const tn_csv *t, size_t row, tn_times *out) {
    double n;
    (void)tn_csv_number(t, row, f->columns[TN_COLUMN_n], &n);
    *out = (tn_times){.n = (int64_t)n};
    (void)tn_csv_number(t, row, f->columns[TN_COLUMN_wall_ms], &out->median);
    (void)tn_csv_number(t, row, f->columns[TN_COLUMN_wall_ms_q1], &out->q1);
    (void)tn_csv_number(t, row, f->columns[TN_COLUMN_wall_ms_q3], &out->q3);
    if (tn_csv_number(t, row, f->columns[TN_COLUMN_drift_pct], &out->drift))
        out->drift /= 100;
}

/* Whether two files have this measurement: one date, build, work and device, and the same numbers. */
static tn_status is_again(filling *f, const tn_csv *t, size_t row, size_t work, size_t device, bool *again) {
    static const int numbers[] = {TN_COLUMN_utc,     TN_COLUMN_version,    TN_COLUMN_n,
                                  TN_COLUMN_wall_ms, TN_COLUMN_wall_ms_q1, TN_COLUMN_wall_ms_q3};
    char name[600];
    size_t before = f->runs.count, at;
    size_t used = (size_t)snprintf(name, sizeof name, "%zu\x1f%zu", work, device);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        used +=
            (size_t)snprintf(name + used, sizeof name - used, "\x1f%.80s", cell_of(f, t, row, numbers[i]));
    TN_TRY(tn_names_add(&f->runs, name, &at));
    *again = at < before;
    f->l->twice += *again;
    return TN_OK;
}

/* One row as a cell of its own; cells of one place are put together when all are there. */
static tn_status add_row(filling *f, const tn_csv *t, size_t row) {
    tn_lineup *l = f->l;
    tn_row_use use = tn_csv_use(t, row);
    size_t device, version = 0, work;
    bool again;
    if (use == TN_ROW_DAMAGED)
        return TN_OK;
    TN_TRY(tn_devices_find(&l->devices, t, row, &device));
    if (f->by == TN_LINEUP_VERSIONS)
        TN_TRY(tn_names_add(&f->versions, cell_of(f, t, row, TN_COLUMN_version), &version));
    TN_TRY(find_work(f, t, row, device, &work));
    TN_TRY(is_again(f, t, row, work, device, &again));
    if (again)
        return TN_OK;
    TN_TRY(tn_grow(l->ctx, &l->cells, &l->cell_capacity, l->cell_count + 1, sizeof *l->cells));
    tn_lineup_cell *cell = &l->cells[l->cell_count++];
    *cell = (tn_lineup_cell){
        .work = work, .column = f->by == TN_LINEUP_VERSIONS ? version : device, .device = device};
    if (use == TN_ROW_NOT_MEASURED) {
        cell->status = cell_of(f, t, row, TN_COLUMN_status);
        cell->reason = cell_of(f, t, row, TN_COLUMN_reason);
        return TN_OK;
    }
    TN_TRY(tn_grow(l->ctx, &cell->times.items, &cell->times.capacity, 1, sizeof *cell->times.items));
    cell->times.count = 1;
    times_of(f, t, row, cell->times.items);
    return TN_OK;
}

/* The date of each column's first row. */
static tn_status note_dates(filling *f) {
    tn_lineup *l = f->l;
    size_t at;
    l->column_count = f->by == TN_LINEUP_VERSIONS ? f->versions.count : l->devices.count;
    TN_TRY(tn_alloc(l->ctx, l->column_count, sizeof *l->columns, &l->columns));
    for (size_t i = 0; i < l->in.cost_count; i++) {
        const tn_csv *t = &l->in.costs[i];
        const int utc = tn_csv_column(t, "utc"), version = tn_csv_column(t, "version");
        for (size_t row = 0; row < t->rows; row++) {
            const char *date = tn_csv_text(t, row, utc);
            if (tn_csv_use(t, row) == TN_ROW_DAMAGED)
                continue;
            if (f->by == TN_LINEUP_DEVICES)
                TN_TRY(tn_devices_find(&l->devices, t, row, &at));
            else
                TN_TRY(tn_names_add(&f->versions, tn_csv_text(t, row, version), &at));
            tn_lineup_column *c = &l->columns[at];
            c->name = f->by == TN_LINEUP_DEVICES ? l->devices.items[at].label : tn_csv_text(t, row, version);
            if (!c->since || strcmp(date, c->since) < 0)
                c->since = date;
        }
    }
    return TN_OK;
}

typedef struct dated {
    tn_lineup_column column;
    size_t was;
} dated;

static int by_date(const void *a, const void *b) {
    const dated *x = a, *y = b;
    int order = strcmp(x->column.since, y->column.since);
    return order ? order : (x->was > y->was) - (x->was < y->was);
}

/* Versions in the order of their dates; cells follow. */
static tn_status sort_columns(tn_lineup *l) {
    dated *all = NULL;
    size_t *place = NULL;
    tn_status status = tn_alloc(l->ctx, l->column_count, sizeof *all, &all);
    if (status == TN_OK)
        status = tn_alloc(l->ctx, l->column_count, sizeof *place, &place);
    if (status == TN_OK) {
        for (size_t i = 0; i < l->column_count; i++)
            all[i] = (dated){l->columns[i], i};
        qsort(all, l->column_count, sizeof *all, by_date);
        for (size_t i = 0; i < l->column_count; i++) {
            l->columns[i] = all[i].column;
            place[all[i].was] = i;
        }
        for (size_t i = 0; i < l->cell_count; i++)
            l->cells[i].column = place[l->cells[i].column];
    }
    tn_free(l->ctx, place);
    tn_free(l->ctx, all);
    return status;
}

/* ---- cells of one place together ---- */

static int by_place(const void *a, const void *b) {
    const tn_lineup_cell *x = a, *y = b;
    if (x->work != y->work)
        return x->work < y->work ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return 0;
}

/* The runs of `from` behind those of `to`. */
static tn_status merge(tn_lineup *l, tn_lineup_cell *to, tn_lineup_cell *from) {
    if (!to->status) {
        to->status = from->status;
        to->reason = from->reason;
    }
    for (size_t i = 0; i < from->times.count; i++) {
        TN_TRY(tn_grow(l->ctx, &to->times.items, &to->times.capacity, to->times.count + 1,
                       sizeof *to->times.items));
        to->times.items[to->times.count++] = from->times.items[i];
    }
    tn_free(l->ctx, from->times.items);
    from->times = (tn_times_list){0};
    return TN_OK;
}

static tn_status gather_cells(tn_lineup *l) {
    size_t kept = 0;
    qsort(l->cells, l->cell_count, sizeof *l->cells, by_place);
    for (size_t i = 0; i < l->cell_count; i++) {
        if (kept > 0 && by_place(&l->cells[kept - 1], &l->cells[i]) == 0) {
            TN_TRY(merge(l, &l->cells[kept - 1], &l->cells[i]));
            continue;
        }
        const tn_lineup_cell cell = l->cells[i];
        l->cells[i].times = (tn_times_list){0};
        l->cells[kept++] = cell;
    }
    l->cell_count = kept;
    for (size_t i = 0; i < kept; i++) {
        tn_lineup_work *work = &l->works[l->cells[i].work];
        if (work->count++ == 0)
            work->cells = &l->cells[i];
    }
    return TN_OK;
}

/* ---- all ---- */

/* Names joined by commas as one list of paths; caller frees both. */
static tn_status split(tn_context *ctx, const char *const *paths, size_t count, char **text,
                       const char ***list, size_t *found) {
    size_t size = 1, capacity = 0;
    *text = NULL;
    *list = NULL;
    *found = 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(paths[i]) + 1;
    TN_TRY(tn_alloc(ctx, size, 1, text));
    char *at = *text;
    for (size_t i = 0; i < count; i++) {
        const char *name;
        strcpy(at, paths[i]);
        char *rest = at;
        at += strlen(at) + 1;
        while ((name = tn_comparison_next(&rest)) != NULL) {
            TN_TRY(tn_grow(ctx, list, &capacity, *found + 1, sizeof **list));
            (*list)[(*found)++] = name;
        }
    }
    return TN_OK;
}

static tn_status read_inputs(tn_lineup *l, const char *const *paths, size_t count) {
    char *text;
    const char **list;
    size_t found;
    tn_status status = split(l->ctx, paths, count, &text, &list, &found);
    if (status == TN_OK)
        status = tn_inputs_gather(l->ctx, list, found, &l->in);
    tn_free(l->ctx, list);
    tn_free(l->ctx, text);
    TN_TRY(status);
    TN_TRY(check_flaws(&l->in));
    return l->in.cost_count > 0
               ? TN_OK
               : tn_fail(l->ctx, TN_ERR_INPUT, "%s%s: no cost row in it; name what sweep or bench wrote",
                         paths[0], count > 1 ? " …" : "");
}

static tn_status fill(filling *f) {
    tn_lineup *l = f->l;
    for (size_t i = 0; i < l->in.cost_count; i++) {
        const tn_csv *t = &l->in.costs[i];
        for (int k = 0; k < TN_COLUMNS; k++)
            f->columns[k] = tn_csv_column(t, tn_cost_columns[k].name);
        for (size_t row = 0; row < t->rows; row++)
            TN_TRY(add_row(f, t, row));
    }
    tn_devices_label(&l->devices);
    TN_TRY(note_dates(f));
    if (f->by == TN_LINEUP_VERSIONS)
        TN_TRY(sort_columns(l));
    return gather_cells(l);
}

tn_status tn_lineup_make(tn_context *ctx, const char *const *paths, size_t count, tn_lineup_by by,
                         bool any_host, tn_lineup *out) {
    *out = (tn_lineup){.ctx = ctx, .devices = {.ctx = ctx, .any_host = any_host}};
    filling f = {.l = out, .by = by, .works.ctx = ctx, .versions.ctx = ctx, .runs.ctx = ctx};
    tn_status status = read_inputs(out, paths, count);
    if (status == TN_OK)
        status = fill(&f);
    tn_names_free(&f.works);
    tn_names_free(&f.versions);
    tn_names_free(&f.runs);
    if (status != TN_OK)
        tn_lineup_free(out);
    return status;
}

void tn_lineup_free(tn_lineup *l) {
    for (size_t i = 0; i < l->cell_count; i++)
        tn_free(l->ctx, l->cells[i].times.items);
    if (l->ctx) {
        tn_free(l->ctx, l->cells);
        tn_free(l->ctx, l->works);
        tn_free(l->ctx, l->columns);
    }
    tn_devices_free(&l->devices);
    tn_inputs_free(&l->in);
    *l = (tn_lineup){0};
}

void tn_lineup_count_text(const tn_times_list *list, char *text, size_t size) {
    long long n = (long long)tn_times_total(list);
    if (list->count > 1)
        snprintf(text, size, "%lld in %zu", n, list->count);
    else
        snprintf(text, size, "%lld", n);
}
