#include "csv_read.h"

#include "cost_rows.h"
#include "damage.h"
#include "metrics_columns.h"

/* A table that does not pass is not kept. */
static tn_status passed(tn_status status, tn_csv *t) {
    if (status != TN_OK)
        tn_csv_free(t);
    return status;
}

tn_status tn_csv_read(tn_context *ctx, const char *path, tn_csv *out) {
    TN_TRY(tn_csv_read_cells(ctx, path, out));
    return passed(tn_cost_rows_check(out), out);
}

tn_status tn_csv_read_cost(tn_context *ctx, const char *path, tn_csv *out) {
    TN_TRY(tn_csv_read(ctx, path, out));
    return passed(tn_csv_need_cost(out), out);
}

tn_status tn_csv_need_cost(const tn_csv *t) {
    TN_TRY(tn_cost_columns_check(t));
    if (t->rows > 0)
        return TN_OK;
    return tn_fail(t->ctx, TN_ERR_INPUT,
                   "%s holds a header and no rows; let the sweep or bench that wrote it finish", t->path);
}

/* A cell that should be a number and is none (a loss that is NaN) is named; the others of its row stand. */
tn_status tn_csv_check_metrics(tn_csv *t) {
    TN_TRY(tn_csv_require(t, "metrics of a run", tn_metrics_columns));
    for (const char *const *name = tn_metrics_columns; *name; name++) {
        int column = tn_csv_column(t, *name);
        for (size_t row = 0; row < t->rows; row++) {
            double value;
            const char *text = tn_csv_text(t, row, column);
            if (*text && !tn_csv_number(t, row, column, &value))
                TN_TRY(tn_csv_flaw_add(t, t->lines[row + 1], *name, text, TN_ROW_USED, "%s; left out",
                                       tn_damage_name(text)));
        }
    }
    return TN_OK;
}

tn_status tn_csv_read_metrics(tn_context *ctx, const char *path, tn_csv *out) {
    TN_TRY(tn_csv_read(ctx, path, out));
    return passed(tn_csv_check_metrics(out), out);
}
