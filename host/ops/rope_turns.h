/* The turns a position that rotary embeddings take (kernels/lib/turn.cl). Private to host/ops. */
#ifndef TN_ROPE_TURNS_H
#define TN_ROPE_TURNS_H

#include "buffer.h"

/* The device's table, for a plan to keep. */
typedef struct tn_rope_table tn_rope_table;
tn_status tn_rope_table_of(tn_device *dev, tn_rope_table **out);
/* u32 [2,Dh/2]: base^(−2i/Dh) / 2π as 64 bits behind the point, upper halves, then lower ones. Kept by the
 * device until another width or base is asked for; borrowed. */
tn_status tn_rope_turns(tn_device *dev, tn_rope_table *table, int64_t Dh, double base, const tn_buffer **out);

#endif
