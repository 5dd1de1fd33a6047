/* The forward pass of softmax_cross_entropy where a work-group shares a row; built behind
 * softmax_cross_entropy.cl. The items' results are combined in order. */

/* The larger value wins; among equals the lower index. A NaN never wins. */
static inline void keep_larger(float *best, int *at, float value, int index) {
    if (value > *best || (value == *best && index < *at)) {
        *best = value;
        *at = index;
    }
}

/* Grid: a work-group a row. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void softmax_cross_entropy_forward_groups(
    global float *restrict loss,         /* [L] */
    global float *restrict lse,          /* [L] */
    global int *restrict predicted,      /* [L] */
    const global float *restrict logits, /* [L,V] */
    const global int *restrict labels,   /* [L], -1: no label */
    int V) {
    const int row = get_group_id(0), item = get_local_id(0);
    const global float *x = logits + row * V;
    float most, sum = 0.0f;
    int at;
    local float values[GROUP];
    local int indices[GROUP];
    find_largest(x, item, V, &most, &at);
    values[item] = most;
    indices[item] = at;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < GROUP; i++)
        keep_larger(&most, &at, values[i], indices[i]);
    barrier(CLK_LOCAL_MEM_FENCE);
    values[item] = sum_exponentials(x, item, V, most);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item > 0)
        return;
    for (int i = 0; i < GROUP; i++)
        sum += values[i];
    put_results(loss, lse, predicted, x, row, labels[row], V, most, at, sum);
}
