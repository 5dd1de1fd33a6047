#include "attention_absorb.h"

#include "attention_absorb_variants.h"

static const char *const passes[] = {"forward", "backward", NULL};
static const tn_variant *const variants[] = {&tn_attention_absorb_groups, &tn_attention_absorb_threads, NULL};
const tn_op tn_attention_absorb_op = {.name = "attention_absorb",
                                      .passes = passes,
                                      .shape_bytes = sizeof(tn_attention_absorb_key),
                                      .variants = variants};

/* Lists are made by the op, but are no pass that is timed: a table of their own, with the same tunables. */
static const char *const list_passes[] = {"rows", NULL};
static const tn_variant *const list_variants[] = {&tn_attention_absorb_list_threads, NULL};
static const tn_op list_op = {.name = "attention_absorb",
                              .passes = list_passes,
                              .shape_bytes = sizeof(int64_t),
                              .variants = list_variants};

static tn_status run(tn_device *dev, int pass, const tn_attention_absorb_shape *s,
                     const tn_attention_absorb_args *args) {
    const int64_t D = s->H * s->Dh;
    const tn_attention_absorb_key key = {s->H, s->Dh};
    if (D % 4 != 0 || s->H * D * D > INT32_MAX)
        return tn_fail(
            tn_device_context(dev), TN_ERR_UNSUPPORTED,
            "attention_absorb: %lld heads of %lld; the width must be a multiple of 4, and H·D² below 2^31",
            (long long)s->H, (long long)s->Dh);
    return tn_op_run(dev, &tn_attention_absorb_op, pass, &key, args);
}

tn_status tn_attention_absorb_forward(tn_device *dev, const tn_attention_absorb_shape *s, tn_buffer *mq,
                                      tn_buffer *mo, const tn_buffer *wq, const tn_buffer *wk,
                                      const tn_buffer *wv, const tn_buffer *wo) {
    return run(dev, TN_ATTENTION_ABSORB_FORWARD, s,
               &(tn_attention_absorb_args){.mq = mq, .mo = mo, .wq = wq, .wk = wk, .wv = wv, .wo = wo});
}

tn_status tn_attention_absorb_backward(tn_device *dev, const tn_attention_absorb_shape *s, tn_buffer *dwq,
                                       tn_buffer *dwk, tn_buffer *dwv, tn_buffer *dwo, const tn_buffer *dmq,
                                       const tn_buffer *dmo, const tn_buffer *wq, const tn_buffer *wk,
                                       const tn_buffer *wv, const tn_buffer *wo) {
    return run(dev, TN_ATTENTION_ABSORB_BACKWARD, s,
               &(tn_attention_absorb_args){.dwq = dwq,
                                           .dwk = dwk,
                                           .dwv = dwv,
                                           .dwo = dwo,
                                           .dmq = dmq,
                                           .dmo = dmo,
                                           .wq = wq,
                                           .wk = wk,
                                           .wv = wv,
                                           .wo = wo});
}

tn_status tn_attention_absorb_rows(tn_device *dev, int64_t R, int64_t H, tn_buffer *to,
                                   const tn_buffer *rows) {
    const int64_t key = 0; /* one kernel for all lists */
    return tn_op_run(dev, &list_op, 0, &key, &(tn_attention_absorb_lists){R, H, to, rows});
}
