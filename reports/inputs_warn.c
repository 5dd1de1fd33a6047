/* What of the files was not taken as it stands, said on stderr. */
#include "inputs.h"

#include <string.h>

/* Whether this is the first flaw of its row: a row is named once. */
static bool is_first_of_row(const tn_input_flaw *all, size_t from, size_t i) {
    return i == from || all[i - 1].flaw.line != all[i].flaw.line || all[i - 1].flaw.use == TN_ROW_USED;
}

static void say(const tn_inputs *in, const tn_input_flaw *f) {
    const tn_csv_flaw *flaw = &f->flaw;
    if (flaw->column)
        tn_warn(in->ctx, "%s, line %ld: %s '%s': %s", f->file, flaw->line, flaw->column, flaw->value,
                flaw->why);
    else
        tn_warn(in->ctx, "%s, line %ld: %s", f->file, flaw->line, flaw->why);
}

void tn_inputs_warn(const tn_inputs *in) {
    enum { NOTES = 8, ROWS = 1000 }; /* of a file */
    for (size_t from = 0, to; from < in->flaw_count; from = to) {
        const char *file = in->flaws[from].file;
        size_t notes = 0, rows = 0;
        for (to = from; to < in->flaw_count && strcmp(in->flaws[to].file, file) == 0; to++) {
            bool used = in->flaws[to].flaw.use == TN_ROW_USED;
            if (!used && !is_first_of_row(in->flaws, from, to))
                continue;
            *(used ? &notes : &rows) += 1;
            if (used ? notes <= NOTES : rows <= ROWS)
                say(in, &in->flaws[to]);
        }
        if (notes > NOTES || rows > ROWS)
            tn_warn(in->ctx, "%s: and %zu more; the page lists all", file,
                    (notes > NOTES ? notes - NOTES : 0) + (rows > ROWS ? rows - ROWS : 0));
        if (rows > 0)
            tn_warn(in->ctx, "%s: %zu row%s not used", file, rows, rows == 1 ? " is" : "s are");
    }
}
