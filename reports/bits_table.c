#include "bits_table.h"

#include "damage.h"
#include "text_file.h"

#include <math.h>
#include <string.h>

const char *const tn_bits_columns[] = {"schema",        "name",       "run",    "mixer",  "routing",
                                       "seed",          "length",     "by",     "bucket", "bytes",
                                       "bits_per_byte", "routed_pct", "window", NULL};

/* What is wrong with a number; NULL where nothing is. An empty cell is fine where `empty` is. */
static const char *wrong(const tn_csv *t, size_t row, const char *name, double most, bool whole, bool empty) {
    double value;
    int column = tn_csv_column(t, name);
    const char *text = tn_csv_text(t, row, column);
    if (!*text && empty)
        return NULL;
    if (!tn_csv_number(t, row, column, &value))
        return tn_damage_name(text);
    if (value < 0 || value > most)
        return "out of its range";
    return whole && value != floor(value) ? "not a whole number" : NULL;
}

static const struct {
    const char *name;
    double most;
    bool whole, empty;
} numbers[] = {{"length", 1e9, true, false},
               {"bytes", 1e15, true, false},
               {"bits_per_byte", 1e6, false, true},
               {"routed_pct", 100, false, true},
               {"window", 1e9, true, true}};

static bool is_good(const tn_csv *t, size_t row) {
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (wrong(t, row, numbers[i].name, numbers[i].most, numbers[i].whole, numbers[i].empty))
            return false;
    return true;
}

tn_status tn_bits_check(tn_csv *t) {
    TN_TRY(tn_csv_require(t, "bits by place of a text run", tn_bits_columns));
    for (size_t row = 0; row < t->rows; row++)
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            const char *why =
                wrong(t, row, numbers[i].name, numbers[i].most, numbers[i].whole, numbers[i].empty);
            if (why)
                TN_TRY(tn_csv_flaw_add(t, t->lines[row + 1], numbers[i].name,
                                       tn_csv_text(t, row, tn_csv_column(t, numbers[i].name)), TN_ROW_DAMAGED,
                                       "%s", why));
        }
    return TN_OK;
}

tn_status tn_bits_read(tn_context *ctx, const char *path, tn_csv *out) {
    TN_TRY(tn_csv_read_cells(ctx, path, out));
    tn_status status = tn_bits_check(out);
    if (status != TN_OK)
        tn_csv_free(out);
    return status;
}

void tn_bits_json(const tn_csv *t, json_t *rows) {
    for (size_t row = 0; row < t->rows; row++) {
        if (!is_good(t, row))
            continue;
        json_t *object = json_object();
        json_object_set_new(object, "file", tn_text_json(t->path));
        for (const char *const *name = tn_bits_columns + 1; *name; name++) {
            double value;
            int column = tn_csv_column(t, *name);
            const char *text = tn_csv_text(t, row, column);
            /* A bucket is a name, also where it is "4". */
            bool number = strcmp(*name, "bucket") != 0 && tn_csv_number(t, row, column, &value);
            json_object_set_new(object, *name,
                                number  ? json_real(value)
                                : *text ? json_string(text)
                                        : json_null());
        }
        json_array_append_new(rows, object);
    }
}
