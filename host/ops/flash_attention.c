#include "flash_attention.h"

#include "flash_attention_variants.h"

enum { SHORT, LONG, SHORT_KEYS = 1024 };

static int class_of(int pass, const void *shape) {
    const tn_flash_attention_key *key = shape;
    (void)pass;
    return key->T <= SHORT_KEYS ? SHORT : LONG;
}

static const char *const passes[] = {"forward", "backward", NULL};
static const char *const classes[] = {"short", "long", NULL};
static const tn_variant *const variants[] = {&tn_flash_attention_onepass, &tn_flash_attention_groups,
                                             &tn_flash_attention_threads, NULL};
const tn_op tn_flash_attention_op = {.name = "flash_attention",
                                     .passes = passes,
                                     .classes = classes,
                                     .class_of = class_of,
                                     .shape_bytes = sizeof(tn_flash_attention_key),
                                     .variants = variants};

static tn_flash_attention_shape with_kv_heads(const tn_flash_attention_shape *given) {
    tn_flash_attention_shape s = *given;
    s.Hkv = s.Hkv ? s.Hkv : s.H;
    return s;
}

/* Of a shape that check has passed, or of one that has Hkv = 0. */
static tn_flash_attention_key key_of(const tn_flash_attention_shape *s) {
    return (tn_flash_attention_key){.T = s->T,
                                    .Dh = s->Dh,
                                    .tile = s->max_rows <= 2   ? 2
                                            : s->max_rows <= 6 ? 4
                                                               : INT32_MAX,
                                    .rows = s->max_rows <= 8    ? 8
                                            : s->max_rows <= 16 ? 16
                                            : s->max_rows <= 32 ? 32
                                                                : 64,
                                    .share = s->Hkv ? s->H / s->Hkv : 1};
}

tn_status tn_flash_attention_layout_of(tn_device *dev, const tn_flash_attention_shape *s,
                                       tn_flash_attention_layout *out) {
    const tn_flash_attention_key key = key_of(s);
    const tn_variant *variant;
    int values[TN_VARIANT_TUNABLES];
    TN_TRY(tn_op_variant(dev, &tn_flash_attention_op, TN_FLASH_ATTENTION_FORWARD, &key, &variant));
    tn_variant_values(dev, &tn_flash_attention_op, variant, TN_FLASH_ATTENTION_FORWARD,
                      class_of(TN_FLASH_ATTENTION_FORWARD, &key), values, NULL);
    if (variant == &tn_flash_attention_groups)
        tn_flash_attention_groups_layout(dev, s, &key, values, out);
    else
        tn_flash_attention_threads_layout(dev, s, &key, values, out);
    return TN_OK;
}

static tn_status check(tn_device *dev, const tn_flash_attention_shape *s) {
    tn_context *ctx = tn_device_context(dev);
    if (s->Hkv < 1 || s->H % s->Hkv != 0)
        return tn_fail(ctx, TN_ERR_ARG,
                       "flash_attention: %lld heads of keys and values for %lld heads; heads must be a "
                       "multiple of them",
                       (long long)s->Hkv, (long long)s->H);
    if (s->Dh < 16 || s->Dh > 128 || s->Dh % 4 != 0)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED,
                       "flash_attention: a head width of %lld; it must be 16 to 128, a multiple of 4",
                       (long long)s->Dh);
    if (s->window > INT32_MAX)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "flash_attention: a window of %lld; it must be below 2^31",
                       (long long)s->window);
    /* Positions are counted, whether or not a tensor has them all; packed rows are whole panels. */
    TN_TRY(tn_elements_check(ctx, "flash_attention: a batch of positions", s->B, s->T));
    TN_TRY(tn_elements_check(ctx, "flash_attention: a tensor of queries", s->R + 32 * s->B, s->H * s->Dh));
    return tn_elements_check(ctx, "flash_attention: a tensor of keys", s->Rkv + 32 * s->B, s->Hkv * s->Dh);
}

static tn_status pass_counts(tn_device *dev, const tn_flash_attention_shape *s, int pass, bool *counts) {
    const tn_flash_attention_key key = key_of(s);
    return tn_op_counts(dev, &tn_flash_attention_op, pass, &key, counts);
}

tn_status tn_flash_attention_counts(tn_device *dev, const tn_flash_attention_shape *s, bool training,
                                    bool *counts) {
    TN_TRY(pass_counts(dev, s, TN_FLASH_ATTENTION_FORWARD, counts));
    return training && *counts ? pass_counts(dev, s, TN_FLASH_ATTENTION_BACKWARD, counts) : TN_OK;
}

/* What the lists say, where the variant must know. */
static tn_status read_lists(tn_device *dev, tn_flash_attention_shape *s, int pass, const tn_buffer *q_start,
                            const tn_buffer *kv_start) {
    const size_t count = (size_t)s->B + 1;
    int32_t *start;
    bool counts = true;
    if (s->at_most)
        TN_TRY(pass_counts(dev, s, pass, &counts));
    if (counts)
        return TN_OK;
    TN_TRY(tn_alloc(tn_device_context(dev), count, sizeof *start, &start));
    tn_status status = tn_buffer_read(kv_start, 0, count * sizeof *start, start);
    s->Rkv = start[s->B];
    if (status == TN_OK)
        status = tn_buffer_read(q_start, 0, count * sizeof *start, start);
    s->R = start[s->B];
    s->max_rows = 0;
    for (int64_t b = 0; b < s->B; b++)
        s->max_rows = start[b + 1] - start[b] > s->max_rows ? start[b + 1] - start[b] : s->max_rows;
    s->at_most = false;
    tn_free(tn_device_context(dev), start);
    return status;
}

tn_status tn_flash_attention_forward(tn_device *dev, const tn_flash_attention_shape *given, tn_buffer *o,
                                     tn_buffer *lse, const tn_buffer *q, const tn_buffer *k,
                                     const tn_buffer *v, const tn_buffer *rows, const tn_buffer *q_start,
                                     const tn_buffer *kv_start, const tn_buffer *segments,
                                     const tn_buffer *lengths) {
    tn_flash_attention_shape s = with_kv_heads(given);
    const tn_flash_attention_args args = {.s = &s,
                                          .o = o,
                                          .lse = lse,
                                          .q = q,
                                          .k = k,
                                          .v = v,
                                          .rows = rows,
                                          .q_start = q_start,
                                          .kv_start = kv_start,
                                          .segments = segments,
                                          .lengths = lengths};
    TN_TRY(check(dev, &s));
    TN_TRY(read_lists(dev, &s, TN_FLASH_ATTENTION_FORWARD, q_start, kv_start));
    const tn_flash_attention_key key = key_of(&s);
    return tn_op_run(dev, &tn_flash_attention_op, TN_FLASH_ATTENTION_FORWARD, &key, &args);
}

tn_status tn_flash_attention_backward(tn_device *dev, const tn_flash_attention_shape *given, tn_buffer *dq,
                                      tn_buffer *dk, tn_buffer *dv, const tn_buffer *dout, const tn_buffer *q,
                                      const tn_buffer *k, const tn_buffer *v, const tn_buffer *o,
                                      const tn_buffer *lse, const tn_buffer *rows, const tn_buffer *q_start,
                                      const tn_buffer *kv_start, const tn_buffer *segments,
                                      const tn_buffer *lengths) {
    tn_flash_attention_shape s = with_kv_heads(given);
    const tn_flash_attention_args args = {.s = &s,
                                          .dq = dq,
                                          .dk = dk,
                                          .dv = dv,
                                          .dout = dout,
                                          .q = q,
                                          .k = k,
                                          .v = v,
                                          .in_o = o,
                                          .in_lse = lse,
                                          .rows = rows,
                                          .q_start = q_start,
                                          .kv_start = kv_start,
                                          .segments = segments,
                                          .lengths = lengths};
    TN_TRY(check(dev, &s));
    TN_TRY(read_lists(dev, &s, TN_FLASH_ATTENTION_BACKWARD, q_start, kv_start));
    const tn_flash_attention_key key = key_of(&s);
    return tn_op_run(dev, &tn_flash_attention_op, TN_FLASH_ATTENTION_BACKWARD, &key, &args);
}
