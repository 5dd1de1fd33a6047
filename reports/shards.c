#include "shards.h"

#include "cost_columns.h"
#include "devices.h"

#include <stdlib.h>
#include <string.h>

enum { NAME = 4096, LISTED = 8, DEVICE_SHOWN = 60 };

static const char *text_of(const tn_csv *t, size_t row, const char *column) {
    return tn_csv_text(t, row, tn_csv_column(t, column));
}

/* A copy that stays as long as `s`. */
static tn_status keep(tn_shards *s, const char *text, const char **out) {
    size_t at;
    TN_TRY(tn_names_add(&s->texts, text, &at));
    *out = tn_names_text(&s->texts, at);
    return TN_OK;
}

/* The set of a row, made where it is new. */
static tn_status find_set(tn_shards *s, const tn_csv *t, size_t row, const char *command, long count,
                          size_t *out) {
    char family[NAME], name[NAME], mark[32] = "";
    const bool sweep = strcmp(command, "sweep") == 0;
    size_t before = s->set_names.count;
    if (sweep)
        tn_device_mark(t, row, mark, sizeof mark);
    snprintf(family, sizeof family, "%s\x1f%ld\x1f%.600s\x1f%.600s\x1f%s\x1f%.40s", command, count,
             text_of(t, row, "platform"), text_of(t, row, "device"), mark,
             sweep ? text_of(t, row, "seed") : "");
    snprintf(name, sizeof name, "%.2000s\x1f%.200s", family, text_of(t, row, "version"));
    TN_TRY(tn_names_add(&s->set_names, name, out));
    if (*out < before)
        return TN_OK;
    TN_TRY(tn_grow(s->ctx, &s->sets, &s->set_capacity, s->set_names.count, sizeof *s->sets));
    tn_shard_set *set = &s->sets[*out];
    *set = (tn_shard_set){.at = {.line = t->lines[row + 1]}, .command = command, .count = count};
    TN_TRY(keep(s, t->path, &set->at.file));
    TN_TRY(keep(s, text_of(t, row, "device"), &set->device));
    TN_TRY(keep(s, text_of(t, row, "version"), &set->version));
    return tn_names_add(&s->families, family, &set->family);
}

static tn_status add_part(tn_shards *s, tn_shard_set *set, long index) {
    if (set->part_count > 0 && set->parts[set->part_count - 1] == index)
        return TN_OK;
    TN_TRY(tn_grow(s->ctx, &set->parts, &set->part_capacity, set->part_count + 1, sizeof *set->parts));
    set->parts[set->part_count++] = index;
    return TN_OK;
}

/* A row of the set called `cell` there. */
static tn_status add_cell(tn_shards *s, const tn_csv *t, size_t row, const tn_shard_set *set,
                          const char *cell) {
    size_t before = s->cells.count, at;
    tn_shard_place here = {.line = t->lines[row + 1]};
    TN_TRY(keep(s, t->path, &here.file));
    TN_TRY(tn_names_add(&s->cells, cell, &at));
    if (at == before) {
        TN_TRY(tn_grow(s->ctx, &s->first, &s->first_capacity, at + 1, sizeof *s->first));
        s->first[at] = here;
        return TN_OK;
    }
    return tn_fail(
        s->ctx, TN_ERR_INPUT,
        "%s, line %ld, and %s, line %ld, are one %s of a grid in %ld parts, measured twice: leave one "
        "of the files out, or delete the row in one",
        s->first[at].file, s->first[at].line, here.file, here.line,
        strcmp(set->command, "sweep") == 0 ? "cell" : "run", set->count);
}

/* Work and part of a row that is of a part; cells of two builds are two grids'. */
static tn_status add_row(tn_shards *s, const tn_csv *t, size_t row, const char *command,
                         size_t (*name_of)(const tn_csv *, size_t, char *, size_t)) {
    char cell[NAME];
    long index, count;
    size_t at;
    if (!tn_shard_of_text(text_of(t, row, "shard"), &index, &count))
        return TN_OK;
    TN_TRY(find_set(s, t, row, command, count, &at));
    TN_TRY(add_part(s, &s->sets[at], index));
    size_t used = (size_t)snprintf(cell, sizeof cell, "%zu\x1f", s->sets[at].family);
    used += (size_t)snprintf(cell + used, sizeof cell - used, "%.200s\x1f", text_of(t, row, "version"));
    (void)name_of(t, row, cell + used, sizeof cell - used);
    return add_cell(s, t, row, &s->sets[at], cell);
}

static size_t work_of(const tn_csv *t, size_t row, char *name, size_t size) {
    size_t used = 0;
    for (int i = 0; i < TN_COLUMNS && used < size; i++)
        if (tn_cost_columns[i].uses & TN_COL_WORK)
            used += (size_t)snprintf(name + used, size - used, "%s\x1f",
                                     text_of(t, row, tn_cost_columns[i].name));
    return used;
}

static size_t run_of(const tn_csv *t, size_t row, char *name, size_t size) {
    return (size_t)snprintf(name, size, "%s", text_of(t, row, "name"));
}

/* Whether one device name stands with several selectors: a run on all cards of a machine. */
static bool has_cards(const tn_csv *t) {
    enum { SEEN = 16 }; /* names of devices in one file */
    size_t seen[SEEN], count = 0;
    for (size_t row = 0; row < t->rows; row++) {
        size_t i = 0;
        while (i < count && strcmp(text_of(t, seen[i], "device"), text_of(t, row, "device")) != 0)
            i++;
        if (i < count && strcmp(text_of(t, seen[i], "selector"), text_of(t, row, "selector")) != 0)
            return true;
        if (i == count && count < SEEN)
            seen[count++] = row;
    }
    return false;
}

/* A damaged row says nothing, and one that stands twice, cell for cell, was found before. */
tn_status tn_shards_add(tn_shards *s, tn_csv *costs) {
    costs->cards = has_cards(costs);
    for (size_t row = 0; row < costs->rows; row++)
        if (tn_csv_use(costs, row) != TN_ROW_DAMAGED)
            TN_TRY(add_row(s, costs, row, "sweep", work_of));
    return TN_OK;
}

tn_status tn_shards_add_study(tn_shards *s, const tn_csv *study, size_t row) {
    return add_row(s, study, row, "study", run_of);
}

static int by_number(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static tn_status note_missing(tn_shard_set *set, tn_shard_note note, void *user) {
    char list[LISTED * 9 + 8] = "", why[200];
    size_t used = 0;
    long missing = 0, one = 0, next = 1;
    qsort(set->parts, set->part_count, sizeof *set->parts, by_number);
    for (size_t k = 0; k <= set->part_count; k++) {
        const long end =
            k < set->part_count ? set->parts[k] : set->count + 1; /* those before it are missing */
        for (long i = next; i < end && missing + (i - next) < LISTED; i++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%ld", used ? ", " : "", i);
        one = missing == 0 && end > next ? next : one;
        missing += end > next ? end - next : 0;
        next = end >= next ? end + 1 : next;
    }
    if (missing == 0)
        return TN_OK;
    snprintf(why, sizeof why,
             "no row of shard %s%s of %ld on %.*s: not run, or without a cell (%s --dry-run --shard %ld/%ld)",
             list, missing > LISTED ? " …" : "", set->count, DEVICE_SHOWN, set->device, set->command, one,
             set->count);
    return note(user, &set->at, why);
}

/* The first set of the family, or the set itself. */
static const tn_shard_set *first_of(const tn_shards *s, const tn_shard_set *set) {
    const tn_shard_set *first = s->sets;
    while (first->family != set->family)
        first++;
    return first;
}

tn_status tn_shards_notes(tn_shards *s, tn_shard_note note, void *user) {
    for (size_t i = 0; i < s->set_names.count; i++) {
        tn_shard_set *set = &s->sets[i];
        const tn_shard_set *first = first_of(s, set);
        char why[200];
        snprintf(why, sizeof why,
                 "by turnout %.40s, and by %.40s on line %ld of %.60s: two grids, kept apart", set->version,
                 first->version, first->at.line, first->at.file);
        if (first != set)
            TN_TRY(note(user, &set->at, why));
        TN_TRY(note_missing(set, note, user));
    }
    return TN_OK;
}

tn_status tn_shards_one_build(const tn_shards *s) {
    for (size_t i = 0; i < s->set_names.count; i++) {
        const tn_shard_set *set = &s->sets[i], *first = first_of(s, set);
        if (first != set)
            return tn_fail(
                s->ctx, TN_ERR_INPUT,
                "%s, line %ld: turnout %s measured this part of the grid, and %s that of %s, line %ld; a "
                "comparison needs a side to be of one build: leave the rows of one out",
                set->at.file, set->at.line, set->version, first->version, first->at.file, first->at.line);
    }
    return TN_OK;
}

tn_shards tn_shards_none(tn_context *ctx) {
    return (tn_shards){
        .ctx = ctx, .set_names.ctx = ctx, .families.ctx = ctx, .cells.ctx = ctx, .texts.ctx = ctx};
}

void tn_shards_free(tn_shards *s) {
    for (size_t i = 0; s->sets && i < s->set_names.count && i < s->set_capacity; i++)
        tn_free(s->ctx, s->sets[i].parts);
    tn_names_free(&s->set_names);
    tn_names_free(&s->families);
    tn_names_free(&s->cells);
    tn_names_free(&s->texts);
    if (s->ctx) {
        tn_free(s->ctx, s->sets);
        tn_free(s->ctx, s->first);
    }
    *s = (tn_shards){0};
}

/* How many parts the grid of a table's rows has; 0 where a row is of none, or of another grid. */
static long parts_of(const tn_csv *t) {
    const int column = tn_csv_column(t, "shard");
    long index, count = 0, of;
    for (size_t row = 0; row < t->rows; row++) {
        if (!tn_shard_of_text(tn_csv_text(t, row, column), &index, &of) || (count && of != count))
            return 0;
        count = of;
    }
    return count;
}

static bool same_columns(const tn_csv *t, const tn_csv *more) {
    bool same = t->columns == more->columns && t->cards == more->cards;
    for (size_t c = 0; same && c < t->columns; c++)
        same = strcmp(tn_csv_name(t, c), tn_csv_name(more, c)) == 0;
    return same;
}

/* "a.csv and 3 more" */
static tn_status rename_joined(tn_csv *t, size_t more) {
    char name[300];
    snprintf(name, sizeof name, "%.250s and %zu more", t->path, more);
    tn_free(t->ctx, t->path);
    return tn_strdup(t->ctx, name, &t->path);
}

/* Puts behind table `i` all later ones with parts of grids of as many parts. */
static tn_status join_to(tn_csv *tables, size_t count, long *parts, size_t i) {
    size_t more = 0;
    for (size_t k = i + 1; parts[i] > 0 && k < count; k++)
        if (parts[k] == parts[i] && same_columns(&tables[i], &tables[k])) {
            parts[k] = 0;
            TN_TRY(tn_csv_append(&tables[i], &tables[k]));
            more++;
        }
    return more > 0 ? rename_joined(&tables[i], more) : TN_OK;
}

tn_status tn_shards_join(tn_context *ctx, tn_csv *tables, size_t *count) {
    long *parts;
    size_t kept = 0;
    TN_TRY(tn_alloc(ctx, *count, sizeof *parts, &parts));
    for (size_t i = 0; i < *count; i++)
        parts[i] = parts_of(&tables[i]);
    tn_status status = TN_OK;
    for (size_t i = 0; i < *count && status == TN_OK; i++)
        status = join_to(tables, *count, parts, i);
    tn_free(ctx, parts);
    for (size_t i = 0; i < *count; i++)
        if (tables[i].ctx) {
            const tn_csv t = tables[i];
            tables[i] = (tn_csv){0};
            tables[kept++] = t;
        }
    *count = kept;
    return status;
}
