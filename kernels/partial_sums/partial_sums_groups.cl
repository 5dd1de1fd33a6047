/* Partial sums added up where a work-group has a strip of results: `lanes` of its items have the same quad of
 * results, each every lanes-th part of it, and their sums are added over local memory, halves onto halves.
 * How many lanes depends on the number of parts alone, so that one of few results and many parts has work for
 * many items too. Where the device alone knows how many parts there are, items have the lanes that the most
 * there can be would give, and those that so few parts do not take add nothing: the order is the same. */

#ifndef SUMS_GROUP
#define SUMS_GROUP 256 /* items of a work-group at most; a power of two, as what it has is */
#endif
#define FIELDS 9 /* of a row of the table of many sums */

/* The first `left` of four floats at p, 1 or more. */
static inline float4 load_results(const global float *p, int left) {
    return (float4)(p[0], left > 1 ? p[1] : 0.0f, left > 2 ? p[2] : 0.0f, left > 3 ? p[3] : 0.0f);
}

/* Lanes that so many parts take, at most `lanes`: `each` parts of an item at least, as the host has it. */
static inline int lanes_taken(int lanes, int each, int parts) {
    while (lanes > 1 && lanes * each > parts)
        lanes /= 2;
    return lanes;
}

/* out[i] = Σ over parts of partial[at + part·stride + i] for the strip's quads; out begins at a multiple of
 * 16 bytes. Of the strip's lanes `taken` have parts. */
ALWAYS_INLINE void add_strip(global float *out, const global float *partial, int at, int parts, int stride,
                             int count, int lanes, int taken, int strip, local float4 *shared) {
    const int id = get_local_id(0), across = (int)get_local_size(0) / lanes, lane = id / across;
    const int i = (strip * across + id % across) * 4, left = count - i;
    const bool whole = ((at | stride | count) & 3) == 0;
    float4 sum = (float4)(-0.0f); /* what may be added to anything, a lone part of −0 too */
    partial += at + i;
    if (lane >= taken)
        parts = 0;
    if (left > 0 && whole) {
        /* Unrolled, so that loads are under way together: there are few items to hide one behind another. */
#pragma unroll 4
        for (int z = lane; z < parts; z += taken)
            sum += *(const global float4 *)(partial + z * stride);
    } else if (left > 0) {
        for (int z = lane; z < parts; z += taken)
            sum += load_results(partial + z * stride, left);
    }
    shared[id] = sum;
    for (int half_ = taken / 2; half_ > 0; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_)
            shared[id] += shared[id + half_ * across];
    }
    if (lane > 0 || left <= 0)
        return;
    sum = shared[id];
    if (whole) {
        *(global float4 *)(out + i) = sum;
        return;
    }
    out[i] = sum.s0;
    if (left > 1)
        out[i + 1] = sum.s1;
    if (left > 2)
        out[i + 2] = sum.s2;
    if (left > 3)
        out[i + 3] = sum.s3;
}

/* Grid: a group a strip. */
kernel void partial_sums_forward_groups(
    global float *restrict out,           /* [count] */
    const global float *restrict partial, /* `at` floats, then [parts,stride] */
    const global int *rows,               /* [1] or NULL: all parts are there */
    int part_rows, int at, int parts, int stride, int count, int lanes, int each) {
    local float4 shared[SUMS_GROUP];
    const int there = parts_counted(rows, part_rows, parts);
    add_strip(out, partial, at, there, stride, count, lanes, lanes_taken(lanes, each, there), get_group_id(0),
              shared);
}

/* Several sums in one launch. A row of the table as for partial_sums_many, with strips for blocks and the
 * sum's lanes for what is not read there. Grid: a group a strip of all. */
kernel void partial_sums_many_groups(global float *restrict out, const global float *restrict partial,
                                     const global int *restrict table, /* [sums,FIELDS] from row `row` on */
                                     const global int *rows,           /* or NULL */
                                     int row, int sums, int each) {
    local float4 shared[SUMS_GROUP];
    local int chosen;
    const global int *entries = table + row * FIELDS;
    const int strip = get_group_id(0);
    /* Each item looks at a row of its own, so that nobody waits for one after the other. */
    for (int s = get_local_id(0); s < sums; s += get_local_size(0))
        if (strip < entries[s * FIELDS] && (s == 0 || strip >= entries[s * FIELDS - FIELDS]))
            chosen = s;
    barrier(CLK_LOCAL_MEM_FENCE);
    const int s = chosen;
    const global int *const entry = entries + s * FIELDS;
    const int there = parts_counted(entry[7] < 0 ? 0 : rows + entry[7], entry[8], entry[3]);
    add_strip(out + entry[1], partial, entry[2], there, entry[4], entry[5], entry[6],
              lanes_taken(entry[6], each, there), strip - (s > 0 ? entries[s * FIELDS - FIELDS] : 0), shared);
}
