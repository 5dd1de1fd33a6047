#include "tune_cover.h"

#include "launch.h"

#include <string.h>

enum { TRIES = 20, FORGET_EVERY = 16 };

/* met[a][i][b][j]: value i of tunable a has stood beside value j of tunable b > a. */
typedef struct cover {
    const tn_tune_space *space;
    bool (*met)[TN_TUNE_VALUES][TN_VARIANT_TUNABLES][TN_TUNE_VALUES];
    tn_rng rng;
} cover;

static int index_of(const tn_tune_space *space, int row, int value) {
    for (int i = 0; i < space->count[row]; i++)
        if (space->values[row][i] == value)
            return i;
    return -1;
}

/* Pairs of `set` that have not stood together yet; marked when `mark`. */
static int fresh(cover *c, const tn_tune_set *set, bool mark) {
    int count = 0;
    for (int a = 0; a < c->space->tunables; a++)
        for (int b = a + 1; b < c->space->tunables; b++) {
            int i = index_of(c->space, a, set->values[a]), j = index_of(c->space, b, set->values[b]);
            if (i < 0 || j < 0 || c->met[a][i][b][j])
                continue;
            count++;
            c->met[a][i][b][j] = c->met[a][i][b][j] || mark;
        }
    return count;
}

typedef struct pair {
    int a, i, b, j;
} pair;

/* The first pair not met; false when all have. `*left` counts them. */
static bool next_pair(const cover *c, pair *out, int *left) {
    const tn_tune_space *s = c->space;
    *left = 0;
    for (int a = 0; a < s->tunables; a++)
        for (int i = 0; i < s->count[a]; i++)
            for (int b = a + 1; b < s->tunables; b++)
                for (int j = 0; j < s->count[b]; j++)
                    if (!c->met[a][i][b][j] && (*left)++ == 0)
                        *out = (pair){a, i, b, j};
    return *left > 0;
}

/* A set with the pair in it, of several random ones that which brings most pairs together. */
static void set_around(cover *c, const pair *p, tn_tune_set *out) {
    int most = -1;
    for (int i = 0; i < TRIES; i++) {
        tn_tune_set set;
        tn_tune_set_draw(c->space, &c->rng, &set);
        set.values[p->a] = c->space->values[p->a][p->i];
        set.values[p->b] = c->space->values[p->b][p->j];
        int count = fresh(c, &set, false);
        if (count > most) {
            most = count;
            *out = set;
        }
    }
}

static const char letters[] = {[TN_TUNE_RIGHT] = 'r', [TN_TUNE_REFUSED] = 'f', [TN_TUNE_WRONG] = 'w'};

/* What became of set number `n` in an earlier process. */
static bool known(const tn_tune_cover_options *o, int n, tn_tune_outcome *outcome) {
    if (!o->done || n >= (int)strlen(o->done))
        return false;
    *outcome = o->done[n] == 'r' ? TN_TUNE_RIGHT : o->done[n] == 'f' ? TN_TUNE_REFUSED : TN_TUNE_WRONG;
    return true;
}

/* A set that fits no shape is as good as refused. */
static tn_status verify(tn_device *dev, const tn_case *c, const tn_tune_space *space, const tn_tune_set *set,
                        const tn_tune_cover_options *o, int first, tn_tune_outcome *outcome) {
    tn_context *ctx = tn_device_context(dev);
    int fitted;
    char text[512];
    TN_TRY(tn_tune_set_verify(dev, c, space, set, o->seed, first, o->cases, &fitted, outcome));
    if (*outcome != TN_TUNE_RIGHT || fitted)
        return TN_OK;
    *outcome = TN_TUNE_REFUSED;
    tn_tune_set_print(space, set, text, sizeof text);
    tn_fail(ctx, TN_ERR_UNSUPPORTED, "%s: no random shape fits", text);
    return TN_OK;
}

static tn_status one(tn_device *dev, const tn_case *c, const tn_tune_space *space, const tn_tune_set *set,
                     const tn_tune_cover_options *o, tn_tune_tally *tally, tn_tune_outcome *outcome) {
    tn_context *ctx = tn_device_context(dev);
    bool is_known = known(o, tally->sets, outcome);
    if (!is_known && o->tell)
        o->tell(o->tell_data, 0, set);
    if (!is_known)
        TN_TRY(verify(dev, c, space, set, o, tally->sets * o->cases, outcome));
    tally->sets++;
    tally->refused += *outcome == TN_TUNE_REFUSED;
    tally->wrong += *outcome == TN_TUNE_WRONG;
    if (is_known)
        return TN_OK;
    if (o->tell)
        o->tell(o->tell_data, letters[*outcome], set);
    if (*outcome == TN_TUNE_WRONG)
        tn_warn(ctx, "wrong: %s", ctx->message);
    else if (*outcome == TN_TUNE_REFUSED)
        tn_progress(ctx, "refused: %s", ctx->message);
    if (tally->sets % FORGET_EVERY == 0)
        tn_kernels_forget(dev);
    return TN_OK;
}

tn_status tn_tune_cover(tn_device *dev, const tn_case *c, const tn_tune_space *space,
                        const tn_tune_cover_options *o, tn_tune_tally *out) {
    tn_context *ctx = tn_device_context(dev);
    cover all = {.space = space, .rng = tn_rng_make(o->seed, TN_RNG_CASE, 23)};
    const tn_tune_set *const defaults[] = {&space->start, &space->other};
    tn_tune_outcome outcome;
    tn_tune_set set;
    pair p;
    *out = (tn_tune_tally){0};
    TN_TRY(tn_alloc(ctx, TN_VARIANT_TUNABLES, sizeof *all.met, &all.met));
    tn_status status = TN_OK;
    next_pair(&all, &p, &out->pairs);
    for (int i = 0; i < 2; i++) {
        TN_GO(one(dev, c, space, defaults[i], o, out, &outcome));
        if (outcome != TN_TUNE_REFUSED)
            fresh(&all, defaults[i], true);
    }
    while (next_pair(&all, &p, &out->left) && (!o->most || out->sets < o->most)) {
        set_around(&all, &p, &set);
        TN_GO(one(dev, c, space, &set, o, out, &outcome));
        all.met[p.a][p.i][p.b][p.j] = true; /* had its turn, even if the device refused */
        if (outcome != TN_TUNE_REFUSED)
            fresh(&all, &set, true);
    }
cleanup:
    tn_free(ctx, all.met);
    tn_kernels_forget(dev);
    return status;
}
