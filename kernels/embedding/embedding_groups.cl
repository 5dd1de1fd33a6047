/* The gradient of embedding where a work-group has a token: ACROSS items side by side on a row, and SLICES of
 * them share the token's list, since one token may have a fifth of all positions. Slice i takes the entries
 * i, i + SLICES, … in order; then the slices are added up in order. */

#ifndef ACROSS
#define ACROSS 16 /* work-items side by side */
#endif
#ifndef GROUP
#define GROUP 256 /* work-items of a token: a multiple of ACROSS */
#endif

#define SLICES (GROUP / ACROSS)

/* Grid: vectors of a row × tokens. */
kernel __attribute__((reqd_work_group_size(ACROSS, SLICES, 1))) void embedding_backward_groups(
    global float *restrict dtable,    /* [V,D] */
    const global float *restrict dy,  /* [N,D] */
    const global int *restrict order, /* [N], positions by token, ascending in each */
    const global int *restrict start, /* [V+1], first entry of each token in order */
    int D) {
    const int v = get_group_id(1), d = get_global_id(0) * LANES, left = LEFT(d, D);
    const int item = get_local_id(0), slice = get_local_id(1);
    local floatv parts[SLICES][ACROSS] __attribute__((aligned(16)));
    local int list[2]; /* its first entry, and the first behind it: read once a work-group */
    floatv sum = 0.0f;
    if (slice * ACROSS + item < 2)
        list[slice * ACROSS + item] = start[v + slice * ACROSS + item];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (d < D) {
#pragma unroll 4
        for (int i = list[0] + slice; i < list[1]; i += SLICES)
            sum += load_part(dy + order[i] * D + d, left);
    }
    parts[slice][item] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (slice > 0 || d >= D)
        return;
    for (int s = 1; s < SLICES; s++)
        sum += parts[s][item];
    store_part(sum, dtable + v * D + d, left);
}
