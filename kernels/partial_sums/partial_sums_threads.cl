/* Partial sums added up, in order of the parts. A work-item owns BLOCK neighbouring results; no barrier. */

#ifndef VECTORS
#define VECTORS 16 /* vectors of results that a work-item owns */
#endif

#define BLOCK  (VECTORS * LANES)
#define FIELDS 9 /* of a row of the table of many sums */

/* out[i] = Σ over parts of partial[part·stride + i], i from `first` on, BLOCK of them below count. */
static inline void add_block(global float *out, const global float *partial, int parts, int stride, int first,
                             int count) {
    const int last = min(first + BLOCK, count);
    for (int i = first; i < last; i += LANES) {
        const int left = last - i;
        floatv sum = load_part(partial + i, left);
        for (int z = 1; z < parts; z++)
            sum += load_part(partial + z * stride + i, left);
        store_part(sum, out + i, left);
    }
}

/* Grid: blocks of count. */
kernel void partial_sums_forward(global float *restrict out,           /* [count] */
                                 const global float *restrict partial, /* `at` floats, then [parts,stride] */
                                 const global int *rows,               /* [1] or NULL: all parts are there */
                                 int part_rows, int at, int parts, int stride, int count) {
    const int first = get_global_id(0) * BLOCK;
    if (first < count)
        add_block(out, partial + at, parts_counted(rows, part_rows, parts), stride, first, count);
}

/* Several sums in one launch. A row of the table: blocks of this sum and of those before it; floats to skip
 * in out and in partial; parts, stride, count; one that is not read; where `rows` has the number of rows that
 * the parts are made of, −1 where all parts are there; rows of a part. Grid: blocks of all. */
kernel void partial_sums_many(global float *restrict out, const global float *restrict partial,
                              const global int *restrict table, /* [sums,FIELDS] from row `row` on */
                              const global int *rows,           /* or NULL */
                              int row, int sums) {
    const int block = get_global_id(0);
    const global int *entry = table + row * FIELDS;
    int before = 0;
    for (int s = 0; s < sums && entry[0] <= block; s++, entry += FIELDS)
        before = entry[0];
    if (entry < table + (row + sums) * FIELDS)
        add_block(out + entry[1], partial + entry[2],
                  parts_counted(entry[7] < 0 ? 0 : rows + entry[7], entry[8], entry[3]), entry[4],
                  (block - before) * BLOCK, entry[5]);
}
