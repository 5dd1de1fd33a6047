#include "linear.h"

#include "gemm.h"

tn_status tn_linear(tn_device *dev, int64_t M, const tn_buffer *count, const tn_param *w, tn_buffer *y,
                    const tn_buffer *x, const tn_buffer *bias, const tn_buffer *add) {
    tn_gemm_shape s = {TN_GEMM_NT, M, w->dims[0], w->dims[1], count};
    return tn_gemm_with_packed(dev, &s, y, x, w->value, w->packed, bias, add);
}

tn_status tn_linear_input_grad(tn_device *dev, int64_t M, const tn_buffer *count, const tn_param *w,
                               tn_buffer *dx, const tn_buffer *dy, const tn_buffer *add) {
    tn_gemm_shape s = {TN_GEMM_NN, M, w->dims[1], w->dims[0], count};
    return tn_gemm_forward(dev, &s, dx, dy, w->value, NULL, add);
}

tn_status tn_linear_weight_grad(tn_workspace *ws, int64_t M, const tn_buffer *count, const tn_param *w,
                                const tn_buffer *dy, const tn_buffer *x) {
    return tn_gemm_weight_grad(ws->m->dev, w->dims[0], w->dims[1], M, count, w->grad, dy, x, ws->sums);
}
