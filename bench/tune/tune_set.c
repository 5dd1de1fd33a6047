#include "tune_set.h"

#include "quirks.h"

#include <stdlib.h>
#include <string.h>

static void add_value(tn_tune_space *space, int row, int value) {
    int *values = space->values[row], at = 0;
    while (at < space->count[row] && values[at] < value)
        at++;
    if ((at < space->count[row] && values[at] == value) || space->count[row] == TN_TUNE_VALUES)
        return;
    memmove(&values[at + 1], &values[at], sizeof *values * (size_t)(space->count[row] - at));
    values[at] = value;
    space->count[row]++;
}

static int row_of(const tn_tune_space *space, const char *name) {
    for (int i = 0; i < space->tunables; i++)
        if (strcmp(space->rows[i]->name, name) == 0)
            return i;
    return -1;
}

/* Several variants may have one of the same name, with other values to try. */
static void add_row(tn_tune_space *space, const tn_tunable *t, tn_style style, bool fixed) {
    int row = row_of(space, t->name);
    if (row < 0 && space->tunables == TN_VARIANT_TUNABLES)
        return;
    if (row < 0) {
        row = space->tunables++;
        space->rows[row] = t;
        space->start.values[row] = fixed ? 0 : t->defaults[style];
        space->other.values[row] = fixed ? 0 : t->defaults[!style];
    }
    for (int i = 0; i < t->count && !fixed; i++)
        add_value(space, row, t->values[i]);
    for (int i = 0; i < TN_STYLES && !fixed; i++)
        add_value(space, row, t->defaults[i]);
}

static void add_rows(tn_tune_space *space, const tn_device_info *info, tn_style style, const tn_variant *v,
                     unsigned flags) {
    for (int i = 0; i < v->tunable_count; i++) {
        const tn_tunable *t = &v->tunables[i];
        if ((t->flags & flags) == flags)
            add_row(space, t, style, (t->flags & TN_TUNABLE_CPU) && !tn_quirk_cpu_builtins(info));
    }
}

void tn_tune_space_make(const tn_device_info *info, tn_style style, const tn_op *op, int variant,
                        tn_tune_space *out) {
    *out = (tn_tune_space){.op = op, .variant = variant};
    out->start.variant = out->other.variant = variant;
    if (variant != TN_TUNE_ANY_VARIANT)
        add_rows(out, info, style, op->variants[variant], 0);
    else
        for (int i = 0; op->variants[i]; i++)
            add_rows(out, info, style, op->variants[i], TN_TUNABLE_LAYOUT);
}

void tn_tune_space_share(tn_tune_space *space, const tn_tune_space *of, const tn_tune_set *shared) {
    for (int i = 0; i < space->tunables; i++) {
        const int row = space->rows[i]->flags & TN_TUNABLE_LAYOUT ? row_of(of, space->rows[i]->name) : -1;
        if (row < 0)
            continue;
        space->count[i] = 0;
        space->start.values[i] = space->other.values[i] = shared->values[row];
    }
}

double tn_tune_space_size(const tn_tune_space *space) {
    double size = 1;
    for (int i = 0; i < space->tunables; i++)
        size *= space->count[i] ? space->count[i] : 1;
    return size;
}

int tn_tune_space_candidates(const tn_tune_space *space) {
    int sum = 0;
    for (int i = 0; i < space->tunables; i++)
        sum += space->count[i] ? space->count[i] - 1 : 0;
    return sum;
}

void tn_tune_set_draw(const tn_tune_space *space, tn_rng *rng, tn_tune_set *out) {
    *out = space->start;
    for (int i = 0; i < space->tunables; i++)
        if (space->count[i])
            out->values[i] = space->values[i][tn_rng_below(rng, (uint32_t)space->count[i])];
}

bool tn_tune_set_equal(const tn_tune_space *space, const tn_tune_set *a, const tn_tune_set *b) {
    return a->variant == b->variant &&
           memcmp(a->values, b->values, sizeof a->values[0] * (size_t)space->tunables) == 0;
}

void tn_tune_set_print(const tn_tune_space *space, const tn_tune_set *set, char *text, size_t size) {
    const tn_op *op = space->op;
    size_t used = 0;
    text[0] = '\0';
    if (set->variant != TN_TUNE_ANY_VARIANT && op->variants[1])
        used += (size_t)snprintf(text, size, "TURNOUT_VARIANT=%s=%s%s", op->name,
                                 op->variants[set->variant]->name, space->tunables ? " " : "");
    for (int i = 0; i < space->tunables && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s.%s=%d", i ? "," : "TURNOUT_TUNE=", op->name,
                                 space->rows[i]->name, set->values[i]);
}

void tn_tune_set_changes(const tn_tune_space *space, const tn_tune_set *from, const tn_tune_set *to,
                         char *text, size_t size) {
    size_t used = 0;
    snprintf(text, size, "its defaults");
    for (int i = 0; i < space->tunables && used < size; i++)
        if (from->values[i] != to->values[i])
            used += (size_t)snprintf(text + used, size - used, "%s%s %d -> %d", used ? ", " : "",
                                     space->rows[i]->name, from->values[i], to->values[i]);
}

void tn_tune_set_encode(const tn_tune_space *space, const tn_tune_set *set, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "%d:", set->variant);
    for (int i = 0; i < space->tunables && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%d", i ? "," : "", set->values[i]);
}

bool tn_tune_set_variant(const tn_op *op, const char *text, int *variant) {
    int count = 0;
    while (op->variants[count])
        count++;
    return sscanf(text, "%d:", variant) == 1 && *variant >= TN_TUNE_ANY_VARIANT && *variant < count;
}

bool tn_tune_set_decode(const tn_tune_space *space, const char *text, tn_tune_set *out) {
    *out = space->start;
    if (!tn_tune_set_variant(space->op, text, &out->variant) || out->variant != space->variant)
        return false;
    text += strcspn(text, ":");
    for (int i = 0; i < space->tunables; i++) {
        char *end;
        if (!*text)
            return false;
        out->values[i] = (int)strtol(text + 1, &end, 10);
        if (end == text + 1)
            return false;
        text = end;
    }
    return text[0] == '\0' || strcmp(text, ":") == 0;
}

tn_status tn_tune_set_try(tn_device *dev, const tn_tune_space *space, const tn_tune_set *set) {
    const tn_op *op = space->op;
    tn_tunable_untry(dev, op->name);
    if (set->variant != TN_TUNE_ANY_VARIANT)
        TN_TRY(tn_variant_try(dev, op, op->variants[set->variant]));
    for (int i = 0; i < space->tunables; i++)
        TN_TRY(tn_tunable_try(dev, op->name, space->rows[i]->name, set->values[i]));
    return TN_OK;
}

tn_tune_outcome tn_tune_outcome_of(tn_status status) {
    if (status == TN_OK)
        return TN_TUNE_RIGHT;
    return status == TN_ERR_UNSUPPORTED || status == TN_ERR_MEMORY ? TN_TUNE_REFUSED : TN_TUNE_WRONG;
}

static int most_of(const int *counts) {
    int most = 0;
    for (int i = 0; i < TN_CASE_PASSES; i++)
        most = counts[i] > most ? counts[i] : most;
    return most;
}

tn_status tn_tune_set_verify(tn_device *dev, const tn_case *c, const tn_tune_space *space,
                             const tn_tune_set *set, uint64_t seed, int first, int cases, int *fitted,
                             tn_tune_outcome *outcome) {
    enum { DRAWS = 8 }; /* a shape that fits nothing costs next to nothing */
    tn_context *ctx = tn_device_context(dev);
    tn_verify_result result = {0};
    char text[512];
    tn_status failed = TN_OK;
    *outcome = TN_TUNE_RIGHT;
    TN_TRY(tn_tune_set_try(dev, space, set));
    for (int i = 0;
         i < DRAWS * cases && most_of(result.fitted) < cases && *outcome == TN_TUNE_RIGHT && failed == TN_OK;
         i++) {
        tn_status status = tn_verify_passes(dev, c, seed, first + i, &result);
        if (status != TN_OK) {
            *outcome = tn_tune_outcome_of(status);
            tn_tune_set_print(space, set, text, sizeof text);
            tn_fail_prefix(ctx, "with %s", text);
        }
        if (status == TN_ERR_LOST)
            failed = status;
        if (tn_interrupted()) {
            *outcome = TN_TUNE_REFUSED;
            failed = tn_fail(ctx, TN_ERR_INTERRUPTED, "stopped while verifying");
        }
    }
    *fitted = most_of(result.fitted);
    tn_tunable_untry(dev, c->op);
    return failed;
}
