/* Rows as CSV, JSON and back, by one table of columns. */
#include "rows.h"

#include "cost_columns.h"
#include "csv_text.h"
#include "execution.h"
#include "old_names.h"
#include "row_clear.h"
#include "row_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum column_type { TEXT, COUNT, REAL } column_type;

/* Where each column of tn_cost_columns stands in a row. */
typedef struct column {
    column_type type;
    size_t offset, size;
} column;

#define TYPE_TEXT                TEXT
#define TYPE_COUNT               COUNT
#define TYPE_BATCHES             COUNT
#define TYPE_NEEDED              REAL
#define TYPE_POSITIVE            REAL
#define TYPE_AMOUNT              REAL
#define TYPE_FRACTION            REAL
#define TYPE_NUMBER              REAL
#define COLUMN(name, kind, uses) {TYPE_##kind, offsetof(tn_cost_row, name), sizeof((tn_cost_row *)0)->name},
static const column columns[TN_COLUMNS] = {TN_COST_COLUMNS(COLUMN)};

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

void tn_row_clear(tn_cost_row *row) {
    memset(row, 0, sizeof *row);
    for (int i = 0; i < TN_COLUMNS; i++) {
        const int64_t none = -1;
        const double nothing = NAN;
        if (columns[i].type == COUNT)
            memcpy((char *)row + columns[i].offset, &none, sizeof none);
        if (columns[i].type == REAL)
            memcpy((char *)row + columns[i].offset, &nothing, sizeof nothing);
    }
}

tn_row_format tn_row_format_choose(const char *name, const char *path, tn_row_format fallback) {
    const char *dot = path ? strrchr(path, '.') : NULL;
    const char *kind = name ? name : dot ? dot + 1 : "";
    return strcmp(kind, "csv") == 0    ? TN_ROW_CSV
           : strcmp(kind, "json") == 0 ? TN_ROW_JSON
           : strcmp(kind, "md") == 0   ? TN_ROW_TABLE
                                       : fallback;
}

static void csv_write(FILE *to, const tn_cost_row *row) {
    for (int i = 0; i < TN_COLUMNS; i++) {
        const column *c = &columns[i];
        if (i)
            fputc(',', to);
        if (c->type == TEXT)
            tn_csv_write_cell(to, text_of(row, c));
        else if (c->type == COUNT && count_of(row, c) >= 0)
            fprintf(to, "%lld", (long long)count_of(row, c));
        else if (c->type == REAL && isfinite(real_of(row, c)))
            fprintf(to, "%.6g", real_of(row, c));
    }
    fputc('\n', to);
}

void tn_rows_header(FILE *to) {
    for (int i = 0; i < TN_COLUMNS; i++)
        fprintf(to, "%s%s", i ? "," : "", tn_cost_columns[i].name);
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

static bool is_wanted(int i, unsigned uses) {
    return !uses || (tn_cost_columns[i].uses & uses);
}

json_t *tn_row_json(const tn_cost_row *row, unsigned uses) {
    json_t *object = json_object();
    for (int i = 0; i < TN_COLUMNS; i++)
        if (is_wanted(i, uses))
            json_object_set_new(object, tn_cost_columns[i].name, value_json(row, &columns[i]));
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

void tn_row_from_json(const json_t *object, unsigned uses, tn_cost_row *out) {
    tn_row_clear(out);
    for (int i = 0; i < TN_COLUMNS; i++) {
        const column *c = &columns[i];
        const json_t *value = json_object_get(object, tn_cost_columns[i].name);
        if (!is_wanted(i, uses))
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
    json_t *object = tn_row_json(row, 0);
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

typedef struct parsing {
    tn_context *ctx;
    tn_cost_row *row;
    int cells;
} parsing;

static tn_status take_cell(void *user, long line, const char *text, size_t size) {
    parsing *p = user;
    int i = p->cells++;
    (void)line;
    (void)size;
    if (i >= TN_COLUMNS)
        return tn_fail(p->ctx, TN_ERR_INPUT, "a CSV row has more than %d fields", (int)TN_COLUMNS);
    if (!take(p->row, &columns[i], text))
        return tn_fail(p->ctx, TN_ERR_INPUT, "column %s of a CSV row holds '%.40s'", tn_cost_columns[i].name,
                       text);
    return TN_OK;
}

tn_status tn_row_parse(tn_context *ctx, const char *line, tn_cost_row *out) {
    parsing p = {ctx, out, 0};
    const tn_csv_handlers handlers = {.user = &p, .cell = take_cell};
    tn_row_clear(out);
    TN_TRY(tn_csv_parse(ctx, NULL, line, strcspn(line, "\n"), &handlers));
    if (strcmp(out->schema, TN_ROW_SCHEMA) != 0)
        return tn_fail(ctx, TN_ERR_INPUT, "a CSV row is of schema '%s', not %s", out->schema, TN_ROW_SCHEMA);
    if (!out->status[0])
        return tn_fail(ctx, TN_ERR_INPUT, "a CSV row ends before its status");
    take_current_names(out);
    return TN_OK;
}

/* A row says what ran, "dense" too; a cell names an execution, and compacted where it names none. */
static bool names_no_execution(const tn_cost_row *row, int i) {
    tn_execution execution;
    return i == TN_COLUMN_schedule &&
           (!tn_execution_parse(row->schedule, &execution) || execution == TN_EXECUTION_COMPACTED);
}

void tn_row_key(const tn_cost_row *row, char *key, size_t size) {
    size_t used = 0;
    key[0] = '\0';
    for (int i = 0; i < TN_COLUMNS && used < size; i++) {
        const column *c = &columns[i];
        if (!(tn_cost_columns[i].uses & TN_COL_CELL) || names_no_execution(row, i))
            continue;
        if (c->type == TEXT)
            used += (size_t)snprintf(key + used, size - used, "%s|", text_of(row, c));
        else if (c->type == COUNT)
            used += (size_t)snprintf(key + used, size - used, "%lld|", (long long)count_of(row, c));
        else
            used += (size_t)snprintf(key + used, size - used, "%.6g|",
                                     real_of(row, c) >= 0 ? real_of(row, c) : -1.0);
    }
}

void tn_row_work_name(const tn_cost_row *row, char *name, size_t size) {
    const unsigned work = TN_COL_CELL | TN_COL_WORK;
    size_t used = 0;
    name[0] = '\0';
    for (int i = 0; i < TN_COLUMNS && used < size; i++) {
        const column *c = &columns[i];
        char value[32];
        const char *text = value;
        if ((tn_cost_columns[i].uses & work) != work || names_no_execution(row, i))
            continue;
        if (c->type == TEXT)
            text = text_of(row, c);
        else if (c->type == COUNT)
            snprintf(value, sizeof value, count_of(row, c) >= 0 ? "%lld" : "", (long long)count_of(row, c));
        else
            snprintf(value, sizeof value, real_of(row, c) >= 0 ? "%.6g" : "", real_of(row, c));
        if (text[0])
            used += (size_t)snprintf(name + used, size - used, "%s=%s|", tn_cost_columns[i].name, text);
    }
}
