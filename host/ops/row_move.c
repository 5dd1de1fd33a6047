#include "row_move.h"

#include "launch.h"

tn_status tn_row_move(tn_device *dev, const char *op, const char *name, int64_t R, int64_t D, tn_buffer *to,
                      const tn_buffer *from, const tn_buffer *rows) {
    tn_options options = {""};
    tn_kernel *k;
    if (R == 0)
        return TN_OK;
    const int lanes = tn_tunable_ask(dev, op, "LANES", 16, 4);
    const int64_t share = tn_share(R, tn_tunable_ask(dev, op, "ROWS", 16, 1));
    const int64_t vectors = tn_tunable_ask(dev, op, "SPLIT", 0, 1) ? tn_ceil_div(D, lanes) : 1;
    tn_options_rows_ask(&options, dev, op, lanes, R, D);
    TN_TRY(tn_kernel_get(dev, op, name, &options, &k));
    size_t local = tn_kernel_group(k, (size_t)tn_tunable_ask(dev, op, "LOCAL", 1, 64)), across = 1;
    while (across * 2 <= local && across < (size_t)vectors)
        across *= 2;
    return tn_launch(dev, k,
                     tn_range_2d((size_t)vectors, (size_t)tn_ceil_div(R, share), across, local / across),
                     tn_arg_buffer(to), tn_arg_buffer(from), tn_arg_buffer(rows), tn_arg_i32(share),
                     tn_arg_i32(R), tn_arg_i32(D));
}
