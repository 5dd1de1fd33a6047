/* What the variants of partial_sums agree on. Private to host/ops. */
#ifndef TN_PARTIAL_SUMS_VARIANTS_H
#define TN_PARTIAL_SUMS_VARIANTS_H

#include "partial_sums.h"
#include "variant.h"

/* MANY, several sums of a list in one launch, has no name of its own. */
enum { TN_PARTIAL_SUMS_FORWARD, TN_PARTIAL_SUMS_MANY };

enum {
    TN_PARTIAL_SUMS_MOST = 64, /* that one launch does */
    TN_PARTIAL_SUMS_FIELDS = 9 /* of a row of the table, see kernels/partial_sums */
};

/* The key of a plan. */
typedef struct tn_partial_sums_key {
    int64_t count; /* 0 for MANY */
} tn_partial_sums_key;

typedef struct tn_partial_sums_args {
    const tn_buffer *out;
    const tn_buffer *partial;
    const tn_buffer *rows;                /* forward: i32 [1] or NULL; MANY: what the table's places are of */
    int64_t at, parts, stride, part_rows; /* forward */
    /* MANY: rows of the table, whose fields 0, the blocks up to the row's end, and 6 are filled in; they are
     * written to the device where they differ from what stands there. */
    tn_buffer *table;
    int32_t *waiting, *written;
    int64_t slot; /* of the table, TN_PARTIAL_SUMS_MOST rows each */
    int count;
} tn_partial_sums_args;

/* That writing. */
tn_status tn_partial_sums_write(const tn_partial_sums_args *a);

extern const tn_variant tn_partial_sums_threads, tn_partial_sums_groups;

#endif
