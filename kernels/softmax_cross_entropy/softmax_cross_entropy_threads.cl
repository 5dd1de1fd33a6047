/* The forward pass of softmax_cross_entropy where a work-item has a row; built behind
 * softmax_cross_entropy.cl. */

/* Largest of a row and where it stands. Lanes past V count as -INFINITY. */
static inline void find_largest(const global float *row, int V, float *best, int *at) {
    floatv most = -INFINITY;
    intv where = V;
    for (int v = 0; v < V; v += LANES) {
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

/* Σ e^(x - most) of a row. */
static inline float sum_exponentials(const global float *row, int V, float most) {
    floatv sum = 0.0f;
    for (int v = 0; v < V; v += LANES) {
        const floatv e = expv(load_part(row + v, V - v) - most);
        sum += V - v < LANES ? (v + LANE_NUMBERS < V ? e : (floatv)(0.0f)) : e;
    }
    return sumv(sum);
}

/* Grid: L. */
kernel void softmax_cross_entropy_forward(global float *restrict loss,         /* [L] */
                                          global float *restrict lse,          /* [L] */
                                          global int *restrict predicted,      /* [L] */
                                          const global float *restrict logits, /* [L,V] */
                                          const global int *restrict labels,   /* [L], -1: no label */
                                          int L, int V) {
    const int row = get_global_id(0);
    const global float *x = logits + row * V;
    float most;
    int at;
    if (row >= L)
        return;
    find_largest(x, V, &most, &at);
    put_results(loss, lse, predicted, x, row, labels[row], V, most, at, sum_exponentials(x, V, most));
}
