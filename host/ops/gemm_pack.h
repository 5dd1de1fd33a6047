/* The layout of variant threads, which fused ops share: panels of a B, tiles of rows, orders of summing.
 * Private to host/ops. */
#ifndef TN_GEMM_PACK_H
#define TN_GEMM_PACK_H

#include "launch.h"

enum {
    TN_GEMM_PART_K = 512,   /* k of a partial sum of TN: fixed, so bits do not move */
    TN_GEMM_PART_ROWS = 256 /* rows of a partial sum of a bias's gradient: fixed as well */
};

typedef struct tn_gemm_layout {
    int64_t lanes, vectors, rows; /* of a tile: lanes of a vector, vectors side by side, rows */
} tn_gemm_layout;
tn_gemm_layout tn_gemm_layout_of(const tn_device *dev);

/* How a B is packed; part of a plan. */
typedef struct tn_gemm_packing {
    tn_kernel *kernel;
    tn_range range;
    int64_t N, K, floats;
    int transposed; /* B is [N,K], else [K,N] */
} tn_gemm_packing;
tn_status tn_gemm_packing_make(tn_device *dev, int64_t N, int64_t K, bool transposed, tn_gemm_packing *out);
/* B as panels in the device's scratch `slot`. Borrowed. count: i32 [1], those of K rows that there are, or
 * NULL: all. */
tn_status tn_gemm_packing_run(tn_device *dev, const tn_gemm_packing *p, int slot, const tn_buffer *b,
                              const tn_buffer *count, tn_buffer **packed);

#endif
