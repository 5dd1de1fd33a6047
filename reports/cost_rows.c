#include "cost_rows.h"

#include "cost_columns.h"
#include "damage.h"
#include "old_names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct checked {
    tn_csv *t;
    int at[TN_COLUMNS]; /* of each in the file, −1 where it has none */
    size_t row;
    bool damaged;
} checked;

static int index_of(const char *name) {
    int i = 0;
    while (i < TN_COLUMNS - 1 && strcmp(tn_cost_columns[i].name, name) != 0)
        i++;
    return i;
}

static const char *text_of(const checked *c, int column) {
    return tn_csv_text(c->t, c->row, c->at[column]);
}

/* False where the file has no number there. */
static bool number_of(const checked *c, const char *name, double *out) {
    return tn_csv_number(c->t, c->row, c->at[index_of(name)], out);
}

#define FLAW(c, name, use, ...)                                                                              \
    tn_csv_flaw_add((c)->t, (c)->t->lines[(c)->row + 1], name, text_of(c, index_of(name)), use, __VA_ARGS__)

/* What a number of this kind cannot be; NULL where it can. */
static const char *out_of_range(tn_column_kind kind, double value) {
    if ((kind == TN_COL_NEEDED || kind == TN_COL_POSITIVE) && !(value > 0))
        return "not above 0";
    if (kind == TN_COL_BATCHES && !(value >= 1))
        return "below 1";
    if ((kind == TN_COL_AMOUNT || kind == TN_COL_COUNT) && value < 0)
        return "below 0";
    if (kind == TN_COL_FRACTION && (value < 0 || value > 1))
        return "not between 0 and 1";
    if ((kind == TN_COL_COUNT || kind == TN_COL_BATCHES) && (value != floor(value) || value > 9e15))
        return "no whole number";
    return NULL;
}

static tn_status check_cell(checked *c, int i) {
    double value;
    tn_column_kind kind = tn_cost_columns[i].kind;
    const char *text = text_of(c, i), *why = NULL;
    if (kind == TN_COL_TEXT || c->at[i] < 0)
        return TN_OK;
    if (!*text)
        why = kind == TN_COL_NEEDED || kind == TN_COL_BATCHES ? "empty, in a row that is ok" : NULL;
    else if (!tn_csv_number(c->t, c->row, c->at[i], &value))
        why = tn_damage_name(text);
    else
        why = out_of_range(kind, value);
    c->damaged = c->damaged || why;
    return why ? FLAW(c, tn_cost_columns[i].name, TN_ROW_DAMAGED, "%s", why) : TN_OK;
}

/* What every row of a file has, measured or not. */
static tn_status check_words(checked *c) {
    static const char *const states[] = {"ok", "unsupported", "error", "timeout", NULL};
    static const char *const levels[] = {"op", "layer", "model", "step", "decode", NULL};
    static const struct {
        const char *column, *const *words, *listed;
    } lists[] = {{"status", states, "ok, unsupported, error, timeout"},
                 {"level", levels, "op, layer, model, step, decode"}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        bool known = c->at[index_of(lists[i].column)] < 0;
        for (const char *const *word = lists[i].words; *word && !known; word++)
            known = strcmp(text_of(c, index_of(lists[i].column)), *word) == 0;
        c->damaged = c->damaged || !known;
        if (!known)
            TN_TRY(FLAW(c, lists[i].column, TN_ROW_DAMAGED, "none of %s", lists[i].listed));
    }
    return TN_OK;
}

/* "2026-01-31T23:59:59Z", "0:1": read by spreadsheets as moments and times of day. The row's numbers stand.
 */
static tn_status check_marks(checked *c) {
    const char *utc = text_of(c, index_of("utc")), *selector = text_of(c, index_of("selector"));
    int used = 0;
    if (*utc && (sscanf(utc, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2dZ%n", &used) != 0 || utc[used] || used == 0))
        TN_TRY(FLAW(c, "utc", TN_ROW_USED,
                    "no moment as it was written: another program saved the file; the row is used"));
    size_t platform = strspn(selector, "0123456789"), device = 0;
    if (platform > 0 && selector[platform] == ':')
        device = strspn(selector + platform + 1, "0123456789");
    bool padded = device > 1 && selector[platform + 1] == '0';
    if (*selector && (device == 0 || padded || selector[platform + 1 + device]))
        TN_TRY(FLAW(c, "selector", TN_ROW_USED, "%s; the row is used",
                    padded || device ? "a time of day made of P:D" : "no P:D"));
    const char *shard = text_of(c, index_of("shard"));
    long part, parts;
    if (*shard && !tn_shard_of_text(shard, &part, &parts))
        TN_TRY(FLAW(c, "shard", TN_ROW_USED,
                    "no part I/N as it was written; the row is used as one of a whole grid"));
    return TN_OK;
}

static tn_status check_quartiles(checked *c, const char *q1, const char *middle, const char *q3,
                                 tn_row_use use) {
    double low, value, high;
    if (!number_of(c, middle, &value))
        return TN_OK;
    bool wrong = (number_of(c, q1, &low) && low > value) || (number_of(c, q3, &high) && high < value);
    c->damaged = c->damaged || (wrong && use == TN_ROW_DAMAGED);
    return wrong ? FLAW(c, middle, use, "not between its quartiles '%.20s' and '%.20s'%s",
                        text_of(c, index_of(q1)), text_of(c, index_of(q3)),
                        use == TN_ROW_USED ? ", which are left out" : "")
                 : TN_OK;
}

/* A rate is work over time, to the digits written. A spreadsheet that takes 0.187126 for 187126 is found
 * here. */
static tn_status check_rate(checked *c, const char *work_name, const char *rate_name) {
    double work, rate, ms;
    if (!number_of(c, work_name, &work) || !number_of(c, rate_name, &rate) || !number_of(c, "wall_ms", &ms) ||
        !(work > 0) || !(ms > 0))
        return TN_OK;
    double off = fabs(rate / (1e-6 * work / ms) - 1);
    tn_row_use use = off <= 0.01 ? TN_ROW_USED : TN_ROW_DAMAGED;
    if (off <= 1e-4)
        return TN_OK;
    c->damaged = c->damaged || use == TN_ROW_DAMAGED;
    return FLAW(c, rate_name, use, "%s / wall_ms is %.6g: %s", work_name, 1e-6 * work / ms,
                use == TN_ROW_DAMAGED ? "one of the three was changed"
                                      : "numbers were rounded; the row is used");
}

/* Of batches in turn, so it need not be the ratio of the medians; ten times as much it cannot be. */
static tn_status check_ratio(checked *c) {
    double ratio, dense, ms;
    if (!number_of(c, "dense_ratio", &ratio) || !number_of(c, "dense_wall_ms", &dense) ||
        !number_of(c, "wall_ms", &ms) || !(ratio > 0) || !(dense > 0) || !(ms > 0))
        return TN_OK;
    if (fabs(log(dense / ms / ratio)) < log(10))
        return TN_OK;
    c->damaged = true;
    return FLAW(c, "dense_ratio", TN_ROW_DAMAGED,
                "dense_wall_ms / wall_ms is %.6g: one of the three was changed", dense / ms);
}

static tn_status check_row(checked *c) {
    double share;
    tn_csv *t = c->t;
    c->damaged = false;
    TN_TRY(check_words(c));
    TN_TRY(check_marks(c));
    if (strcmp(text_of(c, index_of("status")), "ok") != 0) {
        t->uses[c->row] = c->damaged ? TN_ROW_DAMAGED : TN_ROW_NOT_MEASURED;
        return TN_OK;
    }
    for (int i = 0; i < TN_COLUMNS; i++)
        TN_TRY(check_cell(c, i));
    if (c->damaged) { /* what hangs on a damaged cell says nothing more */
        t->uses[c->row] = TN_ROW_DAMAGED;
        return TN_OK;
    }
    TN_TRY(check_quartiles(c, "wall_ms_q1", "wall_ms", "wall_ms_q3", TN_ROW_DAMAGED));
    TN_TRY(check_rate(c, "flops", "gflops"));
    TN_TRY(check_rate(c, "bytes", "gbs"));
    TN_TRY(check_ratio(c));
    if (!c->damaged) {
        TN_TRY(check_quartiles(c, "dense_ratio_q1", "dense_ratio", "dense_ratio_q3", TN_ROW_USED));
        TN_TRY(check_quartiles(c, "peer_ratio_q1", "peer_ratio", "peer_ratio_q3", TN_ROW_USED));
    }
    bool past = number_of(c, "roofline_pct", &share) && share > TN_COST_MOST_ROOFLINE_PCT;
    t->uses[c->row] = c->damaged ? TN_ROW_DAMAGED : past ? TN_ROW_PAST_CEILING : TN_ROW_USED;
    return past && !c->damaged ? FLAW(c, "roofline_pct", TN_ROW_PAST_CEILING,
                                      "above what the device was measured to be able to: no result, its work "
                                      "is counted too high or "
                                      "its data lie in a cache")
                               : TN_OK;
}

/* The cells of a row stand one after the other in the table's text. */
static int compare_cells(const tn_csv *t, size_t a, size_t b) {
    const size_t rows[] = {a, b};
    const char *text[2];
    size_t size[2];
    for (int i = 0; i < 2; i++) {
        size_t first = t->cells[(rows[i] + 1) * t->columns], next = (rows[i] + 2) * t->columns;
        text[i] = t->text + first;
        size[i] = (next < t->cell_count ? t->cells[next] : t->text_size) - first;
    }
    int order = memcmp(text[0], text[1], size[0] < size[1] ? size[0] : size[1]);
    return order ? order : (size[0] > size[1]) - (size[0] < size[1]);
}

static int by_cells(const void *a, const void *b, void *user) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = compare_cells(user, x, y);
    return order ? order : (x > y) - (x < y);
}

/* One measurement written twice is one measurement: the first of equal rows counts. */
static tn_status check_copies(tn_csv *t) {
    size_t *order;
    TN_TRY(tn_alloc(t->ctx, t->rows, sizeof *order, &order));
    for (size_t i = 0; i < t->rows; i++)
        order[i] = i;
    qsort_r(order, t->rows, sizeof *order, by_cells, t);
    tn_status status = TN_OK;
    for (size_t i = 1, first = 0; i < t->rows && status == TN_OK; i++) {
        if (compare_cells(t, order[first], order[i]) != 0) {
            first = i;
            continue;
        }
        if (t->uses[order[i]] == TN_ROW_USED || t->uses[order[i]] == TN_ROW_PAST_CEILING) {
            t->uses[order[i]] = TN_ROW_DAMAGED;
            status = tn_csv_flaw_add(t, t->lines[order[i] + 1], NULL, "", TN_ROW_DAMAGED,
                                     "the row of line %ld again, cell for cell", t->lines[order[first] + 1]);
        }
    }
    tn_free(t->ctx, order);
    return status;
}

static int by_line(const void *a, const void *b) {
    const tn_csv_flaw *x = a, *y = b;
    return (x->line > y->line) - (x->line < y->line);
}

/* Rows may have been written when their op had another name. */
static tn_status take_current_names(tn_csv *t, int column) {
    for (size_t row = 0; column >= 0 && row < t->rows; row++) {
        const char *text = tn_csv_text(t, row, column), *now = tn_op_current_name(text);
        if (now != text)
            TN_TRY(tn_csv_set(t, row, column, now));
    }
    return TN_OK;
}

tn_status tn_cost_rows_check(tn_csv *t) {
    checked c = {.t = t};
    if (tn_csv_column(t, "status") < 0 || tn_csv_column(t, "wall_ms") < 0 || t->rows == 0)
        return TN_OK;
    TN_TRY(take_current_names(t, tn_csv_column(t, "op")));
    TN_TRY(take_current_names(t, tn_csv_column(t, "part")));
    TN_TRY(tn_alloc(t->ctx, t->rows, 1, &t->uses));
    for (int i = 0; i < TN_COLUMNS; i++)
        c.at[i] = tn_csv_column(t, tn_cost_columns[i].name);
    for (; c.row < t->rows; c.row++)
        TN_TRY(check_row(&c));
    if (tn_csv_column(t, "utc") >= 0) /* which tells two measurements apart */
        TN_TRY(check_copies(t));
    if (t->flaw_count > 1)
        qsort(t->flaws, t->flaw_count, sizeof *t->flaws, by_line);
    return TN_OK;
}

tn_status tn_cost_columns_check(const tn_csv *t) {
    const char *promised[TN_COLUMNS + 1];
    size_t count = 0, last = 0;
    for (size_t i = 0; i < TN_COLUMNS; i++) {
        if (tn_cost_columns[i].uses & TN_COL_ALWAYS)
            promised[count++] = tn_cost_columns[i].name;
        last = tn_csv_column(t, tn_cost_columns[i].name) >= 0 ? i : last;
    }
    promised[count] = NULL;
    TN_TRY(tn_csv_require(t, "cost rows", promised));
    for (size_t i = 0; i < last; i++)
        if ((tn_cost_columns[i].uses & TN_COL_APART) && tn_csv_column(t, tn_cost_columns[i].name) < 0)
            return tn_fail(
                t->ctx, TN_ERR_INPUT,
                "%s, line %ld: column '%s' was taken out (a later one, '%s', is there): without it different "
                "work looks the same; use the file as it was written",
                t->path, t->lines[0], tn_cost_columns[i].name, tn_cost_columns[last].name);
    return TN_OK;
}
