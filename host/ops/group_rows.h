/* How work-groups share rows of D floats (kernels/lib/group_rows.cl): which of a group's items have a row,
 * how many rows a group has at once, and how often. All of it depends on the shape and on tunables, never on
 * how many compute units a device has. Private to host/ops. */
#ifndef TN_GROUP_ROWS_H
#define TN_GROUP_ROWS_H

#include "variant.h"

enum {
    TN_GROUP_ROWS_KEPT = 4
}; /* vectors an item keeps of a row: it takes more items before it takes more of them */

/* The tunables of every variant over it, in front of its own. */
enum { TN_GROUP_ROWS_LANES, TN_GROUP_ROWS_ITEMS, TN_GROUP_ROWS_LOCAL, TN_GROUP_ROWS_TUNABLES };
#define TN_GROUP_ROWS_TUNABLES_OF(bits)                                                                      \
    [TN_GROUP_ROWS_LANES] =                                                                                  \
        TN_TUNABLE("LANES", "lanes of a vector where rows are whole vectors", 4, 4, bits, 1, 4),             \
    [TN_GROUP_ROWS_ITEMS] = TN_TUNABLE("ITEMS", "work-items of a row before one has several vectors of it",  \
                                       64, 64, bits, 16, 32, 64, 128, 256),                                  \
    [TN_GROUP_ROWS_LOCAL] = TN_TUNABLE("LOCAL", "work-items of a work-group", 256, 256, bits, 64, 128, 256)

typedef struct tn_group_rows {
    tn_kernel *kernel;
    int64_t lanes, items, each; /* of a vector; of a row; vectors an item has of one, most of them */
    int64_t rows;               /* of a group at once */
    int64_t steps, groups;      /* steps: times that; groups times that cover all rows */
    tn_range range;             /* groups · local, one-dimensional */
} tn_group_rows;

/* Kernel `name` of kernels/<file>.cl, built with `options` (may be NULL) and the layout for rows of D floats.
 * Where the device allows smaller groups alone, rows have fewer items. */
tn_status tn_group_rows_make(tn_device *dev, const char *file, const char *name, const tn_options *options,
                             int64_t D, const int *values, tn_group_rows *out);
/* Up to `most` steps: a row's weights are loaded once for all of them; fewer where groups would be few. */
void tn_group_rows_spread(tn_group_rows *rows, int64_t N, int64_t most);
/* Steps for a pass whose groups each leave a partial sum: so many rows that the sums are next to nothing
 * beside them, and no more than some hundred sums; `most` steps, where it is above 0. */
void tn_group_rows_part(tn_group_rows *rows, int64_t N, int64_t most);

#endif
