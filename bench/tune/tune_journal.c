#include "tune_journal.h"

#include <string.h>

static int class_count(const tn_op *op) {
    int count = 0;
    while (op->classes && op->classes[count])
        count++;
    return op->classes ? count : 1;
}

int tn_tune_unit(const tn_op *op, int pass, int class_) {
    return 1 + pass * class_count(op) + class_;
}

int tn_tune_unit_count(const tn_op *op) {
    int passes = 0;
    while (op->passes[passes])
        passes++;
    return 1 + passes * class_count(op);
}

void tn_tune_journal_space(const tn_tune_journal *j, int variant, tn_tune_space *out) {
    tn_tune_space_make(j->info, j->style, j->op, variant, out);
    if (variant != TN_TUNE_ANY_VARIANT)
        tn_tune_space_share(out, &j->shared_space, &j->shared);
}

void tn_tune_journal_begin(tn_tune_journal *j, tn_context *ctx, const tn_device_info *info, tn_style style,
                           const tn_op *op, tn_tune_report *report) {
    *j = (tn_tune_journal){.ctx = ctx, .info = info, .style = style, .op = op, .report = report, .unit = -1};
    *report = (tn_tune_report){.whole = false};
    tn_tune_space_make(info, style, op, TN_TUNE_ANY_VARIANT, &j->shared_space);
    j->shared = j->shared_space.start;
}

void tn_tune_journal_end(tn_tune_journal *j) {
    tn_free(j->ctx, j->seen);
}

static bool read_set(const tn_tune_journal *j, const char *text, tn_tune_set *out) {
    tn_tune_space space;
    int variant;
    if (!tn_tune_set_variant(j->op, text, &variant))
        return false;
    tn_tune_journal_space(j, variant, &space);
    return tn_tune_set_decode(&space, text, out);
}

static void take_entry(tn_tune_journal *j, int unit, int wins, const tn_tune_gain *gain,
                       const tn_tune_set *set) {
    const tn_op *op = j->op;
    const int classes = class_count(op);
    tn_tune_space space;
    if (j->report->count == TN_TUNE_ENTRIES)
        return;
    tn_tuned_entry *e = &j->report->entries[j->report->count++];
    *e = (tn_tuned_entry){
        .wins = wins != 0, .ratio = gain->ratio, .ratio_q1 = gain->q1, .ratio_q3 = gain->q3, .n = gain->n};
    snprintf(e->op, sizeof e->op, "%s", op->name);
    if (unit > 0) {
        snprintf(e->pass, sizeof e->pass, "%s", op->passes[(unit - 1) / classes]);
        snprintf(e->shapes, sizeof e->shapes, "%s", tn_op_class(op, (unit - 1) % classes));
        snprintf(e->variant, sizeof e->variant, "%s", op->variants[set->variant]->name);
    }
    tn_tune_journal_space(j, set->variant, &space);
    for (int i = 0; i < space.tunables; i++) {
        if (unit > 0 && space.rows[i]->flags & TN_TUNABLE_LAYOUT)
            continue;
        snprintf(e->values[e->count].name, sizeof e->values[0].name, "%s", space.rows[i]->name);
        e->values[e->count++].value = set->values[i];
    }
    if (unit == 0)
        j->shared = *set;
}

static void unit_open(tn_tune_journal *j, int unit) {
    j->unit = unit;
    j->seen_count = 0;
    j->fell_count = 0;
    j->is_open = false;
    memset(j->has_best, 0, sizeof j->has_best);
}

static int best_of(const tn_tune_set *set) {
    return set->variant == TN_TUNE_ANY_VARIANT ? TN_TUNE_VARIANTS - 1 : set->variant;
}

static void fall(tn_tune_journal *j, const tn_tune_set *set) {
    if (j->fell_count < TN_TUNE_FELL)
        j->fell[j->fell_count++] = *set;
}

static bool has_begun(const tn_tune_journal *j, const tn_tune_set *set) {
    tn_tune_space space;
    tn_tune_journal_space(j, set->variant, &space);
    for (size_t i = 0; i < j->seen_count; i++)
        if (tn_tune_set_equal(&space, &j->seen[i], set))
            return true;
    return false;
}

static tn_status take_turn(tn_tune_journal *j, const char *word, const tn_tune_set *set) {
    const bool confirms = strcmp(word, "confirm") == 0, opens = confirms || strcmp(word, "begin") == 0;
    if (opens)
        tn_tune_journal_lost(j); /* a turn that has not ended */
    j->last = *set;
    j->confirms = confirms;
    j->is_open = opens;
    if (strcmp(word, "begin") == 0 && !has_begun(j, set)) {
        TN_TRY(tn_grow(j->ctx, &j->seen, &j->seen_capacity, j->seen_count + 1, sizeof *j->seen));
        j->seen[j->seen_count++] = *set;
        j->report->seen++;
    }
    j->report->refused += strcmp(word, "refused") == 0;
    j->report->wrong += strcmp(word, "wrong") == 0;
    if (strcmp(word, "fell") == 0)
        fall(j, set);
    if (strcmp(word, "best") == 0) {
        j->best[best_of(set)] = *set;
        j->has_best[best_of(set)] = true;
    }
    return TN_OK;
}

tn_status tn_tune_journal_take(tn_tune_journal *j, const char *line) {
    char word[16] = "", text[256] = "";
    tn_tune_gain gain = {1, 1, 1, false, 0};
    int unit, wins;
    tn_tune_set set;
    if (sscanf(line, "entry %d %d %lg %lg %lg %d %255s", &unit, &wins, &gain.ratio, &gain.q1, &gain.q3,
               &gain.n, text) == 7) {
        if (unit >= 0 && unit < tn_tune_unit_count(j->op) && read_set(j, text, &set) &&
            (unit == 0) == (set.variant == TN_TUNE_ANY_VARIANT))
            take_entry(j, unit, wins, &gain, &set);
        j->is_open = false;
        return TN_OK;
    }
    if (sscanf(line, "%15s %d", word, &unit) == 2 && unit >= 0 && unit < TN_TUNE_UNITS &&
        strcmp(word, "unit") == 0) {
        unit_open(j, unit);
        return TN_OK;
    }
    if (strcmp(word, "closed") == 0 && unit >= 0 && unit < TN_TUNE_UNITS) {
        j->closed[unit] = true;
        unit_open(j, -1);
        return TN_OK;
    }
    if (sscanf(line, "%15s %255s", word, text) == 2 && read_set(j, text, &set))
        return take_turn(j, word, &set);
    return TN_OK;
}

void tn_tune_journal_lost(tn_tune_journal *j) {
    tn_tune_space space;
    if (!j->is_open)
        return;
    tn_tune_journal_space(j, j->last.variant, &space);
    if (j->confirms || tn_tune_set_equal(&space, &j->last, &space.start))
        fall(j, &j->last);
    j->is_open = false;
}
