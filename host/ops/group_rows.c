#include "group_rows.h"

enum {
    LEAST_ROWS = 32, /* of a part: writing and reading its sum is then 2 % of reading and writing the rows */
    MOST_PARTS = 512,
    FEW_GROUPS = 128
};

static int64_t items_of(int64_t vectors, int64_t wanted, int64_t group) {
    int64_t items = 1;
    while (items < vectors && items < group && (items < wanted || vectors > TN_GROUP_ROWS_KEPT * items))
        items *= 2;
    return items;
}

tn_status tn_group_rows_make(tn_device *dev, const char *file, const char *name, const tn_options *options,
                             int64_t D, const int *values, tn_group_rows *out) {
    const int lanes = D % values[TN_GROUP_ROWS_LANES] == 0 ? values[TN_GROUP_ROWS_LANES] : 1;
    const int64_t vectors = D / lanes;
    /* What a device allows is known only after building, and how many items a row has is part of the kernel.
     */
    for (int64_t group = values[TN_GROUP_ROWS_LOCAL];; group /= 2) {
        tn_options all = options ? *options : (tn_options){""};
        out->lanes = lanes;
        out->items = items_of(vectors, values[TN_GROUP_ROWS_ITEMS], group);
        out->each = tn_ceil_div(vectors, out->items);
        out->rows = group / out->items;
        tn_options_vectors(&all, lanes, D);
        tn_options_int(&all, "ROW_KEPT", TN_GROUP_ROWS_KEPT);
        tn_options_int(&all, "ROWS_GROUP", group);
        tn_options_int(&all, "ROW_ITEMS", out->items);
        tn_options_int(&all, "ROW_EACH", out->each);
        tn_options_int(&all, "ROW_EVEN", out->items * out->each == vectors);
        TN_TRY(tn_kernel_get(dev, file, name, &all, &out->kernel));
        out->range.local[0] = (size_t)group;
        if (group <= 1 || (size_t)group <= tn_kernel_max_work_group(out->kernel))
            return TN_OK;
    }
}

static void cover(tn_group_rows *rows, int64_t N, int64_t steps, int64_t most) {
    const size_t local = rows->range.local[0];
    rows->steps = steps < 1 ? 1 : most > 0 && steps > most ? most : steps;
    rows->groups = tn_ceil_div(N, rows->rows * rows->steps);
    rows->range = tn_range_1d((size_t)rows->groups * local, local);
}

void tn_group_rows_spread(tn_group_rows *rows, int64_t N, int64_t most) {
    cover(rows, N, N / (rows->rows * FEW_GROUPS), most);
}

void tn_group_rows_part(tn_group_rows *rows, int64_t N, int64_t most) {
    const int64_t least = tn_ceil_div(LEAST_ROWS, rows->rows), even = tn_ceil_div(N, rows->rows * MOST_PARTS);
    cover(rows, N, even > least ? even : least, most);
}
