/* The forward pass of softmax_cross_entropy where ITEMS work-items share a row, several rows a work-group;
 * built behind softmax_cross_entropy.cl. Logits are read once: an item's sum of e^x is of x less the largest
 * that it has seen, and scaled anew when a larger one comes. Rows are whole vectors. */

#ifndef GROUP
#define GROUP 256 /* work-items of a work-group */
#endif
#ifndef ITEMS
#define ITEMS 64 /* work-items of a row, a power of two */
#endif

#define AT_ONCE 4 /* vectors that are loaded before any is used */
#define LOWEST  -3.402823466e38f

/* The larger value wins; among equals the lower index. A NaN never wins: it is in the sum. */
static inline void keep_larger(float *best, int *at, float value, int index) {
    if (value > *best || (value == *best && index < *at)) {
        *best = value;
        *at = index;
    }
}

/* Of this item's share of a row: the largest, where it stands (V: nowhere), and the sum of e^(x - largest).
 */
ALWAYS_INLINE float share_of_row(const global float *row, int item, int V, float *best, int *at) {
    floatv most = LOWEST, sum = 0.0f;
    intv where = V;
    for (int first = item * LANES; first < V; first += AT_ONCE * ITEMS * LANES) {
        floatv x[AT_ONCE], before = most;
        UNROLL for (int i = 0; i < AT_ONCE; i++) {
            const int v = first + i * (ITEMS * LANES);
            x[i] = v < V ? load_whole(row + v) : (floatv)(-INFINITY);
            where = x[i] > most ? v + LANE_NUMBERS : where;
            most = x[i] > most ? x[i] : most;
        }
        sum *= expv(before - most);
        UNROLL for (int i = 0; i < AT_ONCE; i++) sum += expv(x[i] - most);
    }
    float values[LANES];
    int indices[LANES];
    STOREV(most, values);
    STOREV(where, indices);
    *best = values[0];
    *at = indices[0];
    UNROLL for (int l = 1; l < LANES; l++) keep_larger(best, at, values[l], indices[l]);
    return sumv(sum * expv(most - *best));
}

/* Grid: work-groups of GROUP / ITEMS rows. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void softmax_cross_entropy_forward_groups(
    global float *restrict loss,         /* [L] */
    global float *restrict lse,          /* [L] */
    global int *restrict predicted,      /* [L] */
    const global float *restrict logits, /* [L,V] */
    const global int *restrict labels,   /* [L], -1: no label */
    int L, int V) {
    const int me = get_local_id(0), item = me % ITEMS, row = get_group_id(0) * (GROUP / ITEMS) + me / ITEMS;
    const global float *x = logits + row * V;
    float most = LOWEST, sum = 0.0f;
    int at = V;
    local float values[GROUP], sums[GROUP];
    local int indices[GROUP];
    if (row < L)
        sum = share_of_row(x, item, V, &most, &at);
    for (int n = ITEMS / 2; n > 0; n /= 2) {
        values[me] = most;
        indices[me] = at;
        sums[me] = sum;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < n) {
            const float own = most, other = values[me + n];
            keep_larger(&most, &at, other, indices[me + n]);
            sum = sum * exp1(own - most) + sums[me + n] * exp1(other - most);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (item == 0 && row < L) /* nothing is the largest: a row of -INFINITY has no softmax */
        put_results(loss, lse, predicted, x, row, labels[row], V, most, at, at < V ? sum : NAN);
}
