#include "row_scatter.h"

#include "launch.h"

static tn_status launch(tn_device *dev, const tn_row_scatter_shape *s, const char *name, tn_buffer *to,
                        const tn_buffer *from, const tn_buffer *rows) {
    tn_options options = {""};
    tn_kernel *k;
    if (s->R == 0)
        return TN_OK;
    const int lanes = tn_tunable(dev, "row_scatter", "LANES", 16, 4);
    const int64_t share = tn_share(s->R, tn_tunable(dev, "row_scatter", "ROWS", 16, 1));
    const int64_t vectors = tn_tunable(dev, "row_scatter", "SPLIT", 0, 1) ? tn_ceil_div(s->D, lanes) : 1;
    tn_options_int(&options, "LANES", lanes);
    const bool whole = s->D % lanes == 0;
    tn_options_int(&options, "WHOLE", whole);
    /* Asked for, whatever the width: a tunable is seen by its use. */
    const bool stream = tn_stream(dev, "row_scatter", 4.0 * (double)s->R * (double)s->D);
    tn_options_int(&options, "STREAM", whole && stream);
    TN_TRY(tn_kernel_get(dev, "row_scatter", name, &options, &k));
    size_t local = tn_kernel_group(k, (size_t)tn_tunable(dev, "row_scatter", "LOCAL", 1, 64)), across = 1;
    while (across * 2 <= local && across < (size_t)vectors)
        across *= 2;
    return tn_launch(dev, k,
                     tn_range_2d((size_t)vectors, (size_t)tn_ceil_div(s->R, share), across, local / across),
                     tn_arg_buffer(to), tn_arg_buffer(from), tn_arg_buffer(rows), tn_arg_i32(share),
                     tn_arg_i32(s->R), tn_arg_i32(s->D));
}

tn_status tn_row_scatter_forward(tn_device *dev, const tn_row_scatter_shape *s, tn_buffer *y,
                                 const tn_buffer *x, const tn_buffer *rows) {
    return launch(dev, s, "row_scatter_forward", y, x, rows);
}

tn_status tn_row_scatter_backward(tn_device *dev, const tn_row_scatter_shape *s, tn_buffer *dx,
                                  const tn_buffer *dy, const tn_buffer *rows) {
    return launch(dev, s, "row_scatter_backward", dx, dy, rows);
}
