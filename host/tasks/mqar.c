/* Multi-query associative recall as in Zoology (Arora et al., 2023, github.com/HazyResearch/zoology): P
 * distinct keys and values side by side, then each key again at an even distance drawn with weight i^(a−1),
 * its value the label there. */
#include "kinds.h"

#include <math.h>

static const double power = 0.01; /* a */

typedef struct tn_mqar_room {
    int32_t *keys, *values; /* [P] */
    int64_t *slots;         /* [P] */
    double *wait;           /* [S] */
} tn_mqar_room;

/* `count` different numbers of [low, high), by rejection: count is far below the range. */
static void distinct(tn_rng *rng, int32_t low, int32_t high, int64_t count, int32_t *out) {
    for (int64_t i = 0; i < count;) {
        int32_t value = low + (int32_t)tn_rng_below(rng, (uint32_t)(high - low));
        int64_t same = 0;
        while (same < i && out[same] != value)
            same++;
        if (same == i)
            out[i++] = value;
    }
}

/* Drawing one after another without replacement by weight w is taking the least of exponential waits with
 * rate w. */
static void draw_slots(tn_rng *rng, int64_t S, int64_t P, tn_mqar_room *room) {
    for (int64_t i = 0; i < S; i++)
        room->wait[i] = -log(1 - tn_rng_uniform(rng)) / pow((double)(i + 1), power - 1);
    for (int64_t j = 0; j < P; j++) {
        int64_t best = -1;
        for (int64_t i = 0; i < S; i++)
            if (room->wait[i] >= 0 && (best < 0 || room->wait[i] < room->wait[best]))
                best = i;
        room->slots[j] = best;
        room->wait[best] = -1;
    }
}

tn_status tn_mqar_sequence(tn_context *ctx, const tn_task *task, tn_rng *rng, tn_sequence s) {
    int64_t L = task->length, P = task->config.pairs, S = (L - 2 * P) / 2;
    tn_mqar_room room = {0};
    tn_status status = TN_OK;
    TN_GO(tn_alloc(ctx, (size_t)P, sizeof(int32_t), &room.keys));
    TN_GO(tn_alloc(ctx, (size_t)P, sizeof(int32_t), &room.values));
    TN_GO(tn_alloc(ctx, (size_t)P, sizeof(int64_t), &room.slots));
    TN_GO(tn_alloc(ctx, (size_t)S, sizeof(double), &room.wait));
    distinct(rng, 1, TN_MQAR_VOCAB / 2, P, room.keys);
    distinct(rng, TN_MQAR_VOCAB / 2, TN_MQAR_VOCAB, P, room.values);
    draw_slots(rng, S, P, &room);
    for (int64_t t = 2 * P; t < L; t++)
        s.tokens[t] = task->config.filler_zero ? 0 : (int32_t)tn_rng_below(rng, TN_MQAR_VOCAB);
    for (int64_t j = 0; j < P; j++) {
        int64_t at = 2 * P + 2 * room.slots[j];
        s.tokens[2 * j] = room.keys[j];
        s.tokens[2 * j + 1] = room.values[j];
        s.tokens[at] = room.keys[j];
        s.labels[at] = room.values[j];
        s.oracle[at] = 1;
    }
cleanup:
    tn_free(ctx, room.keys);
    tn_free(ctx, room.values);
    tn_free(ctx, room.slots);
    tn_free(ctx, room.wait);
    return status;
}
