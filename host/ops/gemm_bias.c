#include "gemm_variants.h"

tn_status tn_gemm_bias_forward(tn_device *dev, int64_t M, int64_t N, tn_buffer *c, const tn_buffer *bias) {
    tn_kernel *k;
    TN_TRY(tn_kernel_get(dev, "gemm_bias", "gemm_bias", NULL, &k));
    return tn_launch(dev, k, tn_range_1d((size_t)(M * N), tn_kernel_group(k, 64)), tn_arg_buffer(c),
                     tn_arg_buffer(bias), tn_arg_i32(M), tn_arg_i32(N));
}
