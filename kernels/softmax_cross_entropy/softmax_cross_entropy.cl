/* Cross-entropy of a softmax over V logits a row, the log-sum-exp kept for the backward pass, and the index
 * of the largest logit. GROUP work-items share a row: item i takes the vectors i, i + GROUP, … */

#ifndef GROUP
#define GROUP 1 /* work-items a row */
#endif

/* Largest of this item's share of a row and where it stands. Lanes past V count as -INFINITY. */
static inline void find_largest(const global float *row, int item, int V, float *best, int *at) {
    floatv most = -INFINITY;
    intv where = V;
    for (int v = item * LANES; v < V; v += GROUP * LANES) {
        const intv index = v + LANE_NUMBERS;
        floatv x = load_part(row + v, V - v);
        if (V - v < LANES)
            x = index < V ? x : (floatv)(-INFINITY);
        where = x > most ? index : where;
        most = x > most ? x : most;
    }
    float values[LANES];
    int indices[LANES];
    STOREV(most, values);
    *best = values[0];
    for (int l = 1; l < LANES; l++)
        *best = values[l] > *best ? values[l] : *best;
    STOREV(most == (floatv)(*best) ? where : (intv)(V), indices);
    *at = indices[0];
    for (int l = 1; l < LANES; l++)
        *at = indices[l] < *at ? indices[l] : *at;
}

/* Σ e^(x - most) of this item's share. */
static inline float sum_exponentials(const global float *row, int item, int V, float most) {
    floatv sum = 0.0f;
    for (int v = item * LANES; v < V; v += GROUP * LANES) {
        const floatv e = expv(load_part(row + v, V - v) - most);
        sum += V - v < LANES ? (v + LANE_NUMBERS < V ? e : (floatv)(0.0f)) : e;
    }
    return sumv(sum);
}

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
        const floatv p = expv(load_part(logits + at, V - v) - total);
        const floatv hot = v + LANE_NUMBERS == label ? (floatv)(1.0f) : (floatv)(0.0f);
        store_part(label < 0 || label >= V ? (floatv)(0.0f) : (p - hot) * scale, dlogits + at, V - v);
    }
}
