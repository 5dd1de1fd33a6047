#include "embedding.h"

#include "launch.h"

static tn_status prepare(tn_device *dev, const char *name, int64_t D, tn_kernel **out, size_t *chunks,
                         size_t *local) {
    const int64_t lanes = tn_tunable_ask(dev, "embedding", "LANES", 16, 1);
    tn_options options = {""};
    tn_options_int(&options, "LANES", (long)lanes);
    tn_options_int(&options, "ROWS", tn_tunable_ask(dev, "embedding", "ROWS", 16, 1));
    TN_TRY(tn_kernel_get(dev, "embedding", name, &options, out));
    *chunks = (size_t)((D + lanes - 1) / lanes);
    *local = tn_kernel_group(*out, (size_t)tn_tunable_ask(dev, "embedding", "LOCAL", 1, 64));
    return TN_OK;
}

tn_status tn_embedding_forward(tn_device *dev, const tn_embedding_shape *s, tn_buffer *y,
                               const tn_buffer *table, const tn_buffer *tokens) {
    tn_kernel *k;
    size_t chunks, local, rows = (size_t)tn_tunable_ask(dev, "embedding", "ROWS", 16, 1);
    TN_TRY(prepare(dev, "embedding_forward", s->D, &k, &chunks, &local));
    return tn_launch(dev, k, tn_range_2d(chunks, ((size_t)s->N + rows - 1) / rows, local, 1),
                     tn_arg_buffer(y), tn_arg_buffer(table), tn_arg_buffer(tokens), tn_arg_i32(s->N),
                     tn_arg_i32(s->D));
}

tn_status tn_embedding_backward(tn_device *dev, const tn_embedding_shape *s, tn_buffer *dtable,
                                const tn_buffer *dy, const tn_buffer *order, const tn_buffer *start) {
    tn_kernel *k;
    size_t chunks, local;
    TN_TRY(prepare(dev, "embedding_backward", s->D, &k, &chunks, &local));
    return tn_launch(dev, k, tn_range_2d(chunks, (size_t)s->V, local, 1), tn_arg_buffer(dtable),
                     tn_arg_buffer(dy), tn_arg_buffer(order), tn_arg_buffer(start), tn_arg_i32(s->V),
                     tn_arg_i32(s->D));
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
