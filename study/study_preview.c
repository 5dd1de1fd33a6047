#include "study_preview.h"

#include "file.h"

#include <math.h>
#include <string.h>

/* Operations a second that training reaches for each compute unit of a CPU: of the recall model, as published
 * in reports/baselines. A guess for other models and machines. */
static const double usual_rate = 25e9;

static const tn_study_row *row_of(const tn_study_preview *p, size_t item) {
    return tn_study_rows_find(&p->rows, p->plan.items[item].name);
}

bool tn_study_preview_kept(const tn_study_preview *p, size_t item) {
    const tn_study_row *row = row_of(p, item);
    return row && strcmp(tn_study_row_text(row, "status"), "error") != 0;
}

/* Seconds that the row says its work took: of training only where no row before it had the same run. */
static double seconds_of(const tn_study_preview *p, size_t item) {
    const tn_study_row *row = row_of(p, item);
    double train = tn_study_row_value(row, "train_s"),
           evaluation =
               1e-3 * tn_study_row_value(row, "eval_ms_per_sequence") * (double)p->plan.items[item].sequences;
    for (size_t i = 0; i < item; i++)
        if (strcmp(p->plan.items[i].run, p->plan.items[item].run) == 0)
            train = 0;
    return train + evaluation;
}

static void estimate(tn_study_preview *p, const tn_device_info *device) {
    double left = 0, done = 0, spent = 0;
    for (size_t i = 0; i < p->plan.count; i++) {
        if (!tn_study_preview_kept(p, i)) {
            left += p->plan.items[i].work;
            continue;
        }
        p->kept++;
        double seconds = seconds_of(p, i);
        if (tn_study_row_ok(row_of(p, i)) && seconds > 0) {
            spent += seconds;
            done += p->plan.items[i].work;
        }
    }
    p->measured = spent > 0 && done > 0;
    p->seconds = left == 0                     ? 0
                 : p->measured                 ? left / done * spent
                 : device->kind == TN_KIND_CPU ? left / (usual_rate * device->compute_units)
                                               : NAN;
}

tn_status tn_study_preview_make(tn_context *ctx, const tn_study_options *o, const char *path,
                                const tn_device_info *device, tn_study_preview *out) {
    char *csv;
    *out = (tn_study_preview){.rows = {.ctx = ctx}};
    TN_TRY(tn_study_plan_make(ctx, o, &out->plan));
    if (path) {
        TN_TRY(tn_path_join(ctx, path, "study.csv", &csv));
        tn_status status = tn_study_rows_load(ctx, csv, &out->rows);
        tn_free(ctx, csv);
        TN_TRY(status);
    }
    estimate(out, device);
    return TN_OK;
}

void tn_study_preview_free(tn_study_preview *p) {
    tn_study_rows_free(&p->rows);
    tn_study_plan_free(&p->plan);
}
