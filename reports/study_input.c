#include "study_input.h"

#include "damage.h"

#include <stdlib.h>
#include <string.h>

/* A cell of study.csv as summary.json has it. */
static json_t *study_cell(const tn_csv *t, size_t row, size_t column) {
    double value;
    const char *text = tn_csv_text(t, row, (int)column);
    if (strcmp(tn_csv_name(t, column), "attention_pct_layers") == 0) {
        json_t *layers = json_array();
        for (char *end; *text; text = *end == ';' ? end + 1 : end) {
            json_array_append_new(layers, json_real(strtod(text, &end)));
            if (end == text)
                break;
        }
        return layers;
    }
    if (!*text)
        return json_null();
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) /* spreadsheets write TRUE */
        return json_boolean(*text == 't' || *text == 'T');
    return tn_csv_number(t, row, (int)column, &value) ? json_real(value) : json_string(text);
}

tn_status tn_study_input_check(tn_csv *t, size_t row, bool *good) {
    static const char *const numbers[] = {"accuracy",
                                          "cross_entropy",
                                          "bits_per_byte",
                                          "attention_pct",
                                          "floor_pct",
                                          "score_flops_saved_pct",
                                          "all_flops_saved_pct",
                                          "time_saved_pct",
                                          "time_saved_pct_q1",
                                          "time_saved_pct_q3",
                                          "energy_saved_pct",
                                          "eval_ms_per_sequence",
                                          "attention_eval_ms_per_sequence",
                                          "regret",
                                          "train_s"};
    const char *state = tn_csv_text(t, row, tn_csv_column(t, "status"));
    long line = t->lines[row + 1];
    *good = strcmp(state, "ok") == 0 || strcmp(state, "error") == 0 || strcmp(state, "skipped") == 0;
    if (!*good)
        TN_TRY(tn_csv_flaw_add(t, line, "status", state, TN_ROW_DAMAGED, "none of ok, error, skipped"));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double value;
        int column = tn_csv_column(t, numbers[i]);
        const char *text = tn_csv_text(t, row, column), *why = NULL;
        if (!*text || strcmp(text, "unmeasured") == 0)
            continue;
        if (!tn_csv_number(t, row, column, &value))
            why = tn_damage_name(text);
        else if (i == 0 && (value < 0 || value > 1))
            why = "not between 0 and 1";
        *good = *good && !why;
        if (why)
            TN_TRY(tn_csv_flaw_add(t, line, numbers[i], text, TN_ROW_DAMAGED, "%s", why));
    }
    return TN_OK;
}

json_t *tn_study_input_json(const tn_csv *t, size_t row) {
    json_t *object = json_object();
    for (size_t c = 0; c < t->columns; c++)
        json_object_set_new(object, tn_csv_name(t, c), study_cell(t, row, c));
    return object;
}
