#include "match.h"

#include <string.h>

tn_status tn_match_make(tn_context *ctx, int64_t T, int64_t most, tn_match *out) {
    *out = (tn_match){.most = most, .room = T, .slot_count = 16};
    if (T > INT32_MAX / most)
        return tn_fail(ctx, TN_ERR_ARG,
                       "a sequence of %lld tokens is too long to look for its repeats; try a shorter one",
                       (long long)T);
    while (out->slot_count < 2 * (size_t)(T * most))
        out->slot_count *= 2;
    TN_TRY(tn_alloc(ctx, out->slot_count, sizeof *out->slots, &out->slots));
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

int32_t tn_match_add(tn_match *m, const int32_t *tokens) {
    const int64_t t = m->count++;
    uint64_t hash = 1469598103934665603u;
    int32_t code = 0;
    /* A run that stood before has all its ends there too, so the longest is the last that is found. */
    for (int64_t k = 1; k <= m->most && k <= t + 1; k++) {
        hash = (hash ^ (uint32_t)tokens[t + 1 - k]) * 1099511628211u;
        if (seen(m, tokens, t, k, hash))
            code = (int32_t)k;
    }
    return code;
}

void tn_match_find(tn_match *m, const int32_t *tokens, int64_t T, int32_t *codes) {
    tn_match_clear(m);
    for (int64_t t = 0; t < T; t++)
        codes[t] = tn_match_add(m, tokens);
}
