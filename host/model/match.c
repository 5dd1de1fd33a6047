#include "match.h"

#include "config.h"

#include <string.h>

tn_status tn_match_make(tn_context *ctx, int64_t T, int64_t most, tn_match *out) {
    *out = (tn_match){.most = most, .slot_count = 16};
    if (T > INT32_MAX / most)
        return tn_fail(ctx, TN_ERR_ARG,
                       "a sequence of %lld tokens is too long to look for its repeats; try a shorter one",
                       (long long)T);
    while (out->slot_count < 2 * (size_t)(T * most))
        out->slot_count *= 2;
    TN_TRY(tn_alloc(ctx, out->slot_count, sizeof *out->slots, &out->slots));
    out->room = T;
    tn_match_clear(out);
    return TN_OK;
}

void tn_match_clear(tn_match *m) {
    memset(m->slots, 0xff, m->slot_count * sizeof *m->slots);
    m->count = 0;
}

void tn_match_free(tn_context *ctx, tn_match *m) {
    tn_free(ctx, m->slots);
    *m = (tn_match){0};
}

/* Whether the `length` tokens up to t stand in the table; where not, they do from now on. Tokens are
 * compared, so no two runs that hash alike are taken for one. */
static bool seen(tn_match *m, const int32_t *tokens, int64_t t, int64_t length, uint64_t hash) {
    const int32_t *run = tokens + t + 1 - length;
    for (size_t at = (size_t)(hash ^ hash >> 32);; at++) {
        int32_t *slot = &m->slots[at & (m->slot_count - 1)];
        if (*slot < 0) {
            *slot = (int32_t)(t * m->most + length - 1);
            return false;
        }
        const int32_t *other = tokens + *slot / m->most + 1 - length;
        if (*slot % m->most == length - 1 && memcmp(other, run, (size_t)length * sizeof *run) == 0)
            return true;
    }
}

/* Of the run that is a token longer, and begins with `token`. */
static uint64_t longer(uint64_t hash, int32_t token) {
    return (hash ^ (uint32_t)token) * 1099511628211u;
}

static const uint64_t no_run = 1469598103934665603u;

int32_t tn_match_add(tn_match *m, const int32_t *tokens) {
    const int64_t t = m->count++;
    uint64_t hash = no_run;
    int32_t code = 0;
    /* A run that stood before has all its ends there too, so the longest is the last that is found. */
    for (int64_t k = 1; k <= m->most && k <= t + 1; k++) {
        hash = longer(hash, tokens[t + 1 - k]);
        if (seen(m, tokens, t, k, hash))
            code = (int32_t)k;
    }
    return code;
}

/* The run of that length that ends at t leaves the table, if it came in there. What came in later has left
 * before, so nobody passed over its place who is still to be found. */
static void forget(tn_match *m, int64_t t, int64_t length, uint64_t hash) {
    for (size_t at = (size_t)(hash ^ hash >> 32);; at++) {
        int32_t *slot = &m->slots[at & (m->slot_count - 1)];
        if (*slot < 0)
            return;
        if (*slot == t * m->most + length - 1) {
            *slot = -1;
            return;
        }
    }
}

void tn_match_cut(tn_match *m, const int32_t *tokens, int64_t count) {
    uint64_t hashes[TN_MODEL_MAX_MATCH + 1];
    for (; m->count > count; m->count--) {
        const int64_t t = m->count - 1, runs = m->most < t + 1 ? m->most : t + 1;
        hashes[0] = no_run;
        for (int64_t k = 1; k <= runs; k++)
            hashes[k] = longer(hashes[k - 1], tokens[t + 1 - k]);
        for (int64_t k = runs; k > 0; k--)
            forget(m, t, k, hashes[k]);
    }
}

void tn_match_find(tn_match *m, const int32_t *tokens, int64_t T, int32_t *codes) {
    tn_match_clear(m);
    for (int64_t t = 0; t < T; t++)
        codes[t] = tn_match_add(m, tokens);
}
