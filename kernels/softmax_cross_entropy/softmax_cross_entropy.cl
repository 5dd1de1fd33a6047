/* Cross-entropy of a softmax over V logits a row, the log-sum-exp kept for the backward pass, and the index
 * of the largest logit: what the variants share. */

static inline void put_results(global float *loss, global float *lse, global int *predicted,
                               const global float *x, int row, int label, int V, float most, int at,
                               float sum) {
    const float rest = log(sum);
    lse[row] = most + rest;
    predicted[row] = rest != rest ? -1 : at < V ? at : 0; /* a NaN wins no comparison: it is in the sum */
    loss[row] = label >= 0 && label < V ? (most - x[label]) + rest : 0.0f;
}

/* dlogits = (e^(logits - lse) - [v = label])·scale; a row without label gets zeros. */
kernel void softmax_cross_entropy_backward(global float *dlogits,             /* [L,V] */
                                           const global float *logits,        /* [L,V], may be dlogits */
                                           const global int *restrict labels, /* [L] */
                                           const global float *restrict lse,  /* [L] */
                                           float scale, int L, int V) {
    const int row = get_global_id(1), first = get_global_id(0);
    if (row >= L)
        return;
    const int label = labels[row];
    const float total = lse[row];
    for (int v = first * LANES; v < V; v += get_global_size(0) * LANES) {
        const int at = row * V + v;
        const floatv p = expv(load_part(logits + at, LEFT(v, V)) - total);
        const floatv hot = v + LANE_NUMBERS == label ? (floatv)(1.0f) : (floatv)(0.0f);
        store_part(label < 0 || label >= V ? (floatv)(0.0f) : (p - hot) * scale, dlogits + at, LEFT(v, V));
    }
}
