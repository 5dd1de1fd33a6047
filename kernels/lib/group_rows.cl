/* Rows that the items of a work-group share. ROW_ITEMS neighbours have a row: item i of them the vectors i, i
 * + ROW_ITEMS, …, ROW_EACH of them at most, so that neighbours touch neighbouring addresses. A group has as
 * many rows at once as it has times ROW_ITEMS items, and takes such rows one step after another. LANES is 4
 * where rows are whole quads, else 1. Sums go over local memory in an order that ROW_ITEMS and the size of
 * the group fix; nothing relies on items in lock step. */

#ifndef ROWS_GROUP
#define ROWS_GROUP 256 /* items of a work-group at most; a power of two, as what it has is */
#endif
#ifndef ROW_ITEMS
#define ROW_ITEMS 16 /* items of a row; a power of two, ROWS_GROUP at most */
#endif
#ifndef ROW_EACH
#define ROW_EACH 1 /* vectors of an item in a row */
#endif
#ifndef ROW_KEPT
#define ROW_KEPT 4 /* vectors that an item may keep in registers */
#endif
#ifndef ROW_EVEN
#define ROW_EVEN 0 /* 1: a row is ROW_ITEMS · ROW_EACH vectors */
#endif

#define MY_ITEM    ((int)get_local_id(0) % ROW_ITEMS) /* which of its row's items an item is */
#define MY_ROW     ((int)get_local_id(0) / ROW_ITEMS) /* which of the group's rows it has */
#define GROUP_ROWS ((int)get_local_size(0) / ROW_ITEMS)

/* Element d, where an item's vector k begins, is in a row of D. */
#define ROW_PLACE(k) ((MY_ITEM + (k)*ROW_ITEMS) * LANES)
#define IN_ROW(d, D) (ROW_EVEN || (d) < (D))

static inline floatv load_row(const global float *row, int d, bool take) {
    return take ? load_whole(row + d) : (floatv)(0.0f);
}

/* Σ of `part` over the items of a row, for each of them. `parts` has ROWS_GROUP floats, which a later call
 * may take again only behind another barrier: callers alternate between two. */
ALWAYS_INLINE float row_total(float part, local float *parts) {
#if ROW_ITEMS == 1
    return part;
#else
    parts[get_local_id(0)] = part;
    barrier(CLK_LOCAL_MEM_FENCE);
    const local float *const row = parts + MY_ROW * ROW_ITEMS;
#if ROW_ITEMS == 2
    return row[0] + row[1];
#else
    float4 sum = *(const local float4 *)row;
    UNROLL for (int i = 4; i < ROW_ITEMS; i += 4) sum += *(const local float4 *)(row + i);
    return sum4(sum);
#endif
#endif
}

/* Σ of `part` over the rows of the group, for the items of the first one. `shared` has ROWS_GROUP vectors. */
ALWAYS_INLINE floatv column_total(floatv part, local floatv *shared) {
    const int id = get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE); /* the sum before this one has been read */
    shared[id] = part;
    for (int half_ = GROUP_ROWS / 2; half_ > 0; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (MY_ROW < half_)
            shared[id] += shared[id + half_ * ROW_ITEMS];
    }
    return shared[id];
}

/* Sums over rows that no item waits for: each leaves its part of the row of each step, of ROW_STEPS at most,
 * and after a barrier one item reads a whole row's, next to those of its neighbours, so that results go out
 * side by side. Rows lie side by side, with room behind them that keeps 32 items' parts in 32 banks. */
#ifndef ROW_STEPS
#define ROW_STEPS 8
#endif
#define ROW_PARTS_WIDTH  (ROW_STEPS * (ROWS_GROUP / ROW_ITEMS) + (ROW_ITEMS >= 32 ? 1 : 32 / ROW_ITEMS))
#define ROW_PARTS_FLOATS (ROW_ITEMS * ROW_PARTS_WIDTH)

ALWAYS_INLINE void leave_row_part(float part, local float *parts, int s) {
    parts[MY_ITEM * ROW_PARTS_WIDTH + s * GROUP_ROWS + MY_ROW] = part;
}

/* Of row i of those of all steps. */
ALWAYS_INLINE float row_parts_total(const local float *parts, int i) {
    float sum = 0.0f;
    UNROLL for (int k = 0; k < ROW_ITEMS; k++) sum += parts[k * ROW_PARTS_WIDTH + i];
    return sum;
}
