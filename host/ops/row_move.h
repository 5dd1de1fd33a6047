/* What row_gather and row_scatter share: whole rows from one tensor to another by a list. Private to
 * host/ops. */
#ifndef TN_ROW_MOVE_H
#define TN_ROW_MOVE_H

#include "buffer.h"
#include "variant.h"

enum { TN_ROW_MOVE_FORWARD, TN_ROW_MOVE_BACKWARD };

/* The key of a plan. */
typedef struct tn_row_move_key {
    int64_t R, D;
} tn_row_move_key;

typedef struct tn_row_move_args {
    tn_buffer *to;
    const tn_buffer *from, *rows;
    const tn_buffer *count; /* i32 [1], where a variant is `counted`: listed rows that there are; NULL: R */
} tn_row_move_args;

/* One pass of `op`; nothing where R is 0. */
tn_status tn_row_move(tn_device *dev, const tn_op *op, int pass, tn_row_move_key s,
                      const tn_row_move_args *args);

enum { TN_ROW_MOVE_TUNABLES = 5 };
extern const tn_tunable tn_row_move_tunables[TN_ROW_MOVE_TUNABLES];
/* For kernel `name` of `op`. */
tn_status tn_row_move_plan(tn_device *dev, const char *op, const char *name, const tn_row_move_key *s,
                           const int *values, void *plan);
tn_status tn_row_move_run(tn_device *dev, int pass, const void *shape, const void *plan, const void *args);

extern const tn_variant tn_row_gather_threads, tn_row_scatter_threads;

#endif
