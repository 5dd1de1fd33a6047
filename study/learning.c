#include "learning.h"

#include "csv_read.h"

tn_status tn_learning_read(tn_context *ctx, const char *path, tn_learning *out) {
    tn_csv t;
    *out = (tn_learning){.steps_to_999 = -1};
    TN_TRY(tn_csv_read_metrics(ctx, path, &t));
    int step = tn_csv_column(&t, "step"), phase = tn_csv_column(&t, "phase"),
        elapsed = tn_csv_column(&t, "elapsed_s"), accuracy = tn_csv_column(&t, "accuracy");
    for (size_t i = 0; i < t.rows; i++) {
        double number, seconds, value, which;
        bool whole = tn_csv_number(&t, i, step, &number) && tn_csv_number(&t, i, elapsed, &seconds) &&
                     tn_csv_number(&t, i, accuracy, &value) && tn_csv_number(&t, i, phase, &which);
        if (!whole)
            continue; /* a step whose accuracy is no number says nothing */
        if (which == 1)
            out->phase1_s = seconds;
        else
            out->phase2_s = seconds - out->phase1_s;
        if (!(value >= 0.999))
            out->steps_to_999 = -1;
        else if (out->steps_to_999 < 0)
            out->steps_to_999 = (int64_t)number;
    }
    tn_csv_free(&t);
    return TN_OK;
}
