#include "fused_rows.h"

#include "style.h"

enum {
    WIDEST = 1 << 15, /* floats of a weight that stays near a unit beside its rows */
    STACK = 1 << 20   /* of private memory: half of what an item may have, the other half is the stack's */
};

int64_t tn_fused_parts(int64_t rows) {
    return tn_ceil_div(rows, TN_GEMM_PART_K);
}

bool tn_fused_fits(const tn_device *dev, int64_t bytes, int64_t weights, bool training, int64_t rows,
                   char *why, size_t size) {
    const int64_t room = (int64_t)tn_device_private_bytes(dev);
    if (bytes > (room < STACK ? room : STACK))
        snprintf(why, size, "a work-item's rows take %lld KiB", (long long)bytes >> 10);
    else if (weights > WIDEST)
        snprintf(why, size, "a weight of %lld floats is past a unit's cache", (long long)weights);
    else if (training && tn_fused_parts(rows) < 2 * (int64_t)tn_device_get_info(dev)->compute_units)
        /* A partial sum is one item's: smaller launches share better. */
        snprintf(why, size, "%lld rows have too few partial sums for the device's units", (long long)rows);
    else
        return true;
    return false;
}

void tn_fused_options(const tn_device *dev, int64_t tiles, tn_options *options) {
    const tn_gemm_layout g = tn_gemm_layout_of(dev);
    tn_options_int(options, "LANES", (long)g.lanes);
    tn_options_int(options, "NV", (long)g.vectors);
    tn_options_int(options, "TM", (long)g.rows);
    tn_options_int(options, "TILES", (long)tiles);
    tn_options_int(options, "PART", TN_GEMM_PART_K);
}
