#include "attention_absorb.h"

#include "launch.h"

enum { ROWS = 4, COLS = 4 }; /* as in the kernels */

static tn_status kernel(tn_device *dev, const char *name, int64_t D, int64_t *lanes, tn_kernel **out) {
    tn_options options = {""};
    *lanes = tn_tunable_ask(dev, "attention_absorb", "VW", 16, 4);
    while (*lanes > 4 && D % *lanes != 0)
        *lanes /= 2;
    tn_options_int(&options, "VW", (long)*lanes);
    return tn_kernel_get(dev, "attention_absorb", name, &options, out);
}

static size_t group(const tn_device *dev, const tn_kernel *k) {
    return tn_kernel_group(k, (size_t)tn_tunable_ask(dev, "attention_absorb", "LOCAL", 1, 16));
}

static tn_status check(tn_device *dev, const tn_attention_absorb_shape *s) {
    int64_t D = s->H * s->Dh;
    if (D % 4 == 0 && s->H * D * D <= INT32_MAX)
        return TN_OK;
    return tn_fail(
        tn_device_context(dev), TN_ERR_UNSUPPORTED,
        "attention_absorb: %lld heads of %lld; the width must be a multiple of 4, and H·D² below 2^31",
        (long long)s->H, (long long)s->Dh);
}

static tn_range range(const tn_device *dev, const tn_kernel *k, int64_t rows, int64_t H, int64_t D,
                      int64_t lanes) {
    return tn_range_3d((size_t)tn_ceil_div(rows, ROWS), (size_t)(2 * H), (size_t)tn_ceil_div(D, COLS * lanes),
                       group(dev, k), 1, 1);
}

tn_status tn_attention_absorb_forward(tn_device *dev, const tn_attention_absorb_shape *s, tn_buffer *mq,
                                      tn_buffer *mo, const tn_buffer *wq, const tn_buffer *wk,
                                      const tn_buffer *wv, const tn_buffer *wo) {
    int64_t D = s->H * s->Dh, lanes;
    tn_kernel *k;
    TN_TRY(check(dev, s));
    TN_TRY(kernel(dev, "attention_absorb_forward", D, &lanes, &k));
    return tn_launch(dev, k, range(dev, k, D, s->H, D, lanes), tn_arg_buffer(mq), tn_arg_buffer(mo),
                     tn_arg_buffer(wq), tn_arg_buffer(wk), tn_arg_buffer(wv), tn_arg_buffer(wo),
                     tn_arg_i32(s->H), tn_arg_i32(s->Dh));
}

tn_status tn_attention_absorb_backward(tn_device *dev, const tn_attention_absorb_shape *s, tn_buffer *dwq,
                                       tn_buffer *dwk, tn_buffer *dwv, tn_buffer *dwo, const tn_buffer *dmq,
                                       const tn_buffer *dmo, const tn_buffer *wq, const tn_buffer *wk,
                                       const tn_buffer *wv, const tn_buffer *wo) {
    int64_t D = s->H * s->Dh, lanes;
    tn_kernel *plain, *transposed;
    TN_TRY(check(dev, s));
    TN_TRY(kernel(dev, "attention_absorb_backward", D, &lanes, &plain));
    TN_TRY(kernel(dev, "attention_absorb_transposed", D, &lanes, &transposed));
    TN_TRY(tn_launch(dev, plain, range(dev, plain, s->Dh, s->H, D, lanes), tn_arg_buffer(dwq),
                     tn_arg_buffer(dwv), tn_arg_buffer(dmq), tn_arg_buffer(dmo), tn_arg_buffer(wk),
                     tn_arg_buffer(wo), tn_arg_i32(s->H), tn_arg_i32(s->Dh)));
    return tn_launch(dev, transposed, tn_range_2d((size_t)D, 2, group(dev, transposed), 1),
                     tn_arg_buffer(dwk), tn_arg_buffer(dwo), tn_arg_buffer(dmq), tn_arg_buffer(dmo),
                     tn_arg_buffer(wq), tn_arg_buffer(wv), tn_arg_i32(s->H), tn_arg_i32(s->Dh));
}

tn_status tn_attention_absorb_rows(tn_device *dev, int64_t R, int64_t H, tn_buffer *to,
                                   const tn_buffer *rows) {
    int64_t lanes;
    tn_kernel *k;
    TN_TRY(kernel(dev, "attention_absorb_rows", 4, &lanes, &k));
    return tn_launch(dev, k, tn_range_1d((size_t)R, group(dev, k)), tn_arg_buffer(to), tn_arg_buffer(rows),
                     tn_arg_i32(R), tn_arg_i32(H));
}
