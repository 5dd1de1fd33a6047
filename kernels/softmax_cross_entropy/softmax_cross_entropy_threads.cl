/* The forward pass of softmax_cross_entropy where a work-item has a row; built behind
 * softmax_cross_entropy.cl. */

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
    find_largest(x, 0, V, &most, &at);
    put_results(loss, lse, predicted, x, row, labels[row], V, most, at, sum_exponentials(x, 0, V, most));
}
