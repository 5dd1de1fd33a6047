/* Routing compaction (kernels/route_compact/): mask → count → scan → stable row list. Launches are sized by
 * B and T alone: ⌈T / TILE⌉ × B items count and place, one work-group scans (variant launches); few positions
 * are one item's work where items are threads (variant single). How many rows came out stands in start[B] on
 * the device, and whoever launches over the list reads it back. */
#ifndef TN_ROUTE_COMPACT_H
#define TN_ROUTE_COMPACT_H

#include "buffer.h"

extern const struct tn_op tn_route_compact_op;

typedef struct tn_route_compact_shape {
    int64_t B, T;  /* sequences, positions */
    int64_t block; /* positions from 0 on that are listed together where any of them is routed; 0, 1: alone */
} tn_route_compact_shape;

/* Routed means from here on: by the mask, or in a block with a position that is.
 * rows: b·T + t of every routed position, ascending; sequence b's are start[b] … start[b+1]−1; what lies past
 * start[B] is left alone. slot[n]: place of row n in the list, −1 when it is not routed. last[b]: last routed
 * position, −1 for none. */
tn_status tn_route_compact_forward(tn_device *dev, const tn_route_compact_shape *s,
                                   tn_buffer *rows /* i32 [B·T] */, tn_buffer *start /* i32 [B+1] */,
                                   tn_buffer *slot /* i32 [B,T] */, tn_buffer *last /* i32 [B] */,
                                   const tn_buffer *mask /* u8 [B,T] */);

/* From start and last as the pass above leaves them, where no host reads them: the rows that keys and values
 * are needed of, of each sequence all up to its last routed one, packed: kv_rows, sequence b's from
 * kv_start[b] on; and how many routed rows and how many of these there are (variant.h, tn_op_rows). s->block
 * is not read. */
tn_status tn_route_compact_keys(tn_device *dev, const tn_route_compact_shape *s,
                                tn_buffer *kv_start /* i32 [B+1] */, tn_buffer *kv_rows /* i32 [B·T] */,
                                tn_buffer *rows_count /* i32 [1] */, tn_buffer *keys_count /* i32 [1] */,
                                tn_buffer *start /* i32 [B+1] */, tn_buffer *last /* i32 [B] */);

#endif
