#include "tune_set.h"

#include <string.h>

static tn_tune_set nothing_known(void) {
    tn_tune_set set;
    for (int i = 0; i < TN_TUNE_TUNABLES; i++)
        set.values[i] = TN_TUNE_UNKNOWN;
    return set;
}

static int row_of(const tn_case *c, const char *name) {
    for (int i = 0; c->tunables && c->tunables[i].name; i++)
        if (strcmp(c->tunables[i].name, name) == 0)
            return i;
    return -1;
}

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

/* Takes over what op code has asked for up to now. */
static tn_status learn(tn_device *dev, const tn_case *c, tn_tune_space *space) {
    tn_tunable_asked asked;
    for (int i = 0; tn_tunable_asked_at(dev, i, &asked); i++) {
        if (strcmp(asked.op, c->op) != 0)
            continue;
        int row = row_of(c, asked.name);
        if (row < 0)
            return tn_fail(tn_device_context(dev), TN_ERR_CHECK,
                           "%s asks for the tunable %s, which host/cases/%s_case.c does not list", c->op,
                           asked.name, c->op);
        if (asked.fixed) {
            space->cpu.values[row] = space->gpu.values[row] = space->device.values[row] = 0;
            add_value(space, row, 0);
            continue;
        }
        space->cpu.values[row] = asked.cpu_default;
        space->gpu.values[row] = asked.gpu_default;
        space->device.values[row] = asked.device_default;
        for (int k = 0; k < c->tunables[row].count; k++)
            add_value(space, row, c->tunables[row].values[k]);
        add_value(space, row, asked.cpu_default);
        add_value(space, row, asked.gpu_default);
    }
    return TN_OK;
}

tn_status tn_tune_space_make(tn_device *dev, const tn_case *c, int cases, bool own_alone,
                             tn_tune_space *out) {
    tn_context *ctx = tn_device_context(dev);
    const tn_tune_set unknown = nothing_known();
    *out = (tn_tune_space){.cpu = unknown, .gpu = unknown, .device = unknown};
    while (c->tunables && c->tunables[out->tunables].name)
        out->tunables++;
    if (out->tunables > TN_TUNE_TUNABLES)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "%s has more than %d tunables", c->op, TN_TUNE_TUNABLES);
    /* The device's own first; then, as far as they are known by then, those of either kind, which may lead op
     * code to ask for more. */
    const tn_tune_set *const sets[] = {&unknown, &out->cpu, &out->gpu};
    for (size_t i = 0; i < (own_alone ? 1 : sizeof sets / sizeof sets[0]); i++) {
        tn_tune_outcome outcome;
        tn_tune_set set = *sets[i];
        TN_TRY(tn_tune_set_verify(dev, c, &set, 1, 0, cases, &outcome));
        if (outcome == TN_TUNE_WRONG || (i == 0 && outcome != TN_TUNE_RIGHT))
            return ctx->status;
        TN_TRY(learn(dev, c, out));
    }
    return TN_OK;
}

double tn_tune_space_size(const tn_tune_space *space) {
    double size = 1;
    for (int i = 0; i < space->tunables; i++)
        size *= space->count[i] ? space->count[i] : 1;
    return size;
}

void tn_tune_set_draw(const tn_tune_space *space, tn_rng *rng, tn_tune_set *out) {
    *out = nothing_known();
    for (int i = 0; i < space->tunables; i++)
        if (space->count[i])
            out->values[i] = space->values[i][tn_rng_below(rng, (uint32_t)space->count[i])];
}

bool tn_tune_set_equal(const tn_tune_space *space, const tn_tune_set *a, const tn_tune_set *b) {
    return memcmp(a->values, b->values, sizeof a->values[0] * (size_t)space->tunables) == 0;
}

void tn_tune_set_print(const tn_case *c, const tn_tune_set *set, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; c->tunables && c->tunables[i].name && used < size; i++)
        if (set->values[i] != TN_TUNE_UNKNOWN)
            used += (size_t)snprintf(text + used, size - used, "%s%s.%s=%d", used ? "," : "", c->op,
                                     c->tunables[i].name, set->values[i]);
}

static void encode(const int *values, int count, char end, char *text, size_t size) {
    size_t used = strlen(text);
    for (int i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%d%c", values[i], i + 1 < count ? ',' : end);
}

static bool decode(const char **text, int *values, int count, char end) {
    for (int i = 0; i < count; i++) {
        int length = 0;
        if (sscanf(*text, "%d%n", &values[i], &length) != 1)
            return false;
        *text += length;
        if (**text != (i + 1 < count ? ',' : end) && !(i + 1 == count && **text == '\0'))
            return false;
        *text += **text != '\0';
    }
    return true;
}

void tn_tune_set_encode(const tn_tune_space *space, const tn_tune_set *set, char *text, size_t size) {
    text[0] = '\0';
    encode(set->values, space->tunables, ';', text, size);
    if (text[0])
        text[strlen(text) - 1] = '\0';
}

bool tn_tune_set_decode(const tn_tune_space *space, const char **text, tn_tune_set *out) {
    *out = nothing_known();
    return decode(text, out->values, space->tunables, ';');
}

void tn_tune_space_encode(const tn_tune_space *space, char *text, size_t size) {
    snprintf(text, size, "%d;", space->tunables);
    for (int i = 0; i < space->tunables; i++) {
        const int row[] = {space->count[i], space->cpu.values[i], space->gpu.values[i],
                           space->device.values[i]};
        encode(row, 4, ';', text, size);
        encode(space->values[i], space->count[i], ';', text, size);
    }
}

bool tn_tune_space_decode(const char *text, tn_tune_space *out) {
    const tn_tune_set unknown = nothing_known();
    *out = (tn_tune_space){.cpu = unknown, .gpu = unknown, .device = unknown};
    if (!decode(&text, &out->tunables, 1, ';') || out->tunables < 0 || out->tunables > TN_TUNE_TUNABLES)
        return false;
    for (int i = 0; i < out->tunables; i++) {
        int row[4];
        if (!decode(&text, row, 4, ';') || row[0] < 0 || row[0] > TN_TUNE_VALUES ||
            !decode(&text, out->values[i], row[0], ';'))
            return false;
        out->count[i] = row[0];
        out->cpu.values[i] = row[1];
        out->gpu.values[i] = row[2];
        out->device.values[i] = row[3];
    }
    return true;
}

tn_status tn_tune_set_try(tn_device *dev, const tn_case *c, const tn_tune_set *set) {
    tn_tunable_untry(dev, c->op);
    for (int i = 0; c->tunables && c->tunables[i].name; i++)
        if (set->values[i] != TN_TUNE_UNKNOWN)
            TN_TRY(tn_tunable_try(dev, c->op, c->tunables[i].name, set->values[i]));
    return TN_OK;
}

tn_tune_outcome tn_tune_outcome_of(tn_status status) {
    if (status == TN_OK)
        return TN_TUNE_RIGHT;
    return status == TN_ERR_UNSUPPORTED || status == TN_ERR_MEMORY ? TN_TUNE_REFUSED : TN_TUNE_WRONG;
}

tn_status tn_tune_set_verify(tn_device *dev, const tn_case *c, const tn_tune_set *set, uint64_t seed,
                             int first, int cases, tn_tune_outcome *outcome) {
    tn_context *ctx = tn_device_context(dev);
    char text[512];
    *outcome = TN_TUNE_RIGHT;
    TN_TRY(tn_tune_set_try(dev, c, set));
    for (int i = first; i < first + cases && *outcome == TN_TUNE_RIGHT; i++) {
        tn_verify_result result = {0};
        tn_status status = tn_verify_passes(dev, c, seed, i, &result);
        if (status != TN_OK) {
            *outcome = tn_tune_outcome_of(status);
            tn_tune_set_print(c, set, text, sizeof text);
            tn_fail_prefix(ctx, "with TURNOUT_TUNE=%s", text);
        }
        if (status == TN_ERR_LOST) {
            tn_tunable_untry(dev, c->op);
            return status;
        }
        if (tn_interrupted()) {
            *outcome = TN_TUNE_REFUSED;
            tn_tunable_untry(dev, c->op);
            return tn_fail(ctx, TN_ERR_INTERRUPTED, "stopped while verifying");
        }
    }
    tn_tunable_untry(dev, c->op);
    return TN_OK;
}
