/* Rows that the items of a work-group share. ITEMS neighbours have a row: item i of them the vectors i, i +
 * ITEMS, …, EACH of them at most, so that neighbours touch neighbouring addresses. A group has as many rows
 * at once as it has times ITEMS items, and takes such rows one step after another. LANES is 4 where rows are
 * whole quads, else 1. Sums go over local memory in an order that ITEMS and the size of the group fix;
 * nothing relies on items in lock step. */

#ifndef GROUP
#define GROUP 256 /* items of a work-group at most; a power of two, as what it has is */
#endif
#ifndef ITEMS
#define ITEMS 16 /* items of a row; a power of two, GROUP at most */
#endif
#ifndef EACH
#define EACH 1 /* vectors of an item in a row */
#endif
#ifndef KEPT
#define KEPT 4 /* vectors that an item may keep in registers */
#endif
#ifndef EVEN
#define EVEN 0 /* 1: a row is ITEMS · EACH vectors */
#endif

#define ROW_ITEM   ((int)get_local_id(0) % ITEMS) /* which of its row's items an item is */
#define GROUP_ROW  ((int)get_local_id(0) / ITEMS) /* which of the group's rows it has */
#define GROUP_ROWS ((int)get_local_size(0) / ITEMS)

/* Element d, where an item's vector k begins, is in a row of D. */
#define ROW_PLACE(k) ((ROW_ITEM + (k)*ITEMS) * LANES)
#define IN_ROW(d, D) (EVEN || (d) < (D))

static inline floatv load_row(const global float *row, int d, bool take) {
    return take ? load_whole(row + d) : (floatv)(0.0f);
}

/* Σ of `part` over the items of a row, for each of them. `parts` has GROUP floats, which a later call may
 * take again only behind another barrier: callers alternate between two. */
ALWAYS_INLINE float row_total(float part, local float *parts) {
#if ITEMS == 1
    return part;
#else
    parts[get_local_id(0)] = part;
    barrier(CLK_LOCAL_MEM_FENCE);
    const local float *const row = parts + GROUP_ROW * ITEMS;
#if ITEMS == 2
    return row[0] + row[1];
#else
    float4 sum = *(const local float4 *)row;
    UNROLL for (int i = 4; i < ITEMS; i += 4) sum += *(const local float4 *)(row + i);
    return sum4(sum);
#endif
#endif
}

/* Σ of `part` over the rows of the group, for the items of the first one. `shared` has GROUP vectors. */
ALWAYS_INLINE floatv column_total(floatv part, local floatv *shared) {
    const int id = get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE); /* the sum before this one has been read */
    shared[id] = part;
    for (int half_ = GROUP_ROWS / 2; half_ > 0; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (GROUP_ROW < half_)
            shared[id] += shared[id + half_ * ITEMS];
    }
    return shared[id];
}
