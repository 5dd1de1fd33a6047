#include "tune_search.h"

#include <stdlib.h>

bool tn_tune_wins(const tn_tune_gain *gain) {
    return gain->q1 > 1 && gain->ratio >= 1.01 && !gain->loses;
}

typedef struct search {
    tn_context *ctx;
    const tn_tune_space *space;
    const tn_tune_judge *judge;
    tn_tune_found *found;
    tn_tune_set *seen; /* no set has two turns */
    size_t count, capacity;
} search;

static tn_status note(search *s, const tn_tune_set *set, bool *is_new) {
    for (size_t i = 0; i < s->count; i++)
        if (tn_tune_set_equal(s->space, &s->seen[i], set)) {
            *is_new = false;
            return TN_OK;
        }
    TN_TRY(tn_grow(s->ctx, &s->seen, &s->capacity, s->count + 1, sizeof *s->seen));
    s->seen[s->count++] = *set;
    *is_new = true;
    return TN_OK;
}

static tn_status turn(search *s, const tn_tune_set *candidate, bool *won) {
    bool is_new, accepted = false;
    tn_tune_gain gain;
    *won = false;
    TN_TRY(note(s, candidate, &is_new));
    if (!is_new || (s->judge->had_turn && s->judge->had_turn(s->judge->data, candidate)))
        return TN_OK;
    s->found->seen++;
    TN_TRY(s->judge->accept(s->judge->data, candidate, &accepted));
    if (!accepted)
        return TN_OK;
    s->found->accepted++;
    TN_TRY(s->judge->compare(s->judge->data, &s->found->best, candidate, &gain));
    *won = tn_tune_wins(&gain);
    if (*won)
        s->found->best = *candidate;
    return TN_OK;
}

/* All candidates of one tunable, near ones first. */
static tn_status line(search *s, int row, bool *won) {
    const int *values = s->space->values[row], count = s->space->count[row];
    int start = 0;
    while (start < count && values[start] != s->found->best.values[row])
        start++;
    for (int distance = 1; distance < count; distance++)
        for (int sign = -1; sign <= 1; sign += 2) {
            int at = start + sign * distance;
            bool this_won;
            if (at < 0 || at >= count)
                continue;
            if (!s->judge->has_time(s->judge->data)) {
                s->found->whole = false;
                return TN_OK;
            }
            tn_tune_set candidate = s->found->best;
            candidate.values[row] = values[at];
            TN_TRY(turn(s, &candidate, &this_won));
            *won = *won || this_won;
        }
    return TN_OK;
}

tn_status tn_tune_search(tn_context *ctx, const tn_tune_space *space, const tn_tune_set *start,
                         const tn_tune_judge *judge, tn_tune_found *out) {
    search s = {.ctx = ctx, .space = space, .judge = judge, .found = out};
    bool won = true, is_new;
    *out = (tn_tune_found){.best = *start, .whole = true};
    tn_status status = note(&s, start, &is_new);
    if (status == TN_OK && judge->first && judge->has_time(judge->data))
        status = turn(&s, judge->first, &won);
    won = true;
    while (status == TN_OK && won && out->whole) {
        won = false;
        for (int row = 0; row < space->tunables && status == TN_OK && out->whole; row++)
            if (space->count[row])
                status = line(&s, row, &won);
    }
    tn_free(ctx, s.seen);
    return status;
}
