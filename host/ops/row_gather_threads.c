/* An item owns rows, or a vector of each (row_move.c). */
#include "row_move.h"

static tn_status make(tn_device *dev, int pass, const void *shape, const int *values, void *out) {
    return tn_row_move_plan(dev, "row_gather",
                            pass == TN_ROW_MOVE_FORWARD ? "row_gather_forward" : "row_gather_backward", shape,
                            values, out);
}

const tn_variant tn_row_gather_threads = {.name = "threads",
                                          .style = TN_STYLE_THREADS,
                                          .portable = true,
                                          .counted = 1u << TN_ROW_MOVE_FORWARD | 1u << TN_ROW_MOVE_BACKWARD,
                                          .tunable_count = TN_ROW_MOVE_TUNABLES,
                                          .tunables = tn_row_move_tunables,
                                          .plan = make,
                                          .run = tn_row_move_run};
