#include "layer.h"

tn_status tn_layer_measure(tn_device *dev, const tn_layer_shape *shape, const tn_bench_options *options,
                           tn_cost_row *row) {
    (void)options;
    (void)row;
    return tn_fail(tn_device_context(dev), TN_ERR_UNSUPPORTED, "layer cells (%s) are not in this build",
                   shape->mixer);
}
