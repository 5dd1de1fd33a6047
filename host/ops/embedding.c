#include "embedding.h"

#include "embedding_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_embedding_groups, &tn_embedding_threads, NULL};
const tn_op tn_embedding_op = {
    .name = "embedding", .passes = passes, .shape_bytes = sizeof(tn_embedding_key), .variants = variants};

tn_status tn_embedding_forward(tn_device *dev, const tn_embedding_shape *s, tn_buffer *y,
                               const tn_buffer *table, const tn_buffer *tokens, const tn_buffer *more,
                               const tn_buffer *codes) {
    const tn_embedding_key key = {s->N, s->D, s->V, s->C};
    const tn_embedding_args args = {.y = y, .table = table, .tokens = tokens, .more = more, .codes = codes};
    return tn_op_run(dev, &tn_embedding_op, TN_EMBEDDING_FORWARD, &key, &args);
}

tn_status tn_embedding_backward(tn_device *dev, const tn_embedding_shape *s, tn_buffer *dtable,
                                const tn_buffer *dy, const tn_buffer *order, const tn_buffer *start) {
    return tn_op_run(dev, &tn_embedding_op, TN_EMBEDDING_BACKWARD, &(tn_embedding_key){s->N, s->D, s->V, 0},
                     &(tn_embedding_args){.dtable = dtable, .dy = dy, .order = order, .start = start});
}

void tn_embedding_index(const int32_t *tokens, int64_t N, int64_t V, int32_t *order, int32_t *start) {
    for (int64_t v = 0; v <= V; v++)
        start[v] = 0;
    for (int64_t n = 0; n < N; n++)
        start[tokens[n] + 1]++;
    for (int64_t v = 0; v < V; v++)
        start[v + 1] += start[v];
    /* start[v] walks to the end of v's entries while they are placed, which is where v + 1 begins: shift back
     * after. */
    for (int64_t n = 0; n < N; n++)
        order[start[tokens[n]]++] = (int32_t)n;
    for (int64_t v = V; v > 0; v--)
        start[v] = start[v - 1];
    start[0] = 0;
}
