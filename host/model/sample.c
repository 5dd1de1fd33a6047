#include "sample.h"

#include "rng.h"

#include <math.h>

static int32_t largest(const float *logits, int64_t V) {
    int32_t best = 0;
    for (int32_t v = 1; v < V; v++)
        if (logits[v] > logits[best])
            best = v;
    return best;
}

/* The k likeliest tokens, the likeliest first. */
static void keep(const float *logits, int64_t V, int64_t k, int32_t *kept) {
    int64_t count = 0;
    for (int32_t v = 0; v < V; v++) {
        int64_t at = count;
        if (count == k && !(logits[v] > logits[kept[k - 1]]))
            continue;
        for (at = count < k ? count++ : k - 1; at > 0 && logits[v] > logits[kept[at - 1]]; at--)
            kept[at] = kept[at - 1];
        kept[at] = v;
    }
}

int32_t tn_sample(const tn_sampling *s, const float *logits, int64_t V, int64_t position, int32_t *room) {
    const int32_t best = largest(logits, V);
    const int64_t count = s->top_k > 0 && s->top_k < V ? s->top_k : V;
    if (s->temperature <= 0)
        return best;
    if (count < V)
        keep(logits, V, count, room);
    else
        for (int32_t v = 0; v < V; v++)
            room[v] = v;
    double total = 0, sum = 0;
    for (int64_t i = 0; i < count; i++)
        total += exp(((double)logits[room[i]] - logits[best]) / s->temperature);
    tn_rng rng = tn_rng_make(s->seed, TN_RNG_GENERATE, (uint64_t)position);
    const double at = tn_rng_uniform(&rng) * total;
    for (int64_t i = 0; i < count; i++) {
        sum += exp(((double)logits[room[i]] - logits[best]) / s->temperature);
        if (sum > at)
            return room[i];
    }
    return best; /* unless rounding says otherwise the sum has passed `at` before */
}
